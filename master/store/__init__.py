"""The state store: `cluster.db`, written by the master alone, and one file per execution, written by its controller."""
