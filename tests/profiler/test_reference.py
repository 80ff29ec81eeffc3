"""The reference workloads."""

from __future__ import annotations

import numpy as np
import pytest

from profiler.reference import SINGLE_THREAD, ComputeReference, MemoryReference, reference_id


def test_compute_reference_multiplies_the_same_matrices_every_time() -> None:
    first, second = ComputeReference.create(), ComputeReference.create()
    first.run()
    second.run()
    np.testing.assert_array_equal(first.product, second.product)
    np.testing.assert_allclose(first.product, first.left @ first.right, rtol=1e-5)


def test_memory_reference_stays_finite_for_ever() -> None:
    reference = MemoryReference.create()
    for _ in range(3):
        reference.run()
    assert reference.total.min() == reference.total.max() == 1.0


def test_memory_reference_is_larger_than_common_caches() -> None:
    reference = MemoryReference.create()
    assert reference.source.nbytes + reference.total.nbytes >= 3 * 32 * 2**20


def test_name_carries_what_could_change_the_speed() -> None:
    name = reference_id()
    assert np.__version__ in name
    assert "blas" in name.lower() or "mkl" in name.lower()
    assert name == reference_id()


@pytest.mark.parametrize("library", ["OPENBLAS", "MKL", "OMP"])
def test_measuring_processes_start_on_one_thread(library: str) -> None:
    assert SINGLE_THREAD[f"{library}_NUM_THREADS"] == "1"


def test_reference_id_names_numpys_blas_whoever_else_has_one() -> None:
    before = reference_id()
    import scipy.linalg

    scipy.linalg.inv([[2.0]])
    assert reference_id() == before
