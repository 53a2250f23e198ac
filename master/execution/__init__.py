"""The execution controller: one process that runs one execution."""
