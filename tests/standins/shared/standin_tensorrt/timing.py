"""How long a layer takes on the simulated device, and which tactic the builder finds fastest."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from dataclasses import dataclass

from simulated_gpu.scenario import Scenario

from standin_tensorrt.fusion import Layer
from standin_tensorrt.model import Model

_RATE_OF = {"FLOAT": 1.0, "HALF": 4.0, "BF16": 4.0, "INT8": 8.0}
_TF32_RATE = 2.0
_LEVEL_FACTORS = (1.3, 1.15, 1.05, 1.0, 0.98, 0.97)
_SMALL_WORKSPACE_FACTOR = 1.2


@dataclass(frozen=True)
class BuildOptions:
    """What of a configuration changes times."""

    level: int
    timing_iterations: int
    workspace_bytes: int
    tf32: bool
    precisions: tuple[str, ...] = ()
    """Types that a weakly typed network may compute in."""


class TacticTimer:
    """Picks tactics during one build.

    Args:
        build: Number of this build in the process, from 0.
        cache: Factors by key of the layer, or None: nothing is looked up or kept.
    """

    def __init__(self, scenario: Scenario, build: int, cache: MutableMapping[str, float] | None) -> None:
        self._scenario = scenario
        self._build = build
        self._cache = cache
        self.misses = 0

    def layer_s(self, model: Model, layer: Layer, options: BuildOptions) -> float:
        """Seconds of one run of `layer`."""
        work_s = _work_s(model, layer, options, self._scenario)
        slow = _SMALL_WORKSPACE_FACTOR if workspace_bytes(model, layer) > options.workspace_bytes else 1.0
        factor = self._tactic(layer_key(model, layer, options), options)
        return self._scenario.times.layer_overhead_s + work_s * slow * factor * _LEVEL_FACTORS[options.level]

    def _tactic(self, key: str, options: BuildOptions) -> float:
        cache = self._cache if options.level > 0 else None
        if cache is not None and key in cache:
            return cache[key]
        self.misses += 1
        tactics = self._scenario.tactics
        found = tactics[self._build % len(tactics)]
        factor = 1.0 + (found - 1.0) / options.timing_iterations**0.5
        if cache is not None:
            cache[key] = factor
        return factor


def layer_key(model: Model, layer: Layer, options: BuildOptions) -> str:
    """Equal for layers that do equal work: kinds, shapes and types, no names."""
    operators = [model.operators[index] for index in layer.operators]
    types = [[str(model.types[name]) for name in (*op.inputs, *op.outputs)] for op in operators]
    text = repr(([op.kind for op in operators], types, options.precisions, options.tf32))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def workspace_bytes(model: Model, layer: Layer) -> int:
    """Scratch memory of the fastest tactic of `layer`."""
    group = tuple(model.operators[index] for index in layer.operators)
    convolves = any(op.kind == "Conv" for op in group)
    return max((model.types[name].size_bytes for name in model.reads(group)), default=0) * (2 if convolves else 0)


def _work_s(model: Model, layer: Layer, options: BuildOptions, scenario: Scenario) -> float:
    group = tuple(model.operators[index] for index in layer.operators)
    moved = sum(model.types[name].size_bytes for name in (*model.reads(group), *model.writes(group)))
    rate = scenario.times.multiply_accumulates_per_s
    compute_s = sum(model.multiply_accumulates(op) / (rate * _rate(model, layer, options)) for op in group)
    return max(compute_s, moved / scenario.times.bytes_per_s)


def _rate(model: Model, layer: Layer, options: BuildOptions) -> float:
    """How much faster than plain fp32 the type of a layer is."""
    kinds = {model.operators[index].kind for index in layer.operators}
    element = model.element(model.operators[layer.operators[0]])
    if kinds & {"QuantizeLinear", "DequantizeLinear"}:
        return _RATE_OF["INT8"]
    if element is not None and element.name == "FLOAT":
        allowed = [_RATE_OF[name] for name in options.precisions if name in ("HALF", "BF16")]
        return max([_TF32_RATE if options.tf32 else 1.0, *allowed])
    return _RATE_OF.get(element.name if element is not None else "", 1.0)
