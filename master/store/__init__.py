"""The state store: the cluster's, written by the master, and each execution's, written by its controller."""
