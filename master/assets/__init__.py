"""Assets: bundles of operations that are uploaded, checked, kept, and named by jobs."""
