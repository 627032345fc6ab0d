"""The second stage: right and wrong responses from the same model."""
