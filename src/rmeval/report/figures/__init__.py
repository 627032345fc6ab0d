"""Figures of runs, analyses and comparisons, drawn with matplotlib (extra `plots`)."""
