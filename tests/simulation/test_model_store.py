"""The fake store beside the real one: through whole schedules, both say the same."""

from __future__ import annotations

import random

import pytest

from sliceworks.master.store.batch import Batch, SliceRow, Snapshot
from sliceworks.protocol.errors import FencedError
from tests.simulation.disk import Disk, Store
from tests.simulation.faults import Plan
from tests.simulation.scenario import draw_scenario
from tests.simulation.world import World


class Both:
    """A store that is two, and compares them."""

    def __init__(self, fake: Store, real: Store) -> None:
        self._fake = fake
        self._real = real

    def load(self) -> Snapshot:
        snapshot = self._real.load()
        assert self._fake.load() == snapshot
        return snapshot

    def load_pending(self, after_seq: int, limit: int) -> list[SliceRow]:
        rows = self._real.load_pending(after_seq, limit)
        assert self._fake.load_pending(after_seq, limit) == rows
        return rows

    def apply(self, batch: Batch) -> None:
        try:
            self._real.apply(batch)
        except FencedError:
            with pytest.raises(FencedError):
                self._fake.apply(batch)
            raise
        self._fake.apply(batch)

    def close(self) -> None:
        self._real.close()


@pytest.mark.parametrize("seed", range(1, 16))
def test_the_fake_says_what_the_real_one_says(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(f"scenario {seed}")
    world = World(seed, draw_scenario(draw, sqlite=True), Plan(draw))
    fakes, open_real = Disk(), world.disk.open

    def open_both(ex_id: str, generation: int) -> Store:
        real = open_real(ex_id, generation)
        return Both(fakes.open(ex_id, generation), real)

    monkeypatch.setattr(world.disk, "open", open_both)
    try:
        world.run()
        for ex_id in world.disk.rows:
            assert fakes.head(ex_id) == world.disk.head(ex_id)
            assert fakes.positions(ex_id) == world.disk.positions(ex_id)
            assert [_seen(item) for item in fakes.slices(ex_id)] == [
                _seen(item) for item in world.disk.slices(ex_id)
            ]
    finally:
        world.disk.close()


def _seen(item: object) -> tuple[object, ...]:
    names = ("seq", "slicer_id", "order", "request", "state", "epoch", "op_errors", "losses", "reason")
    return tuple(getattr(item, name) for name in names)
