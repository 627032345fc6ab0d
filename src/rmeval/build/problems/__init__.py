"""The first stage: problems from files, filtered."""
