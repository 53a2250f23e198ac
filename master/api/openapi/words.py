"""What the document says in words."""

from __future__ import annotations

from typing import Final

from sliceworks.master.api.description import Schema

ABOUT: Final = (
    "Shows and steers a Sliceworks cluster. "
    "Every path is served with and without the prefix `/v1`, and every GET also as HEAD. "
    "Bodies are read as JSON whatever their `Content-Type` says, except zips. "
    'An error is `{"error": status, "message": text}`, also for unknown paths (404) and methods (405); '
    "503 comes while the state store cannot be reached, with `Retry-After`. "
    "Query options that a path does not have are ignored; an empty option counts as none."
)

SERVERS: Final[list[Schema]] = [
    {"url": "/", "description": "this master"},
    {"url": "/v1", "description": "the same"},
]

TAGS: Final = {
    "cluster": "What the cluster is, who is in it, what it did.",
    "jobs": "Stored definitions of work.",
    "executions": "Runs of jobs.",
    "slices": "Units of work of executions, and what became of each.",
    "assets": "Bundles of operations.",
    "tables": "The lists as text, for people and shell scripts.",
    "service": "The service itself.",
}

PATH_PARAMETERS: Final[dict[str, tuple[str, Schema]]] = {
    "ex_id": ("an execution", {}),
    "job_id": ("a job", {}),
    "node_id": ("a worker daemon", {}),
    "asset_id": ("the SHA-1 of an asset's zip, in hex", {}),
    "name": ("the name of an asset; `*` stands for any characters", {}),
    "version": ("the version of an asset; `*` stands for any characters", {}),
}

ERRORS: Final = {
    200: "Done.",
    201: "New.",
    400: "An option, a path or the body is wrong; `faults` lists everything that is.",
    404: "It does not exist, or has nothing of what was asked for.",
    409: "Its status does not allow this now.",
    410: "It was deleted.",
    413: "The body is too large.",
    422: "It can never be accepted as sent.",
    500: "A fault of the service; the log has it under `request_id`.",
    503: "It cannot be done now, and can be later.",
}
