"""Audits of judges and reward models: what changes a verdict although the better response stays the same."""
