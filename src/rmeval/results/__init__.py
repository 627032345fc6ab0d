"""Results of run folders: numbers, comparisons, analyses and citations, without a model."""
