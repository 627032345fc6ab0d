"""Statistics: intervals, tests, bias, calibration and correlation."""
