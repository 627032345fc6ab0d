"""Checks of a checkpoint before its numbers are believed."""
