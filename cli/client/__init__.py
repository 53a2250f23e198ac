"""A typed, asynchronous client of the HTTP API: what programs import, and what the commands are made of."""

from sliceworks.cli.client.assets import Assets, Deployed
from sliceworks.cli.client.client import DEFAULT_URL, Client
from sliceworks.cli.client.cluster import Cluster
from sliceworks.cli.client.documents import (
    Asset,
    ClusterInfo,
    ClusterSums,
    Controller,
    Counts,
    Document,
    Execution,
    Job,
    LogLevel,
    Node,
    Process,
    Slice,
    Started,
    Stopped,
)
from sliceworks.cli.client.executions import Executions
from sliceworks.cli.client.jobs import Jobs
from sliceworks.cli.client.paging import Listing
from sliceworks.cli.client.steering import CleanupType

__all__ = [
    "DEFAULT_URL",
    "Asset",
    "Assets",
    "CleanupType",
    "Client",
    "Cluster",
    "ClusterInfo",
    "ClusterSums",
    "Controller",
    "Counts",
    "Deployed",
    "Document",
    "Execution",
    "Executions",
    "Job",
    "Jobs",
    "Listing",
    "LogLevel",
    "Node",
    "Process",
    "Slice",
    "Started",
    "Stopped",
]
