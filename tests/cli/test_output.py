"""What commands print."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from sliceworks.cli.output import Style, print_document, print_rows

ROWS: list[dict[str, Any]] = [
    {"id": str(uuid.uuid4()), "name": "first", "tags": ["a"], "none": None},
    {"id": str(uuid.uuid4()), "name": "[bold]second[/bold]"},
]


def test_ndjson_is_a_document_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, ["id"], Style.NDJSON)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == ROWS


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, ["id"], Style.JSON)
    assert json.loads(capsys.readouterr().out) == ROWS


def test_a_table_has_the_columns_and_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, ["id", "name", "tags", "none"], Style.TABLE)
    header, _, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["id", "name", "tags", "none"]
    assert first.split() == [ROWS[0]["id"], "first", '["a"]']
    assert second.split() == [ROWS[1]["id"], "[bold]second[/bold]"]


def test_no_rows_are_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([], ["id"], Style.NDJSON)
    assert capsys.readouterr().out == ""
    print_rows([], ["id"], Style.TABLE)
    assert "id" in capsys.readouterr().out


@pytest.mark.parametrize(("document", "text"), [("done", '"done"\n'), ({"a": 1}, '{"a": 1}\n')])
def test_a_document_on_a_pipe_is_json(capsys: pytest.CaptureFixture[str], document: Any, text: str) -> None:
    print_document(document, Style.NDJSON)
    assert capsys.readouterr().out == text


def test_a_document_as_a_table_has_a_line_for_each_field(capsys: pytest.CaptureFixture[str]) -> None:
    print_document({"a": 1, "b": "x"}, Style.TABLE)
    assert [line.split() for line in capsys.readouterr().out.splitlines()[2:]] == [["a", "1"], ["b", "x"]]
    print_document("5 workers have been add", Style.TABLE)
    assert capsys.readouterr().out == "5 workers have been add\n"
