"""Writes records to files in a folder."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from sliceworks.operations.base import OperationSetup
from sliceworks.operations.builtin import encoding
from sliceworks.operations.builtin.compression import Compression, compress, compression_of, with_suffix
from sliceworks.operations.builtin.formats import DELIMITERS, EXTENSIONS, Format
from sliceworks.operations.builtin.journal import repair
from sliceworks.operations.builtin.output import AppendedFile, replace_file
from sliceworks.operations.options import StrictOptions
from sliceworks.operations.processors import BatchProcessor
from sliceworks.operations.record import Records
from sliceworks.protocol.errors import Fault
from sliceworks.protocol.ids import SliceId


class FileExporter(BatchProcessor):
    """Writes records to files in a folder, and passes them on.

    The output of a slice is written whole or not at all, and is on disk before the slice counts as done
    unless `state.durability` is `process`.  One file for each worker, or with `file_per_slice` one for each
    slice; there a slice that is tried again replaces its file, so that its lines are never there twice.
    Files whose names begin with a dot are none of the output.
    """

    class Options(StrictOptions):
        """Where to, and how."""

        path: str = Field(min_length=1)
        """The folder; made if it is not there."""
        format: Format = Format.LDJSON
        """`ldjson`, `json` (needs `file_per_slice`), `csv`, `tsv`, `raw` (the field `data`)."""
        file_per_slice: bool = False
        """One file for each slice, named by its id, instead of one for each worker."""
        extension: str | None = Field(default=None, pattern=r"^[^/\x00]*$")
        """The end of the files' names; by the format: `.ldjson`, `.json`, `.csv`, `.tsv`, `.txt`."""
        compression: Compression = Compression.AUTO
        """`gzip`, `zstd`, `none`; `auto`: by `extension`."""
        fields: list[str] = Field(default_factory=list)
        """The fields to write, in this order; what a record lacks is taken from its metadata.  None: all."""
        field_delimiter: str | None = Field(default=None, pattern=r'^[^\n\r"]$')
        """`csv`, `tsv`: what separates values; a comma, a tab."""
        include_header: bool = False
        """`csv`, `tsv`: whether each file begins with the names of its columns."""

        @property
        def suffix(self) -> str:
            """The end of the files' names, that of the compression included."""
            wanted = EXTENSIONS[self.format] if self.extension is None else self.extension
            dotted = f".{wanted}" if wanted and not wanted.startswith(".") else wanted
            return with_suffix(dotted, self.final_compression)

        @property
        def final_compression(self) -> Compression:
            """How the files are compressed."""
            return compression_of(f"x.{self.extension or ''}", self.compression)

        def check(self, job: Mapping[str, Any]) -> Iterable[Fault]:
            """A path that is no folder, and arrays in files that are added to."""
            if Path(self.path).exists() and not Path(self.path).is_dir():
                yield Fault("path", f"{self.path} is a file, a folder is wanted")
            if self.format is Format.JSON and not self.file_per_slice:
                yield Fault("file_per_slice", "must be true for the format json: a file holds one array")

    op_config: Options
    keeps_batches = True
    makes_cycles = False

    def __init__(self, setup: OperationSetup) -> None:
        super().__init__(setup)
        options = self.op_config
        self._folder = Path(options.path)
        self._delimiter = options.field_delimiter or DELIMITERS.get(options.format, ",")
        self._file: AppendedFile | None = None
        self._columns: list[str] = []
        self._slice_id = ""

    def initialize(self) -> None:
        """Make the folder, and cut off what killed workers of this node left half written in it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._repair()

    def shutdown(self) -> None:
        """End the file of this worker."""
        if self._file:
            self._file.close()
        self._repair()

    def on_slice_started(self, slice_id: SliceId) -> None:
        """Remember its name."""
        self._slice_id = slice_id

    def on_slice_failed(self, slice_id: SliceId) -> None:
        """Forget it."""
        self._slice_id = ""

    def on_batch(self, records: Records) -> Records:
        """The records, once they are written."""
        if self.op_config.file_per_slice:
            self._write_slice(records)
        elif records:
            self._append(records)
        return records

    def _append(self, records: Records) -> None:
        if self._file is None or self._file.is_broken:
            self._file = self._next_file()
            self._columns = []
        columns = self._columns or self._columns_of(records)
        data = self._encode(records, columns, header=self._file.length == 0)
        if data:
            self._file.append(data)
            self._columns = columns

    def _write_slice(self, records: Records) -> None:
        # without a slice in hand, the records are what an operation before held back until its flush
        name = self._slice_id or f"flush-{secrets.token_hex(8)}"
        self._slice_id = ""
        path = self._folder / f"{name}{self.op_config.suffix}"
        data = self._encode(records, self._columns_of(records), header=True) if records else b""
        if data:
            replace_file(path, data, durable=self.context.durable)
        else:
            path.unlink(missing_ok=True)  # an earlier try may have had records

    def _encode(self, records: Records, columns: list[str], *, header: bool) -> bytes:
        options, reject = self.op_config, self.reject_record
        if options.fields and options.format is not Format.RAW:
            records = encoding.only_fields(records, options.fields)
        match options.format:
            case Format.RAW:
                data = encoding.encode_raw(records, reject)
            case Format.LDJSON:
                data = encoding.encode_ldjson(records, reject)
            case Format.JSON:
                data = encoding.encode_json(records, reject)
            case Format.CSV | Format.TSV:
                data = encoding.encode_csv(
                    records,
                    columns=columns,
                    delimiter=self._delimiter,
                    header=header and options.include_header,
                    reject=reject,
                )
        return compress(data, options.final_compression) if data else b""

    def _columns_of(self, records: Records) -> list[str]:
        """The columns of a new file."""
        if self.op_config.format not in DELIMITERS:
            return []
        return self.op_config.fields or encoding.columns_of(records)

    def _next_file(self) -> AppendedFile:
        if self._file:
            self._file.close()
        context = self.context
        name = f"{context.hostname}-{context.worker_id}-{secrets.token_hex(6)}{self.op_config.suffix}"
        path = self._folder / name.replace("/", "_")
        return AppendedFile(path, node_id=context.node_id, durable=context.durable)

    def _repair(self) -> None:
        for path in repair(self._folder, self.context.node_id):
            self.logger.warning("half_written_output_cut_off", path=str(path))
