"""Worked examples of ``POST /predict``, shown in the OpenAPI document and tried by the tests."""

from __future__ import annotations

from typing import Any, Final

TARGET: Final = "epyc-7b12/onnxruntime-fp32-t1"


def _cells(*cells: str) -> dict[str, Any]:
    """A branch from ``"conv 6"`` (an operator and a width), ``"sa 12 down"`` and, last, ``"skip"``."""
    words = [cell.split() for cell in cells]
    return {
        "cells": [
            {"op": op, **({"width": int(rest[0])} if rest else {}), "down": "down" in rest} for op, *rest in words
        ]
    }


VERSION_1: Final[dict[str, Any]] = {
    "version": 1,
    "space": "hyctas",
    "input": {"batch": 1, "height": 192, "width": 384},
    "base_channels": 12,
    "stem_width": 12,
    "head_width": 12,
    "head": "s4",
    "attention": "efficient",
    "classes": 19,
    "output": "logits",
    "branches": [
        _cells("conv 6", "conv 6", "conv_2x 8", "sa 12", "conv_downup 6", "skip"),
        _cells("conv 6", "conv 6 down", "conv_2x_downup 8", "sa 12", "conv 6", "conv"),
    ],
}
RELEASE: Final[dict[str, Any]] = {
    "ops": [[1, 1, 2, 4, 1, 0]],
    "paths": [[0, 0, 1, 1, 1, 1]],
    "downs": [[0, 1, 0, 0, 0, 0]],
    "widths": [[0.5, 0.5, 0.5, 1.0, 0.5]],
    "lasts": [1],
}
DEFAULTS: Final[dict[str, Any]] = {"height": 192, "width": 384, "head": "light"}

_NARROW: Final = {**VERSION_1, "head_width": 5}
REQUESTS: Final[dict[str, Any]] = {
    "one": {"summary": "One architecture", "value": {"target": TARGET, "architecture": VERSION_1}},
    "batch": {
        "summary": "Several, one of them wrong",
        "value": {"target": TARGET, "architectures": [VERSION_1, _NARROW]},
    },
    "release": {
        "summary": "The release format, with what it does not carry",
        "value": {"target": TARGET, "architecture": RELEASE, "defaults": DEFAULTS},
    },
    "pinned": {
        "summary": "Only measurements up to a time, so that it can be repeated",
        "value": {"target": TARGET, "architecture": VERSION_1, "measured_until": "2026-01-31T12:00:00Z"},
    },
}
"""Requests by name, in OpenAPI's form."""

ANSWER: Final[dict[str, Any]] = {
    "key": "4b0e6d6f3d0c3a1f0c7f7d0b8c1ce0a0c2ab2f4d7f7ac0a6b1f6b5c9c3d1e2f0",
    "latency_ms": 12.41,
    "low_ms": 11.98,
    "high_ms": 12.86,
    "coverage": 0.9,
    "tier": "learned",
    "breakdown": None,
    "unsupported": [],
    "expected_error": {"mape": 0.018, "within_5": 0.96, "within_10": 1.0, "networks": 200},
    "model_id": "5f0c7a1e9b3d2c48",
}
TOO_NARROW: Final[dict[str, Any]] = {
    "title": "invalid input",
    "status": 422,
    "detail": "$.architectures[1].head_width: 5 is not allowed; expected one of 4, 6, 8, 10, 12",
    "path": "$.architectures[1].head_width",
    "value": 5,
    "allowed": "one of 4, 6, 8, 10, 12",
}
