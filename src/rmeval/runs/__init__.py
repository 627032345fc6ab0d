"""Plans and runs evaluations, and scores files of conversations. See docs/run-folder.md for the format."""
