"""Architectures at another batch or image size: training crops differ from the size that is deployed."""

from __future__ import annotations

import dataclasses

from hyctas.architecture import Architecture, InputSize


def resized(
    architecture: Architecture, *, batch: int | None = None, height: int | None = None, width: int | None = None
) -> Architecture:
    """The same network at another input size; what is not given stays.

    Raises:
        InvalidArchitecture: A size is outside the format.
    """
    old = architecture.input
    size = InputSize(batch or old.batch, height or old.height, width or old.width)
    return architecture if size == old else dataclasses.replace(architecture, input=size)


def with_logits(architecture: Architecture) -> Architecture:
    """The same network ending at the logits, which is what is trained and scored."""
    return architecture if architecture.output == "logits" else dataclasses.replace(architecture, output="logits")
