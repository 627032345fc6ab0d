"""Shapes of preference data: which columns hold the prompt and the responses, and which response is the better."""
