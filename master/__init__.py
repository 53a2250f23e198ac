"""The cluster master, and the execution controllers that it spawns."""
