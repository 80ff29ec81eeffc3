"""Which network is best: supernet, data sets, training, evolution, and the front with its re-measurement."""
