"""The `sliceworks` command."""
