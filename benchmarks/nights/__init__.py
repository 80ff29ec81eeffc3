"""Quiet nights from real processes, and slow-downs put into them: what the benchmark of ``hyctas nightly`` does."""
