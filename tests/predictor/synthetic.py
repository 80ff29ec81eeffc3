"""A latency law with known terms, to learn from without a machine: costs of parts, borders, seeded noise."""

from __future__ import annotations

import numpy as np

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.decomposition import decompose
from hyctas.enumeration import operator_parts
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from predictor.part_features import FEATURES, part_features
from predictor.samples import NetworkSample, OperatorSample

SETTINGS = ArchitectureDefaults(height=64, width=128)
SPACE = SearchSpace(depth=8)
TARGET = "paper/onnxruntime-fp32-t1"
NOISE = 0.004


def part_cost_s(part: Part) -> float:
    """Compute at 50 GMAC/s (3x3) and 20 GMAC/s (rest), memory at 10 GB/s, 2 us a node."""
    features = dict(zip(FEATURES, part_features(part), strict=True))
    compute = features["conv_3x3_macs"] / 50e9 + (features["conv_1x1_macs"] + features["matmul_macs"]) / 20e9
    moved = sum(value for name, value in features.items() if name.endswith("_bytes"))
    return compute + moved / 10e9 + 2e-6 * features["nodes"]


def network_latency_s(architecture: Architecture) -> float:
    """Sum over parts; inside a network attention costs 30 % more and a skip 40 % less than alone."""
    factor = {"sa": 1.3, "skip": 0.6}
    return sum(part_cost_s(p.part) * factor.get(p.part.kind, 1.0) for p in decompose(architecture).parts)


def networks(count: int, *, seed: int, settings: ArchitectureDefaults = SETTINGS) -> list[NetworkSample]:
    rng = np.random.default_rng(seed)
    drawn = sample_structured(SPACE, rng, count, settings)
    noise = np.exp(NOISE * rng.standard_normal(count))
    return [NetworkSample(a, network_latency_s(a) * float(n)) for a, n in zip(drawn, noise, strict=True)]


def operators(*, share: float = 1.0, seed: int = 0) -> list[OperatorSample]:
    parts = operator_parts(SPACE, SETTINGS)
    rng = np.random.default_rng(seed)
    kept = rng.permutation(len(parts))[: round(share * len(parts))]
    return [OperatorSample(parts[position], part_cost_s(parts[position])) for position in kept]
