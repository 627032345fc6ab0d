"""Records for people: tables for the terminal."""
