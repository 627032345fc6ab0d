"""Simulations of what intervals and tests promise; each module prints a Markdown table."""
