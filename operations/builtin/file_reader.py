"""Reads files: the slicer finds and cuts them, the fetcher reads its pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import Field

from sliceworks.operations.base import OperationSetup
from sliceworks.operations.builtin import decoding
from sliceworks.operations.builtin.byte_range import first_line, read_lines, read_whole
from sliceworks.operations.builtin.compression import Compression, compression_of, decompress
from sliceworks.operations.builtin.file_metadata import FileMetadata, TextPart
from sliceworks.operations.builtin.file_pieces import Piece, cut, pack
from sliceworks.operations.builtin.file_scan import find_files, what_is_wrong_with
from sliceworks.operations.builtin.formats import DELIMITERS, Format
from sliceworks.operations.builtin.memory import keep_freed_memory
from sliceworks.operations.options import StrictOptions
from sliceworks.operations.reader import Fetcher, Recovery, Slicer
from sliceworks.operations.record import RecordBatch, Records
from sliceworks.protocol.errors import Fault


class FileReaderOptions(StrictOptions):
    """What to read, and how."""

    path: str | list[str]
    """A file, a folder, a glob (`**` for folders of any depth), or a list of them."""
    exclude: list[str] = Field(default_factory=list)
    """Globs of files and folders to leave out: without a slash compared with names, with one with paths."""
    format: Format = Format.LDJSON
    """`ldjson` (a JSON object a line), `json` (one array a file), `csv`, `tsv`, `raw` (lines)."""
    size: int = Field(default=10_000_000, ge=1, le=1_000_000_000)
    """Bytes of each slice: bigger files are split at line feeds, smaller ones share a slice."""
    compression: Compression = Compression.AUTO
    """`auto`: by the end of the name (`.gz`, `.zst`); `none`, `gzip`, `zstd`: all files."""
    fields: list[str] = Field(default_factory=list)
    """`csv`, `tsv`: the names of the columns; without them the first line of each file names them."""
    field_delimiter: str | None = Field(default=None, pattern=r'^[^\n\r"]$')
    """`csv`, `tsv`: what separates values; a comma, a tab."""

    @property
    def paths(self) -> list[str]:
        """All paths."""
        return [self.path] if isinstance(self.path, str) else self.path

    def is_splittable(self, path: str) -> bool:
        """Whether a file can be read in parts."""
        is_plain = compression_of(path, self.compression) is Compression.NONE
        return is_plain and self.format is not Format.JSON

    def check(self, job: Mapping[str, Any]) -> Iterable[Fault]:
        """Paths that are not there, and a lifecycle in which files would never end."""
        if not self.paths or not all(self.paths):
            yield Fault("path", "must not be empty")
            return
        wrong = [found for path in self.paths if (found := what_is_wrong_with(path)) is not None]
        yield from (Fault("path", message) for message in wrong)
        if job.get("lifecycle") == "persistent":
            yield Fault("path", "files are read to their end: set the lifecycle of the job to once")


class FileReaderSlicer(Slicer):
    """Reads the files of a folder, a glob or a list, each once, in the order of their paths.

    A plain file with a record on each line is split at line feeds into slices of `size` bytes; a compressed
    file or a JSON array is in one slice; small files share one.  In folders, names that begin with a dot
    are left out, and links are not followed, unless a path names them.  A relative path is relative to
    where the daemon was started; on several nodes it must be on a shared file system.

    Text is UTF-8, wrong bytes are replaced.  A line ends at a line feed; a carriage return before it
    belongs to the end.  A record of `raw` is `{"data": line}`.  Metadata of a record are `path` and
    `offset` (of its line, in the decompressed text).  In `csv` and `tsv`, a quoted value may hold a line
    feed only if its file fits into one slice.

    A file that is gone or changed since it was found fails its slice; what is appended meanwhile is left
    out.  It can be recovered.
    """

    Options = FileReaderOptions
    op_config: FileReaderOptions
    _requests: Iterator[dict[str, Any]]

    def is_recoverable(self) -> bool:
        """Yes: the order of files never changes, so the last request says where to go on."""
        return True

    def initialize(self, recovery: Recovery) -> None:
        """Begin with the first file, or after the last piece of the last request."""
        last = recovery[0]["last_slice"] if recovery else None
        options = self.op_config
        files = find_files(options.paths, options.exclude)
        last_piece = last["files"][-1] if last else None
        pieces = cut(files, size=options.size, can_split=options.is_splittable, last=last_piece)
        self._requests = pack(pieces, size=options.size)

    def slice(self) -> dict[str, Any] | None:
        """The next request."""
        return next(self._requests, None)


class FileReaderFetcher(Fetcher):
    """Reads the pieces of a request; metadata are `path` and `offset` (in the decompressed text)."""

    Options = FileReaderOptions
    op_config: FileReaderOptions
    makes_cycles = False

    def __init__(self, setup: OperationSetup) -> None:
        super().__init__(setup)
        options = self.op_config
        self._delimiter = options.field_delimiter or DELIMITERS.get(options.format, ",")

    def initialize(self) -> None:
        """Tell the allocator what is to come."""
        keep_freed_memory()

    def fetch(self, request: dict[str, list[Piece]]) -> Records:
        """The records of all pieces, in order."""
        records: Records = []
        metadata = FileMetadata()
        for piece in request["files"]:
            part = self._read(piece)
            decoded = self._decode(part, piece)
            metadata.add(len(records), part, decoded.lines)
            records += decoded.records
        return RecordBatch(records, metadata)

    def _read(self, piece: Piece) -> TextPart:
        path = piece["path"]
        if self.op_config.is_splittable(path):
            return TextPart(path, *read_lines(piece))
        try:
            return TextPart(
                path, 0, decompress(read_whole(piece), compression_of(path, self.op_config.compression))
            )
        except ValueError as error:
            message = f"{path} {error}"
            raise ValueError(message) from error

    def _decode(self, part: TextPart, piece: Piece) -> decoding.Decoded:
        def reject(line: int, record: Any, error: Exception) -> None:
            message = f"{part.path}, byte {part.offset_of(line)}: {error}"
            self.reject_record(record, ValueError(message))

        match self.op_config.format:
            case Format.RAW:
                return decoding.decode_raw(part.data)
            case Format.LDJSON:
                return decoding.decode_ldjson(part.data, reject)
            case Format.JSON:
                return decoding.decode_json(part.data, reject)
            case Format.CSV | Format.TSV:
                fields = self._fields(part, piece)
                return decoding.decode_csv(
                    part.data,
                    fields=fields,
                    delimiter=self._delimiter,
                    skips_header=piece["start"] == 0,
                    reject=reject,
                )

    def _fields(self, part: TextPart, piece: Piece) -> list[str]:
        """The names of the columns: those of the options, or those in the first line of the file."""
        if self.op_config.fields:
            return self.op_config.fields
        line = first_line(piece) if piece["start"] > 0 else part.data.partition(b"\n")[0]
        return decoding.header_of(line, self._delimiter)
