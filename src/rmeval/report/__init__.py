"""Views of records, and their renderers."""
