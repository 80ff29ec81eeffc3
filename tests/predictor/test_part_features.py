"""Features of parts: they count what the graph holds, and add up to the costs of the network."""

import numpy as np
import pytest

from hyctas.costs import costs
from hyctas.lowering import lower
from hyctas.parts import Part
from predictor.operator_costs import learn_operator_costs
from predictor.part_features import FEATURES, KINDS, SHARED_LOG_FEATURES, TILES, log_features, part_features
from predictor.part_table import COLUMNS, COST_COLUMNS, OVERALL, PER_KIND, PartTable
from predictor.training import network_features
from tests.predictor import synthetic

MACS = ("conv_1x1_macs", "conv_3x3_macs", "matmul_macs")


def test_macs_of_parts_add_up_to_those_of_the_network():
    sample = synthetic.networks(3, seed=4)
    features = network_features("t", learn_operator_costs([]), [s.architecture for s in sample])
    columns = [len(COLUMNS) - len(OVERALL) + OVERALL.index(name) for name in MACS]
    by_kind = [column + PER_KIND.index("gmacs") for column in COST_COLUMNS]
    for row, one in zip(features, sample, strict=True):
        expected = pytest.approx(costs(lower(one.architecture)).macs)
        assert row[columns].sum() * 1e9 == expected
        assert row[by_kind].sum() * 1e9 == expected


def test_features_are_counted_by_kind_of_node():
    part = next(s.part for s in synthetic.operators() if s.part.kind == "sa" and s.part.stride == 1)
    features = dict(zip(FEATURES, part_features(part), strict=True))
    assert features["matmul_macs"] > 0
    assert features["softmax_bytes"] > 0
    assert features["conv_3x3_macs"] == 0


def test_log_features_are_finite_and_name_one_kind():
    for sample in synthetic.operators()[:50]:
        features = log_features(sample.part)
        assert np.isfinite(features).all()
        assert features[-len(KINDS) :].tolist() == [float(kind == sample.part.kind) for kind in KINDS]


def test_table_numbers_parts_once_and_grows_past_its_first_size():
    samples = synthetic.operators()
    table = PartTable(learn_operator_costs(samples[:30]))
    rows = [table.row_of(sample.part) for sample in samples]
    assert rows == list(range(len(samples)))
    assert table.row_of(samples[7].part) == 7
    assert table.matrix.shape == (len(samples), len(COLUMNS))
    assert len(samples) > 256
    assert table.sources[:31] == ["measured"] * 30 + ["estimated"]


def test_row_holds_the_cost_and_count_of_its_kind_alone():
    sample = synthetic.operators()[0]
    table = PartTable(learn_operator_costs([sample]))
    number = table.row_of(sample.part)
    row = table.matrix[number]
    start = COST_COLUMNS[KINDS.index(sample.part.kind)]
    assert row[start] == sample.latency_s
    assert row[start + PER_KIND.index("count")] == 1.0
    others = [column for column in COST_COLUMNS if column != start]
    assert not row[others].any()


def test_waste_is_channels_in_whole_tiles_over_channels():
    features = log_features(Part("conv", 16, 32, (40,), 96))
    waste = dict(zip(SHARED_LOG_FEATURES, np.exp(features), strict=False))
    assert [waste[f"out_channels_waste_{tile}"] for tile in TILES] == pytest.approx([1.0, 128 / 96, 128 / 96])
    assert waste["in_channels_waste_32"] == pytest.approx(64 / 40)


def test_batch_counts_as_pixels():
    one, two = (log_features(Part("conv", 16, 32, (8,), 8, batch=batch)) for batch in (1, 2))
    assert two[SHARED_LOG_FEATURES.index("pixels")] - one[SHARED_LOG_FEATURES.index("pixels")] == pytest.approx(
        np.log(2)
    )
