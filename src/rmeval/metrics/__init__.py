"""Metrics: computed from gold labels and evidence, without models, files or printing."""
