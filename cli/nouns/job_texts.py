"""Jobs in files and on stdin: one, a list of them, or several one after the other (NDJSON)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from sliceworks.protocol.errors import InvalidError


@dataclass(frozen=True, slots=True)
class JobText:
    """One job: its JSON text as it was written, and what to call it."""

    text: bytes
    label: str


def jobs_in(data: bytes, name: str) -> list[JobText]:
    """The jobs of a file; InvalidError names the file, line and column of what is wrong."""
    pieces = list(_documents(data, name))
    if not pieces:
        message = f"{name} has no job in it"
        raise InvalidError(message)
    if len(pieces) == 1:
        return [JobText(pieces[0], name)]
    return [JobText(piece, f"{name}, job {number}") for number, piece in enumerate(pieces, start=1)]


def _documents(data: bytes, name: str) -> Iterator[bytes]:
    """The text of each document; those of a list are written anew."""
    text = _decoded(data, name)
    decoder = json.JSONDecoder()
    place = _begin(text, 0)
    while place < len(text):
        try:
            document, end = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            message = f"{name} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
            raise InvalidError(message) from error
        if isinstance(document, list):
            yield from (json.dumps(job).encode() for job in document)
        else:
            yield text[place:end].encode()
        place = _begin(text, end)


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{name} is not UTF-8: byte {error.start}"
        raise InvalidError(message) from error


def _begin(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place
