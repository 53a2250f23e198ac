"""What every engine promises of assets."""

from __future__ import annotations

from dataclasses import replace

from sliceworks.master.store.contract import ClusterStore
from sliceworks.master.store.engine import StateStore
from sliceworks.master.store.records import AssetRecord, ForgetAsset, SaveAsset

FULL = AssetRecord(
    asset_id="a" * 40,
    name="zip",
    version="1.0.0-beta.1",
    created_ms=2,
    description="d\u00e9",
    python_version="3.11",
    platform="linux",
    arch="x64",
    document=b'{"name":"zip","more":[1]}',
    operations=("one", "two"),
    deleted_ms=7,
)
PLAIN = AssetRecord("b" * 40, "zip", "0.1.0", created_ms=1)


async def test_assets_come_back_as_they_were_saved(store: ClusterStore) -> None:
    await store.save([SaveAsset(FULL), SaveAsset(PLAIN)])
    assert (await store.load()).assets == (PLAIN, FULL)


async def test_an_asset_is_deleted_and_listed_again(store: ClusterStore) -> None:
    await store.save([SaveAsset(PLAIN)])
    await store.save([SaveAsset(replace(PLAIN, deleted_ms=9))])
    assert (await store.load()).assets == (replace(PLAIN, deleted_ms=9),)
    again = replace(PLAIN, created_ms=10, operations=("more",))
    await store.save([SaveAsset(again)])
    assert (await store.load()).assets == (again,)


async def test_a_forgotten_asset_is_gone_also_for_the_next_master(state: StateStore) -> None:
    async with state.open_cluster() as store:
        await store.save([SaveAsset(FULL), SaveAsset(PLAIN)])
        await store.save([ForgetAsset(FULL.asset_id), ForgetAsset("c" * 40)])
    async with state.open_cluster() as store:
        assert (await store.load()).assets == (PLAIN,)
