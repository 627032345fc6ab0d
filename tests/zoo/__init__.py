"""Tiny checkpoints in the layouts of published reward models, and the scores that public code gave for them."""
