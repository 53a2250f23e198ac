"""The operations that are built in, one file each, and what the file operations share."""
