"""One page on a search: its fronts, how it got there, how far to trust them, and the networks drawn."""
