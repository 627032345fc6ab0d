"""Generative judges: language models whose verdicts are the observations."""
