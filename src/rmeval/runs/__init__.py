"""Run folders: what was asked, what came back, and the numbers made of it. See docs/run-folder.md for the format."""
