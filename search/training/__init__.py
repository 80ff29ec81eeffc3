"""Training of the supernet and of networks of their own, with one loop."""
