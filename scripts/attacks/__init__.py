"""Attacks on rmeval, by what is attacked; `scripts/attack.py` runs them."""
