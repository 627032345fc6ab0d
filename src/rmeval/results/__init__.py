"""What a run folder says: its numbers, comparisons, analyses and citations. Nothing here needs a model."""
