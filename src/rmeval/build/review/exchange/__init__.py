"""Review in other tools: items are exported to their formats, and their annotations are imported as verdicts."""
