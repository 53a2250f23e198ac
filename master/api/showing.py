"""Executions as the API shows them: what is stored, and the newest that a connected controller has said."""

from __future__ import annotations

from typing import Final

from sliceworks.master.api.context import Api
from sliceworks.master.api.rendering import Json, execution_json
from sliceworks.master.store.records import StoredExecution

_DELETED: Final = "_deleted"


def shown_execution(api: Api, stored: StoredExecution) -> Json:
    """The document of an execution."""
    live = api.view.controller(stored.row.ex_id)
    statistics = live.statistics if live else None
    return execution_json(stored, api.settings.hostname, trouble=api.store.trouble, live=statistics)


def shown_fields(api: Api, stored: StoredExecution, fields: str) -> Json:
    """The document cut to the named fields, no names: all of it.

    A deleted execution is empty, but only to who could see that it is deleted: clients are used to it.
    """
    names = [name.strip() for name in fields.split(",") if name.strip()]
    if stored.deleted_ms is not None and (not names or _DELETED in names):
        return {}
    document = shown_execution(api, stored)
    return {name: document[name] for name in names if name in document} if names else document
