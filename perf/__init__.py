"""Measurements of speed and memory, each against another way in the same run: `make perf`."""
