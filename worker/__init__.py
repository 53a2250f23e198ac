"""The worker daemon: the one process of a host that speaks the network protocol, and its workers."""
