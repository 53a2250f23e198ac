"""The commands that talk to a running master, one file for each noun."""
