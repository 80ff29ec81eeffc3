"""Messages of runtimes that mean that memory ran out, and those that do not."""

from __future__ import annotations

import pytest

from profiler.faults import is_out_of_memory


@pytest.mark.parametrize(
    "text",
    [
        "MemoryError: ",
        "std::bad_alloc",
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.68 GiB",
        "RuntimeError: CUDA error: out of memory",
        "cudaErrorMemoryAllocation (2)",
        "pycuda._driver.MemoryError: cuMemAlloc failed: out of memory",
        "[defaultAllocator.cpp::allocate::31] Error Code 1: Cuda Runtime (out of memory)",
        "Requested amount of GPU memory (8589934592 bytes) could not be allocated. There may not be enough free memory",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "bfc_arena.cc:376 AllocateRawInternal Failed to allocate memory for requested buffer of size 4294967296",
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 68719476736 bytes. Error code 12 "
        "(Cannot allocate memory)",
        "the allocation failed",
    ],
)
def test_memory_that_ran_out_is_recognised(text: str) -> None:
    assert is_out_of_memory(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Could not find any implementation for node conv.",
        "the allocator of type 3 is not supported",
        "an illegal memory access was encountered",
        "weights are allocated twice. The build failed",
    ],
)
def test_other_errors_are_not_about_memory(text: str) -> None:
    assert not is_out_of_memory(text)
