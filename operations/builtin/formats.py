"""The formats of the file operations."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """How records are written in a file."""

    LDJSON = "ldjson"
    """One JSON object a line."""
    JSON = "json"
    """The whole file is one JSON array of objects."""
    CSV = "csv"
    """Values separated by commas, quoted where needed."""
    TSV = "tsv"
    """The same with tabs."""
    RAW = "raw"
    """One record a line, as text in the field `data`."""


DELIMITERS = {Format.CSV: ",", Format.TSV: "\t"}
EXTENSIONS = {
    Format.LDJSON: ".ldjson",
    Format.JSON: ".json",
    Format.CSV: ".csv",
    Format.TSV: ".tsv",
    Format.RAW: ".txt",
}
