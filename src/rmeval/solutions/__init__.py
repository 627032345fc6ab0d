"""What responses to problems state: final answers and code, and whether an answer equals a key."""
