"""Import of scores and verdicts that were computed elsewhere, as run folders."""
