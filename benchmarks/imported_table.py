"""Held-out error of operator costs learned from FasterSeg's measured TensorRT table, beside plain baselines.

    python -m benchmarks.imported_table --table ../shared/data/fasterseg/latency_lookup_table.json

Random splits of the table's rows, the same for everybody: so many rows to learn from, all others to predict. Ours is
the product's own estimator (predictor/operator_estimator.py), fitted as ``hyctas train`` fits it: one cost a part, the
median where several rows name the same one. Prints mean and worst of 10 splits, and the share of rows within 10 %; the
last column counts only held-out rows whose operator is not among the training rows under another name.

The form of kernel and features was chosen on splits with seeds 100 to 109; those that are reported have seeds 0 to 9.
With ``--operators FILE`` (JSON: a list of [part, seconds]) the same estimator is scored on other measured operators.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.fasterseg_table import table_part
from hyctas.parts import Part
from predictor.operator_estimator import fit_operator_estimator
from predictor.part_features import FEATURES, KINDS, part_features

Array = npt.NDArray[np.float64]
TABLE: Final = Path("../shared/data/fasterseg/latency_lookup_table.json")
SEEDS: Final = range(10)
SIZES: Final = (100, 300, 500)
_NUMBER: Final = re.compile(r"_(H|W|Cin|Cout|C|stride|kernel)(\d+)")


@dataclass(frozen=True, slots=True)
class Row:
    """A measured operator: its part, its seconds, and the numbers in its name (none without a name)."""

    part: Part
    cost_s: float
    name: str = ""


Predictor = Callable[[Sequence[Row], Sequence[Row], int], Array]
"""Rows to learn from, rows to predict, seed; gives seconds."""


def main() -> None:
    """Score everybody on the same splits and print the table."""
    options = _options()
    rows = read_table(options.table) if options.operators is None else read_operators(options.operators)
    print(f"{len(rows)} rows, {len({row.part for row in rows})} operators; {len(SEEDS)} splits; mean (worst)")
    print(f"{'rows':>4}  {'model':<28} {'MAPE %':>14} {'within 10 %':>14} {'unseen MAPE %':>14} {'fit+predict s':>13}")
    for size in options.sizes:
        for name, predictor in PREDICTORS.items():
            print(f"{size:>4}  {name:<28} {_line(rows, size, predictor)}", flush=True)


def read_table(file: Path) -> list[Row]:
    """Rows of the published table (JSON, milliseconds)."""
    found = [(name, table_part(name), cost_ms) for name, cost_ms in json.loads(file.read_text()).items()]
    return [Row(part, cost_ms / 1000.0, name) for name, part, cost_ms in found if part is not None]


def read_operators(file: Path) -> list[Row]:
    """Other measured operators: a list of [part as JSON, seconds]."""
    parts = (
        (Part(**{**part, "in_channels": tuple(part["in_channels"])}), s) for part, s in json.loads(file.read_text())
    )
    return [Row(part, cost_s) for part, cost_s in parts]


def ours(known: Sequence[Row], wanted: Sequence[Row], seed: int) -> Array:
    """The product's estimator."""
    costs: dict[Part, list[float]] = {}
    for row in known:
        costs.setdefault(row.part, []).append(row.cost_s)
    estimator = fit_operator_estimator({part: median(found) for part, found in costs.items()})
    return estimator.cost_s([row.part for row in wanted])


