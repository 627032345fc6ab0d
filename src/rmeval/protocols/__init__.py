"""Protocols: how a benchmark's items become questions to a model, and its raw answers observations."""
