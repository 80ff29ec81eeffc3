"""The runtimes that execute a graph: one file each."""