def plain_process(known: Sequence[Row], wanted: Sequence[Row], seed: int) -> Array:
    """scikit-learn's Gaussian process on log features: one Matern 3/2 of one length scale, constant mean."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    kernel = ConstantKernel(1.0) * Matern(1.0, nu=1.5) + WhiteKernel(1e-3)
    inputs, targets = counted_features(known), np.log(_costs(known))
    centre, spread = inputs.mean(axis=0), inputs.std(axis=0)
    spread[spread == 0.0] = 1.0
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0).fit(
        (inputs - centre) / spread, targets
    )
    return np.asarray(np.exp(process.predict((counted_features(wanted) - centre) / spread)))


def boosting(features: Callable[[Sequence[Row]], Array]) -> Predictor:
    """XGBoost with default settings on the logarithm of the cost."""

    def predict(known: Sequence[Row], wanted: Sequence[Row], seed: int) -> Array:
        import xgboost

        data = xgboost.DMatrix(features(known), label=np.log(_costs(known)))
        booster = xgboost.train({"nthread": 1, "seed": 0}, data, num_boost_round=100)
        return np.asarray(np.exp(booster.predict(xgboost.DMatrix(features(wanted))).astype(np.float64)))

    return predict


def macs_law(known: Sequence[Row], wanted: Sequence[Row], seed: int) -> Array:
    """A constant plus a constant times multiply-accumulates, by least squares on relative errors."""
    terms, costs = _macs_terms(known), _costs(known)
    weights, *_ = np.linalg.lstsq(terms / costs[:, None], np.ones(len(costs)), rcond=None)
    return np.asarray(np.maximum(_macs_terms(wanted) @ weights, 1e-7))


def raw_features(rows: Sequence[Row]) -> Array:
    """Kind one-hot and the sizes as they stand."""
    return np.array([[*_one_hot(row.part), *_sizes(row.part), _named_out(row)] for row in rows])


def counted_features(rows: Sequence[Row]) -> Array:
    """Kind one-hot, and logarithms of sizes, multiply-accumulates, bytes and arithmetic intensity."""
    found = []
    for row in rows:
        macs, moved = _macs_and_bytes(row.part)
        numbers = [*_sizes(row.part), _named_out(row), macs, moved, macs / moved]
        found.append([*_one_hot(row.part), *np.log1p(numbers)])
    return np.array(found)


PREDICTORS: Final[Mapping[str, Predictor]] = {
    "ours": ours,
    "Gaussian process, untuned": plain_process,
    "XGBoost, FLOPs and bytes": boosting(counted_features),
    "XGBoost, raw": boosting(raw_features),
    "law of MACs": macs_law,
}


def _line(rows: Sequence[Row], size: int, predictor: Predictor) -> str:
    errors, near, unseen, began = [], [], [], time.process_time()
    for seed in SEEDS:
        order = np.random.default_rng(seed).permutation(len(rows))
        known, wanted = [rows[i] for i in order[:size]], [rows[i] for i in order[size:]]
        error = np.abs(predictor(known, wanted, seed) / _costs(wanted) - 1.0)
        parts = {row.part for row in known}
        errors.append(error.mean())
        near.append((error <= 0.1).mean())
        unseen.append(error[[row.part not in parts for row in wanted]].mean())
    seconds = (time.process_time() - began) / len(SEEDS)
    shown = [(errors, max(errors)), (near, min(near)), (unseen, max(unseen))]
    return " ".join(f"{100 * np.mean(v):>7.2f} ({100 * worst:5.1f})" for v, worst in shown) + f" {seconds:>13.1f}"


def _costs(rows: Sequence[Row]) -> Array:
    return np.array([row.cost_s for row in rows])


def _macs_terms(rows: Sequence[Row]) -> Array:
    return np.array([[1.0, _macs_and_bytes(row.part)[0] * 1e-9] for row in rows])


def _macs_and_bytes(part: Part) -> tuple[float, float]:
    features = dict(zip(FEATURES, part_features(part), strict=True))
    macs, moved = (sum(v for name, v in features.items() if name.endswith(end)) for end in ("_macs", "_bytes"))
    return macs, moved


def _one_hot(part: Part) -> list[float]:
    return [float(part.kind == kind) for kind in KINDS]


def _sizes(part: Part) -> list[float]:
    return [part.height, part.width, sum(part.in_channels), part.stride]


def _named_out(row: Row) -> float:
    """Output channels as the row's name says, which for an identity are not those of the part."""
    named = dict(_NUMBER.findall(row.name))
    return float(named.get("Cout", row.part.out_channels))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--operators", type=Path, help="other operators to score on, as JSON")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="rows to learn from")
    return parser.parse_args()


if __name__ == "__main__":
    main()
