"""Sweeps: many models on many benchmarks, one process after the other."""
