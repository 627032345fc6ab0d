"""Formulas of the benchmarks, which compute outcomes from evidence, and records from outcomes."""
