"""The supernet: one set of maximum-size parameters that every architecture of a space runs on slices of."""
