"""What TensorRT logs on failure, and which error it becomes; the texts are TensorRT's own."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from profiler.runtimes.engine import Unsupported
from profiler.runtimes.tensorrt.cuda import DeviceLost
from profiler.runtimes.tensorrt.faults import BuildFailed, BuildOutOfMemory, build_failure, parser_failure
from profiler.runtimes.tensorrt.library import Messages

ECHO = "[checkMacros.cpp::catchCudaError::250] Error Code 1: Cuda Runtime (cudaError 35: CUDA driver version is insuf)"
NO_TACTIC = "Error Code 10: Internal Error (Could not find any implementation for node stem.conv.conv + stem.relu.)"
NO_WORKSPACE = "Error Code 1: Myelin (Tactic Selection: no tactics to implement the operation within workspace limit.)"
OUT_OF_MEMORY = (
    "[virtualMemoryBuffer.cpp::resizePhysical::145] Error Code 2: OutOfMemory (Requested size was 2147483648 bytes.)",
    "Requested amount of GPU memory (8589934592 bytes) could not be allocated. There may not be enough free memory.",
    "[defaultAllocator.cpp::allocate::31] Error Code 1: Cuda Runtime (out of memory)",
    "std::bad_alloc",
)


@dataclass(frozen=True)
class ParserErrorText:
    """One error as the parser gives it."""

    text: str
    name: str = ""
    operator: str = ""

    def desc(self) -> str:
        return self.text

    def node_name(self) -> str:
        return self.name

    def node_operator(self) -> str:
        return self.operator

    def code(self) -> str:
        return "INVALID_NODE"


@dataclass(frozen=True)
class FailedParser:
    """A parser after it refused a model."""

    errors: tuple[ParserErrorText, ...] = ()

    @property
    def num_errors(self) -> int:
        return len(self.errors)

    def get_error(self, index: int) -> ParserErrorText:
        return self.errors[index]


def test_parser_error_names_the_node_and_the_reason_without_the_echo() -> None:
    said = f"Invalid Node - a.add\nITensor::getDimensions: Error Code 4: must have same input types\n{ECHO}"
    error = parser_failure(FailedParser((ParserErrorText(said, "a.add", "Add"),)), "tensorrt 11.4")
    assert isinstance(error, Unsupported)
    assert str(error) == (
        "tensorrt 11.4 cannot parse node a.add (Add): ITensor::getDimensions: Error Code 4: must have same input types"
    )


@pytest.mark.parametrize(
    ("parser", "said"),
    [
        (FailedParser(), "the model, and does not say why"),
        (FailedParser((ParserErrorText("Failed to parse"),)), "the model: Failed to parse"),
        (FailedParser((ParserErrorText("", "x", "Foo"),)), "node x (Foo): INVALID_NODE"),
    ],
)
def test_parser_error_without_node_or_words(parser: FailedParser, said: str) -> None:
    assert str(parser_failure(parser, "v")) == f"v cannot parse {said}"


def test_parser_out_of_memory() -> None:
    error = parser_failure(FailedParser((ParserErrorText("std::bad_alloc", "x", "Conv"),)), "v")
    assert isinstance(error, BuildOutOfMemory)


@pytest.mark.parametrize("said", OUT_OF_MEMORY)
def test_build_out_of_memory(said: str) -> None:
    error = build_failure((NO_TACTIC, said), "v", workspace_bytes=None)
    assert isinstance(error, BuildOutOfMemory)
    assert isinstance(error, MemoryError)
    assert said in str(error)


@pytest.mark.parametrize("said", [NO_TACTIC, NO_WORKSPACE])
def test_missing_implementation_is_unsupported_and_names_the_workspace(said: str) -> None:
    error = build_failure((said, ECHO), "v", workspace_bytes=4 << 20)
    assert isinstance(error, Unsupported)
    assert str(error) == f"v built nothing: {said} within a workspace of 4 MiB"
    assert "MiB" not in str(build_failure((said,), "v", workspace_bytes=None))


def test_other_failures_are_builds_that_failed() -> None:
    error = build_failure(("Error Code 2: Internal Error (Assertion x failed)",), "v", workspace_bytes=None)
    assert type(error) is BuildFailed
    assert str(build_failure((), "v", workspace_bytes=None)) == "v built nothing: it does not say why"


def test_lost_device_ends_the_process() -> None:
    said = "Error Code 1: Cuda Runtime (an illegal memory access was encountered)"
    assert isinstance(build_failure((said,), "v", workspace_bytes=None), DeviceLost)


def test_long_words_are_cut() -> None:
    assert len(str(build_failure(("x" * 5000,), "v", workspace_bytes=None))) < 700


def test_reasons_are_errors_or_else_the_last_warnings() -> None:
    messages = Messages()
    for number in range(60):
        messages.add(f"warning {number}", error=False)
    assert messages.reasons() == ("warning 57", "warning 58", "warning 59")
    messages.add("error", error=True)
    assert messages.reasons() == ("error",)
    messages.clear()
    assert messages.reasons() == ()
