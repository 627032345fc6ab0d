"""Checks of a checkpoint that find causes of wrong scores."""
