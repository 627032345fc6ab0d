"""Data structures of every layer: items, observations and evidence as columns, rows of files, digests."""
