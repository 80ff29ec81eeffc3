"""Stands in for PyCUDA on a simulated device; see :mod:`pycuda.driver`."""

VERSION_TEXT = "2026.1"
