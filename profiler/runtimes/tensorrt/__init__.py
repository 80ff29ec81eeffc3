"""TensorRT 10 and 11, and TensorRT-RTX, on NVIDIA GPUs."""
