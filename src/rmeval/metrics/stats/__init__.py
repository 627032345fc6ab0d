"""Intervals, tests, bias, calibration and correlation: what numbers say of one another."""
