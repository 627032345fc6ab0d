"""Plain data that every layer shares: items, observations and evidence as columns, rows of files, digests."""
