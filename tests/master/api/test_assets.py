"""Assets over HTTP."""

from __future__ import annotations

import asyncio
import errno
import io
from pathlib import Path
from typing import Any

import pytest

from sliceworks.operations.archive import LIMITS
from tests.master.played import JOB, PlayedMaster, until
from tests.zips import OPERATION, asset_json, bundle, operation_bundle, zipped

OCTETS = {"Content-Type": "application/octet-stream"}


async def upload(master: PlayedMaster, content: bytes, **query: str) -> tuple[int, Any]:
    return await master.ask("POST", "/assets", data=io.BytesIO(content), headers=OCTETS, params=query)


async def stored(master: PlayedMaster, **manifest: Any) -> str:
    """The id of a bundle that is there."""
    status, answer = await upload(master, operation_bundle(**manifest))
    assert status in (200, 201), answer
    asset_id: str = answer["_id"]
    return asset_id


async def names(master: PlayedMaster, path: str = "", **query: str) -> list[str]:
    status, answer = await master.ask("GET", f"/assets{path}", params=query)
    assert status == 200, answer
    return [f"{asset['name']}:{asset['version']}" for asset in answer]


async def test_an_upload_is_answered_with_both_keys_and_is_listed(master: PlayedMaster) -> None:
    content = operation_bundle(description="what it does", more=1)
    status, answer = await upload(master, content)
    asset_id = answer["_id"]
    assert (status, answer) == (201, {"_id": asset_id, "asset_id": asset_id})
    _, listed = await master.ask("GET", "/v1/assets")
    created = listed[0].pop("_created")
    assert created.endswith("Z")
    assert listed == [
        {
            "name": "sample",
            "version": "1.0.0",
            "id": asset_id,
            "description": "what it does",
            "operations": ["shout"],
        }
    ]
    directory = master.settings.assets_directory
    assert (directory / f"{asset_id}.zip").read_bytes() == content
    assert (directory / asset_id / "shout.py").read_text() == OPERATION


async def test_the_same_bytes_again_are_known(master: PlayedMaster) -> None:
    answers = await asyncio.gather(*(upload(master, operation_bundle()) for _ in range(3)))
    assert sorted(status for status, _ in answers) == [200, 200, 201]
    assert (await upload(master, operation_bundle(), blocking="true"))[0] == 200
    assert await names(master) == ["sample:1.0.0"]


async def test_other_bytes_of_the_same_version_are_refused(master: PlayedMaster) -> None:
    await stored(master)
    status, answer = await upload(master, operation_bundle(description="other"))
    assert (status, answer["error"]) == (409, 409)
    assert answer["message"] == (
        'Asset name:"sample" AND version:"1.0.0" already exists, please increment the version and send again'
    )
    assert (await upload(master, operation_bundle(platform="beos")))[0] == 201
    assert len(list(master.settings.assets_directory.glob("*.zip"))) == 2


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        ("application/json", 400, "/asset endpoints do not accept json"),
        ("application/json; charset=utf-8", 400, "/asset endpoints do not accept json"),
        ("application/x-www-form-urlencoded", 400, "the json submitted is malformed: send the zip itself"),
        ("text/plain", 201, ""),
    ],
)
async def test_only_zips_are_taken(master: PlayedMaster, kind: str, status: int, message: str) -> None:
    content = io.BytesIO(operation_bundle())
    found, answer = await master.ask("POST", "/assets", data=content, headers={"Content-Type": kind})
    assert (found, answer.get("message", "").startswith(message)) == (status, True)


async def test_a_bad_option_is_named(master: PlayedMaster) -> None:
    assert (await upload(master, operation_bundle(), blocking="maybe"))[0] == 400
    assert (await upload(master, operation_bundle(), blocking="false"))[0] == 201


