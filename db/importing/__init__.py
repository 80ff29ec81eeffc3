"""Measurements of others become rows: one file a format, and one that stores what they read."""
