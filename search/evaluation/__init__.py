"""How good a network is: batch norms recalibrated, mIoU over validation images."""
