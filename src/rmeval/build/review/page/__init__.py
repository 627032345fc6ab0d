"""The local web page on which people judge items."""
