"""Scores and verdicts that others computed, as run folders."""
