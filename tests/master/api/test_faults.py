"""Errors are JSON, always."""

from __future__ import annotations

import io

import pytest
import structlog

from sliceworks.master.api.app import MAX_BODY_BYTES
from sliceworks.master.slices import SliceHistory
from sliceworks.master.store.cluster import SqliteClusterStore
from tests.master.played import PlayedMaster


@pytest.mark.parametrize("path", ["/nope", "/v1/nope?a=b", "/jobs/a/b/c", "/v2/jobs", "/txt/../nope"])
async def test_unknown_paths(master: PlayedMaster, path: str) -> None:
    status, answer = await master.ask("GET", path)
    assert (status, answer["error"]) == (404, 404)
    assert answer["message"].startswith("cannot GET endpoint /")


async def test_wrong_methods_name_the_right_ones(master: PlayedMaster) -> None:
    async with master.client.patch("/v1/jobs?x=1") as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) >= {"GET", "POST"}
        assert await response.json() == {"error": 405, "message": "cannot PATCH endpoint /v1/jobs?x=1"}


async def test_head_works_where_get_does(master: PlayedMaster) -> None:
    async with master.client.head("/v1/jobs") as response:
        assert response.status == 200
        assert await response.read() == b""


async def test_a_slash_at_the_end_changes_nothing(master: PlayedMaster) -> None:
    assert await master.ask("GET", "/jobs/") == (200, [])


async def test_what_is_unexpected_has_an_id_and_no_trace(
    master: PlayedMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = await master.submit()

    async def broken(*_: object) -> None:
        message = "secret detail"
        raise RuntimeError(message)

    monkeypatch.setattr(SliceHistory, "counts", broken)
    with structlog.testing.capture_logs() as logs:
        status, answer = await master.ask("GET", f"/ex/{started['ex_id']}/slices/_count")
    assert (status, answer["error"]) == (500, 500)
    assert "secret" not in str(answer)
    (entry,) = [entry for entry in logs if entry["event"] == "request_failed"]
    assert entry["request_id"] == answer["request_id"]


async def test_what_cannot_be_done_now_says_when_to_ask_again(
    master: PlayedMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = await master.submit()
    monkeypatch.setattr(SqliteClusterStore, "trouble", "disk full")
    async with master.client.post(f"/ex/{started['ex_id']}/_pause") as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
        assert "disk full" in (await response.json())["message"]
    _, execution = await master.ask("GET", f"/ex/{started['ex_id']}")
    assert execution["_status_reason"] == "the state store cannot be written: disk full"


async def test_a_body_beyond_the_limit(master: PlayedMaster) -> None:
    status, answer = await master.ask("POST", "/v1/jobs", data=io.BytesIO(b" " * (MAX_BODY_BYTES + 1)))
    assert (status, answer["error"]) == (413, 413)
    assert "too large" in answer["message"]


@pytest.mark.parametrize(
    "path", ["/txt/ex", "/v1/txt/jobs", "/ex/errors", "/cluster/state", "/ex/some/slices"]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_lists_are_read_alone(master: PlayedMaster, method: str, path: str) -> None:
    async with master.client.request(method, path) as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD"}
        assert (await response.json())["error"] == 405


@pytest.mark.parametrize("path", ["/txt/nope", "/v1/txt", "/txt/ex/one", "/ex/one/slices/_count/more"])
async def test_unknown_lists(master: PlayedMaster, path: str) -> None:
    status, answer = await master.ask("GET", path)
    assert (status, answer["message"]) == (404, f"cannot GET endpoint {path}")
