"""Assets at the machine: who keeps them, when they go, and what becomes of executions that wait for them."""

from __future__ import annotations

from dataclasses import replace

import orjson

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.store.records import AssetRecord
from sliceworks.protocol.errors import ConflictError, InvalidError, NotFoundError
from sliceworks.protocol.states import ExecutionStatus
from tests.master.cluster.rig import Rig, worker

S = ExecutionStatus

ASSET = AssetRecord("a" * 40, "zip", "1.0.0", created_ms=1)
WITH_ASSET = orjson.dumps({"assets": [ASSET.asset_id]})


def add(rig: Rig, asset: AssetRecord = ASSET) -> ef.Reply | Exception | None:
    request = rig.request()
    rig.tell(ev.AssetAddRequested(request, asset))
    return rig.answer(request)


def delete(rig: Rig, asset_id: str = ASSET.asset_id) -> ef.Reply | Exception | None:
    request = rig.request()
    rig.tell(ev.AssetDeleteRequested(request, asset_id))
    return rig.answer(request)


def removed(rig: Rig) -> list[str]:
    return [effect.asset_id for effect in rig.take(ef.RemoveAsset)]


def run(rig: Rig) -> None:
    """An execution with the asset, running on one node."""
    rig.node()
    rig.start(document=WITH_ASSET)
    rig.spawned()
    rig.attached()
    rig.reported()
    rig.node_reports("node", [worker(1, "ex")])


def finish(rig: Rig) -> None:
    rig.concluded("completed")
    rig.exited()
    rig.node_reports("node", [])


def test_an_asset_is_durable_before_it_is_answered(rig: Rig) -> None:
    rig.hold_saves = True
    assert add(rig) is None
    rig.release_saves()
    assert rig.answer(1) == ef.Done()
    assert rig.store.assets == {ASSET.asset_id: ASSET}


def test_other_bytes_with_the_same_name_and_version_are_refused(rig: Rig) -> None:
    assert add(rig) == ef.Done()
    other = replace(ASSET, asset_id="b" * 40)
    refused = add(rig, other)
    assert isinstance(refused, ConflictError)
    assert str(refused).startswith('Asset name:"zip" AND version:"1.0.0" already exists, please increment')
    assert add(rig, replace(other, arch="arm64")) == ef.Done()
    assert delete(rig) == ef.Done()
    assert add(rig, other) == ef.Done()


def test_an_asset_that_nothing_uses_goes_when_it_is_deleted(rig: Rig) -> None:
    add(rig)
    rig.hold_saves = True
    assert delete(rig) is None
    assert removed(rig) == []  # the row goes before the files
    rig.release_saves()
    assert removed(rig) == [ASSET.asset_id]
    assert rig.store.assets == {}
    assert isinstance(delete(rig), NotFoundError)


def test_an_asset_that_is_used_is_hidden_and_goes_with_its_last_execution(rig: Rig) -> None:
    add(rig)
    run(rig)
    assert delete(rig) == ef.Done()
    assert isinstance(delete(rig), NotFoundError)
    assert removed(rig) == []
    assert rig.store.assets[ASSET.asset_id].deleted_ms is not None
    rig.crash()  # another controller needs it, too
    rig.spawned()
    rig.attached()
    rig.reported()
    finish(rig)
    assert rig.status() is S.COMPLETED
    assert removed(rig) == [ASSET.asset_id]
    assert rig.store.assets == {}


def test_an_asset_that_is_used_outlives_the_master(rig: Rig) -> None:
    add(rig)
    run(rig)
    delete(rig)
    rig.restart(alive=frozenset({"ex"}))
    assert removed(rig) == []
    rig.attached()
    rig.node()
    finish(rig)
    assert removed(rig) == [ASSET.asset_id]


def test_what_nothing_uses_any_more_goes_at_the_next_start(rig: Rig) -> None:
    add(rig)
    rig.store.assets[ASSET.asset_id] = replace(ASSET, deleted_ms=5)
    rig.restart()
    assert removed(rig) == [ASSET.asset_id]
    assert rig.store.assets == {}


def test_an_asset_that_is_uploaded_again_while_it_is_used_stays(rig: Rig) -> None:
    add(rig)
    run(rig)
    delete(rig)
    assert add(rig, replace(ASSET, created_ms=9)) == ef.Done()
    finish(rig)
    assert removed(rig) == []
    assert rig.store.assets[ASSET.asset_id].deleted_ms is None


def test_an_execution_of_an_unknown_asset_is_not_accepted(rig: Rig) -> None:
    refused = rig.answer(rig.start(document=WITH_ASSET))
    assert isinstance(refused, InvalidError)
    assert [fault.path for fault in refused.faults] == ["assets.0"]
    assert rig.machine.core.executions == {}
    add(rig)
    delete(rig)
    assert isinstance(rig.answer(rig.start(document=WITH_ASSET)), InvalidError)


def test_an_execution_whose_asset_is_gone_when_its_turn_comes_is_rejected(rig: Rig) -> None:
    add(rig)
    rig.start(document=WITH_ASSET)
    assert delete(rig) == ef.Done()
    assert removed(rig) == [ASSET.asset_id]  # one that waits does not keep it
    assert rig.status() is S.PENDING
    rig.node()
    assert rig.status() is S.REJECTED
    assert rig.row().failure.startswith("execution ex was rejected when its turn came: No assets found for a")
    assert rig.row().placement == {}
    assert rig.take(ef.SpawnController) == []
    assert rig.machine.core.executions == {}
    assert isinstance(rig.answer(rig.stop()), ConflictError)
    rig.run("next")
    assert rig.status("next") is S.RUNNING


def test_an_execution_whose_asset_came_back_in_time_runs(rig: Rig) -> None:
    add(rig)
    rig.start(document=WITH_ASSET)
    delete(rig)
    add(rig)
    rig.node()
    assert rig.status() is S.SCHEDULING


def test_the_turn_of_one_that_is_rejected_comes_when_another_ends(rig: Rig) -> None:
    add(rig)
    rig.node(slots=1)
    rig.start(document=WITH_ASSET)
    rig.spawned()
    rig.attached()
    rig.reported()
    rig.node_reports("node", [worker(1, "ex")])
    rig.start("second", document=WITH_ASSET)
    rig.start("third")
    delete(rig)
    assert (rig.status("second"), rig.status("third")) == (S.PENDING, S.PENDING)
    finish(rig)
    assert (rig.status("second"), rig.status("third")) == (S.REJECTED, S.SCHEDULING)
    assert removed(rig) == [ASSET.asset_id]
