"""Checks of a checkpoint for causes of wrong scores."""
