"""Nightly work: canaries that tell whether a target got slower, and whatever is missing, stale or unstable."""
