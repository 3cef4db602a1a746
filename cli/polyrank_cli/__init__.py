"""The command line of polyrank: one file per verb; it parses, calls and prints."""
