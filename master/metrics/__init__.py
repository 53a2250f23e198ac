"""Figures for Prometheus: of the whole cluster on the master, of one execution on its controller."""
