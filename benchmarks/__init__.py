"""What the figures in the README and the changelog come from; each prints a table and writes JSON."""
