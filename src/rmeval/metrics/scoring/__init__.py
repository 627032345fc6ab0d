"""The benchmarks' formulas: from evidence to outcomes, and from outcomes to records."""
