"""Sharing measurements between databases: a document of lines, how one is written, and how it is merged."""
