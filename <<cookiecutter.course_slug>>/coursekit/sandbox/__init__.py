"""Runs the code of strangers: cells in, outputs out. Knows nothing of courses."""
