"""Reward models behind a server, called by URL."""
