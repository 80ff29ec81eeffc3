"""Commands on architectures (``hyctas arch``) and the guided start (``hyctas quickstart``)."""

from __future__ import annotations

import json
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_json import to_json
from hyctas.architecture_options import ArchitectureFile, read_architecture_file, with_settings

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Seed = Annotated[int, typer.Option(min=0, help="Equal seeds give equal results.")]


class Sampler(StrEnum):
    """How architectures are drawn."""

    structured = "structured"
    uniform = "uniform"


class Precision(StrEnum):
    """The numbers inside a model: :data:`hyctas.target.PRECISIONS`."""

    fp32 = "fp32"
    tf32 = "tf32"
    fp16 = "fp16"
    bf16 = "bf16"
    int8 = "int8"


arch: Final = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this package's commands to `app`."""
    app.add_typer(arch, name="arch", help="Show, sample and export architectures.")
    app.command()(quickstart)


@arch.command()
@with_settings
def show(file: ArchitectureFile, settings: ArchitectureDefaults, as_json: Json = False) -> None:
    """Draw an architecture and print its parameters, MACs and memory."""
    architecture = read_architecture_file(file, settings)
    facts = _facts(architecture)
    if as_json:
        _print_json({**facts, "architecture": to_json(architecture)})
        return

    from hyctas.drawing import draw

    typer.echo(draw(architecture))
    typer.echo()
    typer.echo(_described(facts))


@arch.command()
@with_settings
def sample(
    settings: ArchitectureDefaults,
    count: Annotated[int, typer.Option(min=1, help="How many architectures.")] = 1,
    seed: Seed = 0,
    sampler: Annotated[
        Sampler, typer.Option(help="structured: branches share trunks; uniform: all equally likely.")
    ] = Sampler.structured,
    depth: Annotated[int, typer.Option(help="Most cells of a branch.")] = 16,
    as_json: Json = False,
) -> None:
    """Draw architectures at random: one a line, or one document with --json."""
    documents = [to_json(architecture) for architecture in _drawn(settings, count, seed, sampler, depth)]
    if as_json:
        _print_json({"sampler": sampler.value, "seed": seed, "architectures": documents})
        return
    for document in documents:
        typer.echo(json.dumps(document, separators=(",", ":")))


@arch.command()
@with_settings
def onnx(
    file: ArchitectureFile,
    settings: ArchitectureDefaults,
    out: Annotated[Path, typer.Option("--out", "-o", help="The ONNX file to write.")],
    seed: Seed = 0,
    fold_batch_norm: Annotated[
        bool, typer.Option(help="Fold batch norms into convolutions; only fp32 can do without.")
    ] = True,
    precision: Annotated[
        Precision, typer.Option(help="Of the numbers inside; inputs and outputs are float32 in all of them.")
    ] = Precision.fp32,
    as_json: Json = False,
) -> None:
    """Write the ONNX model of an architecture, with seeded random weights.

    The ranges of int8 come from random inputs: they serve latency, not accuracy.
    """
    from hyctas.lowering import lower
    from hyctas.onnx_form import to_onnx_bytes
    from hyctas.ranges import seeded_ranges
    from hyctas.weights import seeded_weights

    architecture = read_architecture_file(file, settings)
    graph = lower(architecture)
    weights = seeded_weights(graph, seed)
    ranges = seeded_ranges(graph, weights, seed) if precision is Precision.int8 else {}
    model = to_onnx_bytes(graph, weights, fold_batch_norm=fold_batch_norm, precision=precision, ranges=ranges)
    out.write_bytes(model)
    if as_json:
        written = {"path": str(out), "size_bytes": len(model), "precision": precision, "seed": seed}
        _print_json({**written, "key": architecture.key})
    else:
        typer.echo(f"wrote {out}: {len(model) / 1e6:.1f} MB, {precision}, random weights of seed {seed}")


def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for everything that comes of it.")] = Path("demo"),
    budget_s: Annotated[float, typer.Option(min=30.0, help="Seconds of measuring, shared out over the steps.")] = 300.0,
    target: Annotated[str, typer.Option(help="What to measure, on this machine.")] = "onnxruntime-fp32-t1",
    as_json: Json = False,
) -> None:
    """Profile this CPU on a small budget, train, serve, ask, compare with measurements, and search.

    Everything lands in one folder and no process is left running. Run it again to go on where it was interrupted.
    """
    from hyctas.quickstart import Quickstart
    from hyctas.quickstart_report import accuracy, comparison_table, report_json, report_markdown, searched
    from hyctas.quickstart_values import QuickstartSettings

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = QuickstartSettings(out=out, budget_s=budget_s, target=target)
    _tell(f"a small budget: about {budget_s:.0f} s of measuring; everything goes into {out}")
    result = Quickstart(settings, say=_tell, sign_of_life=_sign_of_life).run()
    settings.report.write_text(report_markdown(result, settings))
    if as_json:
        _print_json(report_json(result, settings))
        return
    typer.echo(f"\n{accuracy(result)}\n\n{comparison_table(result.comparisons)}\n")
    typer.echo(f"{searched(result, settings)}\n")
    typer.echo(f"report: {settings.report}\nserve it again: {result.serve_command}")


def _tell(line: str) -> None:
    typer.echo(line, err=True)


def _sign_of_life(elapsed_s: float) -> None:
    """Stand in for the progress bars that commands show on a terminal only."""
    if not sys.stderr.isatty():
        _tell(f"  ... {elapsed_s:.0f} s")


def _drawn(
    settings: ArchitectureDefaults, count: int, seed: int, sampler: Sampler, depth: int
) -> tuple[Architecture, ...]:
    import numpy as np

    from hyctas.sampling import sample_structured, sample_uniform
    from hyctas.space import SearchSpace

    draw_from = sample_uniform if sampler is Sampler.uniform else sample_structured
    space = SearchSpace(name=settings.space, depth=depth)
    return tuple(draw_from(space, np.random.default_rng(seed), count, settings))


def _facts(architecture: Architecture) -> dict[str, Any]:
    from hyctas.costs import costs
    from hyctas.lowering import lower

    total = costs(lower(architecture))
    return {
        "key": architecture.key,
        "branches": len(architecture.branches),
        "parameters": total.parameters,
        "macs": total.macs,
        "conv_macs": total.conv_macs,
        "peak_activation_bytes": total.peak_activation_bytes,
    }


def _described(facts: dict[str, Any]) -> str:
    lines = {
        "key": facts["key"],
        "parameters": f"{facts['parameters']:,}",
        "MACs": f"{facts['macs']:,} ({facts['conv_macs']:,} in convolutions)",
        "peak memory": f"{facts['peak_activation_bytes'] / 2**20:.1f} MiB of activations",
    }
    return "\n".join(f"{name:<12} {value}" for name, value in lines.items())


def _print_json(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, indent=2))
