"""Reading a job: what is malformed is told with its place."""

from __future__ import annotations

import pytest

from sliceworks.cli.job_file import parse_job
from sliceworks.protocol.errors import InvalidError


def test_reads_json() -> None:
    assert parse_job('{"name": "å"}'.encode(), "job.json") == {"name": "å"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b'{"a": 1,}', "line 1, column 9"),
        (b'{\n  "a": x\n}', "line 2, column 8"),
        (b"", "line 1, column 1"),
        (b'{"a": 1} {', "line 1, column 10"),
    ],
)
def test_malformed_json_is_told_with_line_and_column(text: bytes, place: str) -> None:
    with pytest.raises(InvalidError, match=f"job.json is not JSON: {place}"):
        parse_job(text, "job.json")


def test_what_is_not_utf8_is_told_with_the_byte() -> None:
    with pytest.raises(InvalidError, match=r"job\.json is not UTF-8: byte 2"):
        parse_job(b'{"\xff": 1}', "job.json")
