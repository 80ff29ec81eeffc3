"""Rate and delay of ``POST /predict`` on one core, beside the bare evaluator and a route that does nothing.

    python -m benchmarks.http                          # a model of synthetic latencies
    python -m benchmarks.http --db sqlite:///demo/hyctas.db --target onnxruntime-fp32-t1

A real server, pinned to one core, is loaded over the loopback from another. The bare evaluator runs on the
server's core while the server is idle: architectures that are decoded already in, latencies and intervals out. All
three take turns, so that they see the same machine.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
import numpy as np

from benchmarks.http_load import latencies_s, post, rate
from benchmarks.http_server import NO_OP
from db.records import ModelRecord
from db.repository import Repository
from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_json import to_json
from hyctas.costs import costs
from hyctas.enumeration import operator_parts
from hyctas.lowering import lower_part
from hyctas.network_macs import network_macs
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import parse_target
from predictor.artifact import SCHEMA_VERSION, load_predictor, manifest_sha256, save_predictor
from predictor.model import Predictor
from predictor.samples import NetworkSample, OperatorSample
from predictor.training import train

BATCH: Final = 256
BATCHES: Final = 4
SERVER_CORE, LOAD_CORE = 0, 1
SYNTHETIC: Final = parse_target("synthetic/onnxruntime-fp32-t1")
_NOISE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Rates:
    """Architectures a second in one round."""

    served: float
    bare: float


def main() -> None:
    """Run every comparison and print the ratios."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        url, target = (options.db, options.target) if options.db else _synthetic_database(Path(folder))
        predictor = _newest(url, target)
        networks = sample_structured(SearchSpace(), np.random.default_rng(5), BATCH * BATCHES, _sizes(predictor))
        with _server(url) as port:
            rounds = [_rates(port, predictor, networks, duration_s=options.seconds) for _ in range(options.rounds)]
            single, no_op = _single(port, predictor, networks[0], requests=options.requests)
    served, bare = median(r.served for r in rounds), median(r.bare for r in rounds)
    share = median(r.served / r.bare for r in rounds)
    print(f"batches of {BATCH} over HTTP:  {served:>10,.0f} architectures/s on one core")
    print(f"bare evaluator:           {bare:>10,.0f} architectures/s on the same core; HTTP reaches {share:.0%} of it")
    print(f"one architecture, p50:    {single * 1e6:>10,.0f} us")
    print(f"no-op that parses it:     {no_op * 1e6:>10,.0f} us; predicting takes {single / no_op:.2f} times as long")


def _rates(port: int, predictor: Predictor, networks: Sequence[Architecture], *, duration_s: float) -> Rates:
    batches = [networks[start : start + BATCH] for start in range(0, len(networks), BATCH)]
    bodies = [{"target": predictor.target, "architectures": [to_json(n) for n in batch]} for batch in batches]
    requests = [post("/predict", msgspec.json.encode(body)) for body in bodies]
    os.sched_setaffinity(0, {SERVER_CORE})
    bare = _bare_rate(predictor, batches, duration_s=duration_s)
    os.sched_setaffinity(0, {LOAD_CORE})
    return Rates(BATCH * rate(port, requests, duration_s=duration_s), bare)


def _bare_rate(predictor: Predictor, batches: Sequence[Sequence[Architecture]], *, duration_s: float) -> float:
    for batch in batches:
        predictor.predict_batch(batch)
    done, start = 0, time.perf_counter()
    while (elapsed_s := time.perf_counter() - start) < duration_s:
        done += len(predictor.predict_batch(batches[done // BATCH % len(batches)]).latency_s)
    return done / elapsed_s


def _single(port: int, predictor: Predictor, network: Architecture, *, requests: int) -> tuple[float, float]:
    """Median seconds of a prediction and of the no-op, of the same body."""
    body = msgspec.json.encode({"target": predictor.target, "architecture": to_json(network)})
    both = [post("/predict", body), post(NO_OP, body)]
    latencies_s(port, both, rounds=200)
    single, no_op = latencies_s(port, both, rounds=requests)
    return median(single), median(no_op)


@contextmanager
def _server(url: str) -> Iterator[int]:
    """Port of a server that ends with the block."""
    command = [sys.executable, "-m", "benchmarks.http_server", url, str(SERVER_CORE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            time.sleep(1.0)  # the socket listens before the application has started
            yield port
        finally:
            process.terminate()


def _newest(url: str, target: str) -> Predictor:
    with Repository.open(url, create=False) as repository:
        record = repository.latest_model(repository.target_named(target))
    if record is None:
        sys.exit(f"{url} holds no model of {target}: run 'hyctas train'")
    return load_predictor(Path(record.path))


def _sizes(predictor: Predictor) -> ArchitectureDefaults:
    """The settings that the model was trained on, so that its answers are ``learned``."""
    trained = predictor.knowledge.trained
    return ArchitectureDefaults(height=192, width=384) if trained is None else next(iter(trained.settings))


def _synthetic_database(folder: Path) -> tuple[str, str]:
    """A database with a model of 200 networks and all operators.

    Latencies are powers of multiply-accumulates, with noise, so that boosting has something to correct.
    """
    rng = np.random.default_rng(0)
    settings = ArchitectureDefaults(height=192, width=384)
    networks = sample_structured(SearchSpace(), rng, 200, settings)
    samples = [NetworkSample(n, _synthetic_s(network_macs(n)) * rng.lognormal(0.0, _NOISE)) for n in networks]
    parts = operator_parts(SearchSpace(), settings)
    operators = [OperatorSample(part, _synthetic_s(costs(lower_part(part)).macs)) for part in parts]
    path = save_predictor(train(SYNTHETIC.name, samples, operators), folder)
    url = f"sqlite:///{folder / 'synthetic.db'}"
    with Repository(url) as repository:
        repository.ensure_target(SYNTHETIC, {})
        now = datetime.now(UTC)
        record = ModelRecord(path.name, SYNTHETIC, str(path), manifest_sha256(path), now, SCHEMA_VERSION, {}, {})
        repository.add_model(record)
    return url, SYNTHETIC.name


def _synthetic_s(macs: float) -> float:
    return 1e-6 + 1e-9 * math.pow(macs, 0.8)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", help="database with a trained model; without it, one of synthetic latencies")
    parser.add_argument("--target", default="onnxruntime-fp32-t1", help="target of --db")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of load a round")
    parser.add_argument("--requests", type=int, default=3000, help="single requests")
    return parser.parse_args()


if __name__ == "__main__":
    main()
