"""The page of an item: its texts, scores, comparisons, token scores and judges' texts."""
