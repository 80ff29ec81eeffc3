"""The ONNX file of a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from onnx import helper

from hyctas.architecture import Architecture
from hyctas.lowering import lower
from hyctas.onnx_form import to_onnx
from hyctas.torch_form import GraphModule, to_numpy
from search.atomic import write_atomically

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_NO_RANGES: Final[Mapping[str, float]] = MappingProxyType({})


def trained_onnx(
    module: GraphModule,
    path: Path,
    *,
    architecture: Architecture,
    facts: Mapping[str, str] = _NONE,
    fold_batch_norm: bool = True,
    precision: str = "fp32",
    ranges: Mapping[str, float] = _NO_RANGES,
) -> None:
    """Write a network as it is deployed, with the weights that it was trained to.

    Args:
        module: The trained network, at any input size, with or without auxiliary heads.
        path: Where to write; a file there is replaced.
        architecture: Which network it is; its input size, batch and output are those of the file.
        facts: What the file's metadata say, such as the names of the classes.
        fold_batch_norm: Fold batch norms and scales into the convolutions before them; always so but for fp32.
        precision: One of :data:`hyctas.target.PRECISIONS`.
        ranges: For int8, those of :func:`search.deployment.int8.image_ranges`.

    Raises:
        GraphError: The weights are not those of `architecture`, or do not fit `precision`; or a range is missing.
        InvalidInput: There is no such precision, or it needs batch norms folded.
        OSError: The file cannot be written.
    """
    weights = to_numpy(module)
    model = to_onnx(lower(architecture), weights, fold_batch_norm=fold_batch_norm, precision=precision, ranges=ranges)
    helper.set_model_props(model, dict(facts))
    write_atomically(path, model.SerializeToString())
