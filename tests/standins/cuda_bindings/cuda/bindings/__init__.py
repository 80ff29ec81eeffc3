"""Stands in for the package ``cuda-bindings`` of NVIDIA."""

__version__ = "13.0.0"
