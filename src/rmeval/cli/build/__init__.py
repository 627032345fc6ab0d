"""`rmeval build` and its subcommands."""
