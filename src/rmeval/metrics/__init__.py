"""Where gold meets evidence. Numbers in, numbers out: no model, no file, no printing."""
