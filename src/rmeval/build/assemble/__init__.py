"""The last stage: the benchmark's files, its gates and its card."""
