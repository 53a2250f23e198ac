"""Records, batches, and metadata that are made on demand."""

from __future__ import annotations

import orjson

from sliceworks.operations import DataEntity, RecordBatch
from sliceworks.operations.record import Metadata, metadata_of, select


class Source:
    def __init__(self) -> None:
        self.asked: list[int] = []

    def metadata_at(self, place: int) -> Metadata:
        self.asked.append(place)
        return {"place": place}


def batch(source: Source) -> RecordBatch:
    return RecordBatch([{"n": n} for n in range(5)], source)


def test_an_entity_is_a_dict_with_metadata() -> None:
    entity = DataEntity({"a": 1}, {"path": "x"})
    assert entity == {"a": 1}
    assert orjson.dumps(entity) == b'{"a":1}'
    entity.set_metadata("offset", 3)
    assert entity.metadata == {"path": "x", "offset": 3}
    assert entity.get_metadata("missing", "default") == "default"
    assert DataEntity().metadata == {}


def test_metadata_are_made_when_asked_for_and_once() -> None:
    source = Source()
    entities = batch(source).entities()
    assert source.asked == []
    entities[3].set_metadata("more", 1)
    assert entities[3].metadata == {"place": 3, "more": 1}
    assert source.asked == [3]


def test_a_selection_keeps_the_metadata_of_its_records() -> None:
    chosen = batch(Source()).select([1, 3, 4]).select([0, 2])
    assert chosen == [{"n": 1}, {"n": 4}]
    assert [chosen.metadata_of(i) for i in range(2)] == [{"place": 1}, {"place": 4}]
    assert [entity.metadata for entity in chosen.entities()] == [{"place": 1}, {"place": 4}]


def test_select_and_metadata_work_on_any_batch() -> None:
    assert isinstance(select(batch(Source()), [0]), RecordBatch)
    assert select([{"n": 1}, {"n": 2}], [1]) == [{"n": 2}]
    assert metadata_of(batch(Source()), 2) == {"place": 2}
    assert metadata_of([{"n": 1}, DataEntity({}, {"a": 1})], 0) == {}
    assert metadata_of([{"n": 1}, DataEntity({}, {"a": 1})], 1) == {"a": 1}
