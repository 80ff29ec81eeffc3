"""Evolution over architectures: variation that never leaves the space, NSGA-II with niches, baselines, fronts."""
