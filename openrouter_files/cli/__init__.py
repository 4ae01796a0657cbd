"""The command line, on public names only."""
