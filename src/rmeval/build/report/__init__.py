"""What a build cost, and what its benchmark is worth."""
