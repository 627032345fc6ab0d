"""Measurements of speed and memory, each compared with another method in the same run: `make perf`."""