async def test_an_upload_that_is_too_large_is_refused_before_and_while_it_comes(
    master: PlayedMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = type(LIMITS)(zip_bytes=200)
    monkeypatch.setattr("sliceworks.master.assets.keeper.LIMITS", small)
    status, answer = await upload(master, operation_bundle())  # the stream is counted
    assert (status, answer["error"]) == (413, 413)
    monkeypatch.setattr("sliceworks.master.api.assets.LIMITS", small)
    status, answer = await upload(master, operation_bundle())
    assert status == 413
    assert "larger than 200 bytes" in answer["message"]
    assert await names(master) == []


async def test_lists_are_cut_ordered_and_filtered_by_name(master: PlayedMaster) -> None:
    for name, version in (("zip-a", "1.9.0"), ("zip-a", "1.10.0"), ("zip-b", "1.0.0"), ("other", "2.0.0")):
        await stored(master, name=name, version=version)
    assert await names(master, sort="name:asc,version:desc") == [
        "other:2.0.0",
        "zip-a:1.10.0",
        "zip-a:1.9.0",
        "zip-b:1.0.0",
    ]
    newest_first = ["other:2.0.0", "zip-b:1.0.0", "zip-a:1.10.0", "zip-a:1.9.0"]
    assert await names(master) == newest_first
    assert await names(master, size="2", **{"from": "1"}) == newest_first[1:3]
    assert await names(master, "/zip-a") == ["zip-a:1.10.0", "zip-a:1.9.0"]
    assert await names(master, "/zip*") == newest_first[1:]
    assert await names(master, "/zip-a/1.9*") == ["zip-a:1.9.0"]
    assert await names(master, "/zip-a/v1.9.0") == ["zip-a:1.9.0"]
    assert await names(master, "/*/latest") == ["other:2.0.0", "zip-b:1.0.0", "zip-a:1.10.0"]
    assert await names(master, "/nope") == []
    _, found = await master.ask("GET", "/assets/zip-b")
    assert await names(master, f"/{found[0]['id']}") == ["zip-b:1.0.0"]
    for query in ("size=abc", "sort=nope", "from=-1"):
        assert (await master.ask("GET", f"/assets?{query}"))[0] == 400


async def test_the_table_has_blanks_where_nothing_is_said(master: PlayedMaster) -> None:
    asset_id = await stored(master, name="rec-asset", version="0.2.0", description="d" * 40)
    async with master.client.get("/txt/assets/rec-asset") as response:
        text = await response.text()
        assert response.content_type == "text/html"
    head, dashes, row = text.splitlines()
    assert head.split() == [
        "name",
        "version",
        "id",
        "_created",
        "description",
        "node_version",
        "platform",
        "arch",
    ]
    assert row.startswith(f"rec-asset  0.2.0    {asset_id}  ")
    assert row.rstrip().endswith(f"  {'d' * 30}")
    assert len(row) == len(head) == len(dashes)
    async with master.client.get("/txt/assets?fields=name,version&headers=false") as response:
        assert await response.text() == "rec-asset  0.2.0\n"


async def test_an_asset_is_deleted_once_and_its_files_go(master: PlayedMaster) -> None:
    asset_id = await stored(master)
    path = master.settings.assets_directory / f"{asset_id}.zip"
    assert await master.ask("DELETE", f"/assets/{asset_id}") == (200, {"_id": asset_id, "asset_id": asset_id})
    status, answer = await master.ask("DELETE", f"/v1/assets/{asset_id}")
    assert (status, answer["message"]) == (404, f"Unable to find asset {asset_id}")
    status, answer = await master.ask("DELETE", "/assets/short")
    assert status == 400
    assert answer["message"] == ("asset short is not formatted correctly, please provide the full asset_id")
    assert await names(master) == []
    await until(lambda: not path.exists() and not path.with_suffix("").exists())
    assert (await upload(master, operation_bundle()))[0] == 201


async def test_nodes_fetch_the_bytes_as_they_were_sent(master: PlayedMaster) -> None:
    content = operation_bundle()
    _, answer = await upload(master, content)
    async with master.client.get(f"/_assets/{answer['_id']}.zip") as response:
        assert (response.status, await response.read()) == (200, content)
    for path in (f"/_assets/{'0' * 40}.zip", "/_assets/../cluster.db.zip", "/_assets/x.zip"):
        assert (await master.ask("GET", path))[0] == 404


# --- jobs with assets


def job(*assets: Any, op: str = "noop") -> dict[str, Any]:
    return {**JOB, "assets": list(assets), "operations": [{"_op": "data_generator"}, {"_op": op}]}


async def test_an_execution_has_ids_in_order_and_the_job_keeps_the_names(master: PlayedMaster) -> None:
    one = await stored(master, name="one", version="1.2.3")
    two = await stored(master, name="two")
    started = await master.submit(job("two", "one:^1.0.0", two, op="shout@one:^1.0.0"))
    _, execution = await master.ask("GET", f"/ex/{started['ex_id']}")
    assert execution["assets"] == [two, one]
    _, posted = await master.ask("GET", f"/jobs/{started['job_id']}")
    assert posted["assets"] == ["two", "one:^1.0.0", two]


async def test_every_asset_that_is_not_there_is_named_with_what_else_is_wrong(master: PlayedMaster) -> None:
    await stored(master, name="one")
    bad = {**job("one", "two", "one:9", op="shout"), "workers": 0}
    status, answer = await master.ask("POST", "/jobs", json=bad)
    assert (status, answer["error"]) == (400, 400)
    assert answer["message"].startswith('Failure to get assets, caused by TSError: No assets found for "two"')
    faults = {fault["path"]: fault["message"] for fault in answer["faults"]}
    assert faults.keys() == {"assets.1", "assets.2", "workers"}
    assert faults["assets.2"] == 'No assets found for "one:9"'
    for assets in ("one", [1], [["one"]]):
        status, answer = await master.ask("POST", "/jobs", json={**JOB, "assets": assets})
        assert (status, "assets" in answer["faults"][0]["path"]) == (400, True)


async def test_a_start_looks_the_assets_up_anew(master: PlayedMaster) -> None:
    first = await stored(master, version="1.0.0")
    submitted = await master.submit(job("sample", op="shout"), start="false")
    second = await stored(master, version="1.1.0")
    _, started = await master.ask("POST", f"/jobs/{submitted['job_id']}/_start")
    _, execution = await master.ask("GET", f"/ex/{started['ex_id']}")
    assert execution["assets"] == [second] != [first]


async def test_an_execution_that_waits_for_a_deleted_asset_is_rejected(master: PlayedMaster) -> None:
    asset_id = await stored(master)
    started = await master.submit(job("sample", op="shout"))
    assert (await master.ask("DELETE", f"/assets/{asset_id}"))[0] == 200
    async with master.node():
        execution = await master.wait_status(started["ex_id"], "rejected")
    assert "No assets found for " + asset_id in execution["_failureReason"]
    status, answer = await master.ask("POST", f"/jobs/{started['job_id']}/_start")
    assert (status, answer["faults"][0]["path"]) == (400, "assets.0")
    assert (await master.ask("GET", f"/jobs/{started['job_id']}/errors")) == (200, [])


async def test_an_asset_in_use_stays_fetchable_until_its_last_execution_ends(master: PlayedMaster) -> None:
    asset_id = await stored(master)
    async with master.node() as node:
        started = await master.submit(job("sample", op="shout"))
        async with master.controller(started["ex_id"]):
            await node.assigned(started["ex_id"])
            assert (await master.ask("DELETE", f"/assets/{asset_id}"))[0] == 200
            assert await names(master) == []
            async with master.client.get(f"/_assets/{asset_id}.zip") as response:
                assert response.status == 200
            status, _ = await master.ask("POST", "/jobs", json=job(asset_id, op="shout"))
            assert status == 400


# --- starts


async def test_a_master_finds_its_assets_again_and_sweeps_what_a_crash_left(tmp_path: Path) -> None:
    async with PlayedMaster.open(tmp_path) as master:
        asset_id = await stored(master)
    folder = tmp_path / "assets"
    for name in (f"{'b' * 40}.zip", ".incoming/x/upload.zip", f"{'c' * 40}/a.py", f".{'d' * 40}.12345678/a"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left")
    (folder / "notes.txt").write_text("somebody else's")
    async with PlayedMaster.open(tmp_path) as master:
        assert await names(master) == ["sample:1.0.0"]
        left = {path.name for path in folder.iterdir()}
        assert left == {".incoming", "notes.txt", asset_id, f"{asset_id}.zip"}
        assert list((folder / ".incoming").iterdir()) == []


async def test_files_that_are_gone_are_said_and_repaired_by_the_same_upload(tmp_path: Path) -> None:
    async with PlayedMaster.open(tmp_path) as master:
        asset_id = await stored(master)
    (tmp_path / "assets" / f"{asset_id}.zip").unlink()
    async with PlayedMaster.open(tmp_path) as master:
        status, answer = await master.ask("POST", "/jobs", json=job("sample", op="shout"))
        assert status == 400
        assert "its files are gone from" in answer["message"]
        assert (await master.ask("GET", f"/_assets/{asset_id}.zip"))[0] == 404
        await stored(master)
        await master.submit(job("sample", op="shout"))


async def test_zips_of_the_autoload_folder_are_taken_in_at_the_start(tmp_path: Path) -> None:
    autoload = tmp_path / "autoload"
    autoload.mkdir()
    (autoload / "a-bad.zip").write_bytes(b"no zip")
    (autoload / "b-good.zip").write_bytes(zipped({"top/asset.json": asset_json(), "top/shout.py": OPERATION}))
    (autoload / "c-same-version.zip").write_bytes(bundle())
    (autoload / "d-other.zip").write_bytes(bundle(name="data"))
    (autoload / "notes.txt").write_text("x")
    for _ in range(2):
        async with PlayedMaster.open(tmp_path) as master:
            assert sorted(await names(master)) == ["data:1.0.0", "sample:1.0.0"]


async def test_an_upload_that_is_cut_off_leaves_nothing(master: PlayedMaster) -> None:
    url = master.client.make_url("/assets")
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"POST /assets HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nPK\x03\x04")
    await writer.drain()
    incoming = master.settings.assets_directory / ".incoming"
    await until(lambda: any(incoming.iterdir()))
    writer.close()
    await writer.wait_closed()
    await until(lambda: not any(incoming.iterdir()))


async def test_a_disk_that_is_full_is_said_and_nothing_is_left(
    master: PlayedMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sliceworks.master.assets.folder.AssetFolder.put", put)
    status, answer = await upload(master, operation_bundle())
    assert (status, answer["message"]) == (503, "the asset cannot be stored now: No space left on device")
    assert list((master.settings.assets_directory / ".incoming").iterdir()) == []
    monkeypatch.undo()
    assert (await upload(master, operation_bundle()))[0] == 201
