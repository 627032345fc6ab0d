"""The run folder on disk: manifest, items, requests, journal, scores and the lock."""
