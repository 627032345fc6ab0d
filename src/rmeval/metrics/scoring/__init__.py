"""Formulas of the benchmarks: from evidence to outcomes, and from outcomes to records."""
