"""The fourth stage: human review."""
