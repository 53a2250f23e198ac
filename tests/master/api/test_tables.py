"""Tables of text, byte for byte as recorded from Teraslice (dates and ids as there)."""

from __future__ import annotations

import pytest

from sliceworks.master.api.tables import columns_of, table

EXECUTIONS: list[dict[str, object]] = [
    {"ex_id": "93a5bb56-b1df-4c6c-a61f-9871c07e1af6", "_status": "running", "workers": 2, "active": False},
    {"ex_id": "277322e4-8c39-4114-b4da-029a3ad00286", "_status": "stopped", "labels": None},
]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(["ex_id", "_status"], EXECUTIONS) == (
        "ex_id                                 _status\n"
        "------------------------------------  -------\n"
        "93a5bb56-b1df-4c6c-a61f-9871c07e1af6  running\n"
        "277322e4-8c39-4114-b4da-029a3ad00286  stopped\n"
    )


def test_cells_are_padded_to_the_end_of_the_line() -> None:
    assert table(["nope"], EXECUTIONS[:1]) == "nope\n----\nN/A \n"
    assert table(["workers", "active", "labels"], EXECUTIONS) == (
        "workers  active  labels\n-------  ------  ------\n2        false   N/A   \nN/A      N/A     N/A   \n"
    )


def test_without_headers_they_take_no_room() -> None:
    rows = [{"lifecycle": "once", "slicers": 1}]
    assert table(["lifecycle", "slicers"], rows, headers=False) == "once  1\n"


def test_an_empty_table_has_one_blank_row() -> None:
    names = [
        "job_id",
        "name",
        "active",
        "lifecycle",
        "slicers",
        "workers",
        "_created",
        "_updated",
        "_deleted_on",
    ]
    assert table(names, []) == (
        "job_id  name  active  lifecycle  slicers  workers  _created  _updated  _deleted_on\n"
        "------  ----  ------  ---------  -------  -------  --------  --------  -----------\n"
        "                                                                                  \n"
    )
    assert table(["a", "b"], [], headers=False) == "  \n"


def test_assets_leave_out_what_is_missing() -> None:
    rows = [{"name": "rec-asset", "version": "0.2.0"}]
    assert table(["name", "version", "arch"], rows, missing="") == (
        "name       version  arch\n---------  -------  ----\nrec-asset  0.2.0        \n"
    )


def test_a_path_leads_into_a_document() -> None:
    rows = [{"stats": {"failed": 3}, "a.b": "whole", "list": [1, {"x": "é"}]}]
    assert table(["stats.failed", "a.b", "stats.failed.x", "list"], rows, headers=False) == (
        '3  whole  N/A  [1,{"x":"é"}]\n'
    )


def test_a_cell_stays_on_its_line() -> None:
    assert table(["name"], [{"name": "two\r\nlines\t\x1b[2J\u2028"}], headers=False) == "two  lines  [2J \n"


@pytest.mark.parametrize(
    ("fields", "columns"),
    [("", ["d"]), (",", ["d"]), ("a,b", ["a", "b"]), ("a b", ["a b"]), (" a , b", ["a", "b"])],
)
def test_columns_by_name(fields: str, columns: list[str]) -> None:
    assert columns_of(fields, ["d"]) == columns
