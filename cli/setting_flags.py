"""What each setting is for, by its key.  Made from `protocol/settings.py` by `make docs`."""

from typing import Final

# fmt: off
# ruff: noqa: E501
MEANINGS: Final = {
    "name": "name of the cluster",
    "hostname": "how other hosts reach this one",
    "bind": "address that every listener of this host binds to",
    "port": "port of the master; 0: any free one",
    "master_hostname": "where worker daemons find the master",
    "workers": "slots of this node; default: the number of its CPUs",
    "action_timeout": "without effect, taken because Teraslice has it: what is wanted is told until it is done",
    "network_latency_buffer": "added to a timeout when its answer travels over the network",
    "node_disconnect_timeout": "how long a node may be cut off before its workers are ended and placed elsewhere",
    "node_state_interval": "the heartbeat of every connection; three silent ones end it",
    "shutdown_timeout": "how long a slice in hand may take when a worker, job or daemon is stopped",
    "slicer_timeout": "fail an execution when no worker joins it for so long; 0: wait for ever",
    "worker_disconnect_timeout": "fail an execution when all its workers are gone for so long; 0: wait for ever",
    "lease_timeout": "how long a silent node keeps its slices before others get them",
    "slicer_port_range": "ports for the execution controllers, `first:last`",
    "analytics_rate": "how often a controller writes the times of its operations down",
    "data_dir": "the only folder written to; default: /var/lib/sliceworks or the user's state folder",
    "assets_directory": "where assets are kept; default: `assets` under data_dir",
    "autoload_directory": "assets that the master loads when it starts; default: `autoload` under data_dir",
    "api_response_timeout": "how long an API request may take before it is answered with an error",
    "metrics_port": "where a worker daemon serves /metrics for Prometheus; 0: nowhere",
    "log_level": "the lowest level that is logged",
    "log_format": "`auto`: columns on a terminal, else JSON lines",
    "state.url": "the store: `sqlite` (under data_dir) or `postgresql://…`",
    "state.durability": "what an acknowledgement survives: `full` a power cut, `process` deaths of processes",
    "state.keep_completed": "without effect so far: completed slices stay as long as the store of their execution",
}
