"""Rendering: messages and comparisons as the token ids that a network gets, the same for every engine."""
