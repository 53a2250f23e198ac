"""Assets in any order of uploads, deletions, starts and restarts: what has begun keeps what it needs."""

from __future__ import annotations

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.store.records import AssetRecord
from sliceworks.protocol.states import ExecutionStatus
from tests.master.cluster.rig import Rig

S = ExecutionStatus

ACTIONS = ("add", "add", "add", "add", "delete", "start", "start", "start", "finish", "restart")
SLOTS = 2
actions = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 15)), min_size=30, max_size=80)


class Assets:
    """A cluster of one node with few slots, so that some executions wait; and the files of its assets."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.rig.node(slots=SLOTS)
        self.files: set[str] = set()
        self.started = 0

    def add(self, number: int) -> None:
        """Files are there before the row; two of these have the same name and version."""
        asset_id = f"{number % 4:040x}"
        name = f"asset {min(number % 4, 2)}"
        if asset_id in {one for one, asset in self.rig.store.assets.items() if asset.deleted_ms is None}:
            return
        self.files.add(asset_id)
        self._ask(ev.AssetAddRequested, AssetRecord(asset_id, name, "1.0.0", created_ms=self.rig.now_ms))
        self._keep_files(asset_id)

    def delete(self, number: int) -> None:
        self._ask(ev.AssetDeleteRequested, f"{number % 4:040x}")

    def start(self, number: int) -> None:
        self.started += 1
        wanted = {f"{number % 4:040x}", f"{number // 4 % 4:040x}"}
        listed = {one for one, asset in self.rig.store.assets.items() if asset.deleted_ms is None}
        ex_id = f"ex {self.started}"
        request = self.rig.start(ex_id, document=orjson.dumps({"assets": sorted(wanted)}))
        accepted = self.rig.answer(request) == ef.Done()
        assert accepted == (wanted <= listed)

    def finish(self, number: int) -> None:
        if running := self._running():
            ex_id = running[number % len(running)]
            self.rig.concluded("completed", ex_id)
            self.rig.exited(ex_id)
            self.rig.node_reports("node", [])

    def restart(self, _: int) -> None:
        running = self._running()
        self.rig.restart(alive=frozenset(running))
        self.rig.node(slots=SLOTS)
        for ex_id in running:
            self.rig.attached(ex_id)
            self.rig.reported(ex_id)

    def settle(self) -> None:
        """Controllers start, files are removed, and the rules hold."""
        for order in self.rig.take(ef.SpawnController):
            self.rig.effects.append(order)
            self.rig.spawned(order.ex_id)
            self.rig.attached(order.ex_id)
            self.rig.reported(order.ex_id)
            self.rig.take(ef.SpawnController)
        for effect in self.rig.take(ef.RemoveAsset):
            self._keep_files(effect.asset_id)
        self._check()

    def _check(self) -> None:
        rows, core = self.rig.store.assets, self.rig.machine.core
        assert rows == core.assets
        assert set(rows) == self.files
        used = {asset_id for ex_id in self._running() for asset_id in core.executions[ex_id].assets}
        assert used <= rows.keys()
        assert {one for one, asset in rows.items() if asset.deleted_ms is not None} <= used
        listed = [asset.name for asset in rows.values() if asset.deleted_ms is None]
        assert len(listed) == len(set(listed))
        assert not core.pending or len(self._running()) == SLOTS
        assert all(row.failure for row in self.rig.store.rows.values() if row.status is S.REJECTED)

    def _running(self) -> list[str]:
        return list(self.rig.machine.core.active)

    def _keep_files(self, asset_id: str) -> None:
        """What the keeper does when it is told to remove an asset, or an upload is refused."""
        if asset_id not in self.rig.machine.core.assets:
            self.files.discard(asset_id)

    def _ask(self, kind: type[ev.AssetAddRequested | ev.AssetDeleteRequested], what: object) -> None:
        self.rig.tell(kind(self.rig.request(), what))  # type: ignore[arg-type]  # each with its own


@settings(max_examples=60, deadline=None)
@given(actions)
def test_what_has_begun_keeps_its_assets_and_nothing_else_is_kept(drawn: list[tuple[str, int]]) -> None:
    cluster = Assets()
    for name, number in drawn:
        getattr(cluster, name)(number)
        cluster.settle()
    while cluster.rig.machine.core.executions:
        cluster.finish(0)
        cluster.settle()
    assert all(asset.deleted_ms is None for asset in cluster.rig.store.assets.values())
