"""The HTTP API of the master: one file a resource; handlers parse, call one thing, and render."""
