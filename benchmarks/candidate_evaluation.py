"""Forms in which one candidate's images could be run, side by side, and recalibration by batch size.

    python -m benchmarks.candidate_evaluation --images 101

CPU seconds of one thread, the best of several rounds in which all forms take turns, averaged over random networks of
the space at depth 10, 8 base channels, 128x160. Each form pays for what it prepares for a candidate: module, folding,
session.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from statistics import mean
from typing import Any, Final, Protocol

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.folding import fold
from hyctas.lowering import lower
from hyctas.onnx_form import to_onnx_bytes
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.torch_form import GraphModule
from hyctas.weights import Array, seeded_weights
from search.supernet.sizes import resized

SETTINGS: Final = ArchitectureDefaults(height=128, width=160, base_channels=8, classes=11)
BATCHES: Final = (2, 4, 8, 16, 32)
Weights = Mapping[str, Array]


class Form(Protocol):
    """Logits of all images, in batches of one size."""

    def __call__(self, architecture: Architecture, weights: Weights, images: Tensor, batch: int) -> Tensor:
        """Prepare, and run."""


def eager(architecture: Architecture, weights: Weights, images: Tensor, batch: int) -> Tensor:
    """Plain torch."""
    return in_batches(GraphModule(lower(architecture), weights).eval(), images, batch)


def channels_last(architecture: Architecture, weights: Weights, images: Tensor, batch: int) -> Tensor:
    """Plain torch, channels last."""
    module = GraphModule(lower(architecture), weights).eval()
    return in_batches(in_channels_last(module), in_channels_last(images), batch)


def folded(architecture: Architecture, weights: Weights, images: Tensor, batch: int) -> Tensor:
    """Batch norms folded, channels last."""
    module = GraphModule(*fold(lower(architecture), weights)).eval()
    return in_batches(in_channels_last(module), in_channels_last(images), batch)


def onnx_runtime(architecture: Architecture, weights: Weights, images: Tensor, batch: int) -> Tensor:
    """ONNX Runtime, batch norms folded; the last batch is filled up."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    model = to_onnx_bytes(lower(resized(architecture, batch=batch)), weights)
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    missing = -len(images) % batch
    filled = np.concatenate([images.numpy(), images[-1:].numpy().repeat(missing, 0)])
    outputs = [session.run(None, {"image": part})[0] for part in np.split(filled, len(filled) // batch)]
    return torch.from_numpy(np.concatenate(outputs)[: len(images)])


def recalibration(architecture: Architecture, weights: Weights, images: Tensor, batch: int) -> Tensor:
    """Training mode, channels last; a last batch of one image is left out."""
    module = GraphModule(lower(architecture), weights).train()
    whole = images[:-1] if len(images) % batch == 1 else images
    return in_batches(in_channels_last(module), in_channels_last(whole), batch)


FORMS: Final[Mapping[str, Form]] = {
    "eager": eager,
    "channels last": channels_last,
    "folded, channels last": folded,
    "ONNX Runtime": onnx_runtime,
}


def main() -> None:
    """Print seconds of each form and batch size, over those of eager torch, and how far its logits are off."""
    options = _options()
    torch.set_num_threads(1)
    networks = sample_structured(SearchSpace(depth=10), np.random.default_rng(0), options.networks, SETTINGS)
    images = torch.randn(options.images, 3, 128, 160, generator=torch.Generator().manual_seed(0))
    forms = {(name, batch): form for name, form in FORMS.items() for batch in BATCHES}
    forms |= {("recalibration", batch): recalibration for batch in BATCHES}
    found = [_network(forms, architecture, images, options.rounds) for architecture in networks]
    print(f"{options.networks} networks, {options.images} images, one thread: CPU seconds, over the first, difference")
    first = mean(result["eager", BATCHES[0]][0] for result in found)
    for name, batch in forms:
        seconds = mean(result[name, batch][0] for result in found)
        difference = max(result[name, batch][1] for result in found)
        shown = "-" if name == "recalibration" else f"{difference:.0e}"
        print(f"{name:<22} batches of {batch:>2} {seconds:7.3f} s {seconds / first:5.2f} {shown:>6}")


def _network(
    forms: Mapping[tuple[str, int], Form], architecture: Architecture, images: Tensor, rounds: int
) -> dict[tuple[str, int], tuple[float, float]]:
    """Seconds of each form, and its largest difference from eager torch over the largest logit."""
    weights = seeded_weights(lower(architecture), 0)
    expected = eager(architecture, weights, images, BATCHES[0])
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for _ in range(rounds):
        for (name, batch), form in forms.items():
            start = time.process_time()
            logits = form(architecture, weights, images, batch)
            seconds = time.process_time() - start
            difference = float((logits - expected[: len(logits)]).abs().max() / expected.abs().max())
            found[name, batch] = min(seconds, found.get((name, batch), (seconds,))[0]), difference
    return found


def in_batches(module: GraphModule, images: Tensor, batch: int) -> Tensor:
    """Logits of all images."""
    with torch.inference_mode():
        return torch.cat([module(part).contiguous() for part in images.split(batch)])


def in_channels_last(given: Any) -> Any:
    """A module or a tensor in the other layout."""
    return given.to(memory_format=torch.channels_last)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=101, help="images to run (default: %(default)s)")
    parser.add_argument("--networks", type=int, default=6, help="random networks (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="rounds, of which the best counts (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
