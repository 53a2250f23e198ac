"""Which assets exist: added, hidden, forgotten; and what that means for executions.

An execution that has begun keeps its assets, deleted or not, until nothing of it is left: a worker may start
on a new node at any time, and fetch them.  One that still waits for its first slot does not: it is looked at
again when its turn comes.  All of this is decided here, because only here it is known at one moment.
"""

from __future__ import annotations

from dataclasses import replace

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.core import Core
from sliceworks.master.cluster.model import Execution
from sliceworks.master.store.records import AssetRecord, ForgetAsset, SaveAsset
from sliceworks.protocol.errors import ConflictError, Fault, InvalidError, NotFoundError
from sliceworks.protocol.states import ExecutionStatus


def add(core: Core, event: ev.AssetAddRequested) -> None:
    """List an asset whose files are in place; ConflictError if another one has its name and version."""
    asset = event.asset
    if any(_is_same(asset, other) for other in core.assets.values() if other.asset_id != asset.asset_id):
        core.emit(ef.Reject(event.request, already_exists(asset)))
        return
    core.assets[asset.asset_id] = asset
    core.note("asset_added", asset_id=asset.asset_id, name=asset.name, version=asset.version)
    core.change_asset(SaveAsset(asset))
    core.after_save(ef.Answer(event.request, ef.Done()))


def delete(core: Core, event: ev.AssetDeleteRequested) -> None:
    """Hide an asset; it is gone when no execution needs it any more."""
    asset = core.assets.get(event.asset_id)
    if asset is None or asset.deleted_ms is not None:
        message = f"Unable to find asset {event.asset_id}"
        core.emit(ef.Reject(event.request, NotFoundError(message)))
        return
    hidden = replace(asset, deleted_ms=core.now.wall_ms)
    core.assets[asset.asset_id] = hidden
    core.note("asset_deleted", asset_id=asset.asset_id, name=asset.name, version=asset.version)
    core.change_asset(SaveAsset(hidden))
    forget_unused(core, (asset.asset_id,))
    core.after_save(ef.Answer(event.request, ef.Done()))


def forget_unused(core: Core, asset_ids: tuple[str, ...]) -> None:
    """Let go of those that are deleted and that nothing has begun with any more."""
    for asset_id in asset_ids:
        asset = core.assets.get(asset_id)
        if asset is None or asset.deleted_ms is None or _is_used(core, asset_id):
            continue
        del core.assets[asset_id]
        core.change_asset(ForgetAsset(asset_id))
        core.after_save(ef.RemoveAsset(asset_id))


def missing(core: Core, execution: Execution) -> list[str]:
    """Which of its assets are not listed any more."""
    return [asset_id for asset_id in execution.assets if not _is_listed(core, asset_id)]


def refusal(core: Core, execution: Execution) -> InvalidError | None:
    """Why an execution cannot be accepted; None if it can."""
    faults = tuple(
        Fault(f"assets.{place}", f'No assets found for "{asset_id}"')
        for place, asset_id in enumerate(execution.assets)
        if not _is_listed(core, asset_id)
    )
    return (
        InvalidError(f"Failure to get assets, caused by TSError: {faults[0].message}", faults)
        if faults
        else None
    )


def reject(core: Core, execution: Execution, asset_ids: list[str]) -> None:
    """Its turn has come, and it cannot be run any more."""
    named = ", ".join(asset_ids)
    failure = (
        f"execution {execution.row.ex_id} was rejected when its turn came: No assets found for {named}, "
        "deleted since it was accepted; upload the asset again, or another version, and start the job anew"
    )
    core.set_placement(execution, {})  # no node was told of it
    core.change(execution, failure=failure)
    core.set_status(execution, ExecutionStatus.REJECTED)


def already_exists(asset: AssetRecord) -> ConflictError:
    """Other bytes have the same name and version."""
    return ConflictError(
        f'Asset name:"{asset.name}" AND version:"{asset.version}" already exists, '
        "please increment the version and send again"
    )


def _is_same(asset: AssetRecord, other: AssetRecord) -> bool:
    return other.deleted_ms is None and identity_of(asset) == identity_of(other)


def identity_of(asset: AssetRecord) -> tuple[str, ...]:
    """What no two listed assets share."""
    return (asset.name, asset.version, asset.python_version, asset.platform, asset.arch)


def _is_listed(core: Core, asset_id: str) -> bool:
    asset = core.assets.get(asset_id)
    return asset is not None and asset.deleted_ms is None


def _is_used(core: Core, asset_id: str) -> bool:
    return any(asset_id in execution.assets for execution in core.active.values())
