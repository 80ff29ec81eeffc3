"""Networks as they are deployed: ONNX with trained weights, and mIoU under a runtime or at a precision."""
