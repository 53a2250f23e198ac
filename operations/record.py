"""Records and their metadata.

A record is a dict; a batch is a list of records.  Metadata (where a record came from, for instance) would
cost more than most records if each carried its own, so a reader may return a `RecordBatch`: plain dicts,
and one source for the metadata of them all.  Built-in operations keep such a batch as it is; any other
operation gets it as a list of `DataEntity`, each of which makes its metadata when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

Record: TypeAlias = dict[str, Any]
Records: TypeAlias = list[Record]
Metadata: TypeAlias = dict[str, Any]


class MetadataSource(Protocol):
    """Makes the metadata of records that it knows by their places."""

    def metadata_at(self, place: int) -> Metadata:
        """A fresh dict for the record that was read as number `place` (from 0)."""
        ...


class DataEntity(dict[str, Any]):
    """A record with metadata.  Two entities are equal when their data are; metadata are not compared."""

    __slots__ = ("_metadata", "_place", "_source")

    _metadata: Metadata | None
    _source: MetadataSource | None
    _place: int

    def __init__(
        self, data: Mapping[str, Any] | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data or {})
        self._metadata = dict(metadata or {})
        self._source = None
        self._place = 0

    @classmethod
    def from_source(cls, data: Record, source: MetadataSource, place: int) -> DataEntity:
        """An entity that asks `source` for its metadata when they are needed."""
        entity = cls.__new__(cls)
        entity.update(data)
        entity._metadata = None
        entity._source = source
        entity._place = place
        return entity

    @property
    def metadata(self) -> Metadata:
        """The metadata, to read and to change."""
        if self._metadata is None:
            self._metadata = self._source.metadata_at(self._place) if self._source else {}
        return self._metadata

    def get_metadata(self, key: str, default: Any = None) -> Any:
        """One value of the metadata, `default` if it is not there."""
        return self.metadata.get(key, default)

    def set_metadata(self, key: str, value: Any) -> None:
        """Set one value of the metadata; nothing else sees it."""
        self.metadata[key] = value


class RecordBatch(list[Record]):
    """Plain records with one source of metadata; never reordered in place: `select` makes a smaller one."""

    __slots__ = ("_places", "_source")

    def __init__(
        self, records: Iterable[Record], source: MetadataSource, places: Sequence[int] | None = None
    ) -> None:
        super().__init__(records)
        self._source = source
        self._places = range(len(self)) if places is None else places

    def metadata_of(self, index: int) -> Metadata:
        """The metadata of the record at `index` of this batch."""
        return self._source.metadata_at(self._places[index])

    def select(self, indexes: Iterable[int]) -> RecordBatch:
        """The batch of the records at these indexes."""
        chosen = list(indexes)
        places = self._places
        return RecordBatch([self[i] for i in chosen], self._source, [places[i] for i in chosen])

    def replaced(self, records: Iterable[Record], indexes: Sequence[int]) -> RecordBatch:
        """A batch of other records, with the metadata of those at these indexes."""
        places = self._places
        return RecordBatch(records, self._source, [places[i] for i in indexes])

    def entities(self) -> list[DataEntity]:
        """The records as entities; their metadata are made when asked for."""
        source = self._source
        return [
            DataEntity.from_source(record, source, place)
            for record, place in zip(self, self._places, strict=True)
        ]


def metadata_of(records: Records, index: int) -> Metadata:
    """The metadata of the record at `index` of any batch; {} if it has none."""
    if isinstance(records, RecordBatch):
        return records.metadata_of(index)
    record = records[index]
    return record.metadata if isinstance(record, DataEntity) else {}


def select(records: Records, indexes: Iterable[int]) -> Records:
    """The records at these indexes; a `RecordBatch` stays one."""
    if isinstance(records, RecordBatch):
        return records.select(indexes)
    return [records[i] for i in indexes]


def replaced(records: Records, others: Records, indexes: Sequence[int]) -> Records:
    """Other records in place of those at these indexes; they take over the metadata that there is."""
    if isinstance(records, RecordBatch):
        return records.replaced(others, indexes)
    return [
        DataEntity(other, metadata_of(records, index)) if isinstance(records[index], DataEntity) else other
        for other, index in zip(others, indexes, strict=True)
    ]
