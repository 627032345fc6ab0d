"""Leaderboards: rows of runs and published results, and a static site made from bundles."""
