"""Bytes that are not the protocol: that peer is disconnected with a reason, and nothing else suffers."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from sliceworks.protocol import messages
from sliceworks.protocol.codec import encode
from tests.acceptance.harness import Cluster
from tests.acceptance.jobs import delay, generated

HELLO = messages.NodeHello(
    version=messages.VERSION + 1,
    node_id="stranger",
    incarnation="first",
    hostname="elsewhere",
    pid=1,
    slots=100,
    python_version="3",
    sliceworks_version="0",
)
BROKEN = {
    "noise": b"\xc1\xff\x00 no message",
    "nothing": b"",
    "a message of another direction": encode(messages.LinkState(1, 1, 1, 1, 1)),
    "fields of wrong types": encode(messages.WorkerInfo(1, 1, "x", "idle")),
    "deep nesting": b"\x91" * 100_000,
    "a huge array": b"\xdd\xff\xff\xff\xff",
}


async def end_of_connection(url: str, *frames: bytes | str) -> tuple[int | None, str]:
    """Send frames, read to the end: the close code, and all that was told before and with it."""
    told: list[str] = []
    async with asyncio.timeout(30), aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        for frame in frames:
            await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))
        while (message := await socket.receive()).type is aiohttp.WSMsgType.BINARY:
            told.append(message.data.decode("utf-8", "replace"))
        told.append(str(message.extra))
        return socket.close_code, " ".join(told)


@pytest.mark.parametrize("frame", BROKEN.values(), ids=BROKEN.keys())
async def test_a_peer_that_sends_wrong_bytes_is_told_why_and_disconnected(
    cluster: Cluster, frame: bytes
) -> None:
    code, told = await end_of_connection(f"{cluster.url}/_ws/node", frame)
    assert code not in {None, 1000, 1006}
    assert told.strip()


async def test_a_text_frame_is_wrong_too(cluster: Cluster) -> None:
    code, _ = await end_of_connection(f"{cluster.url}/_ws/node", "hello")
    assert code not in {None, 1000, 1006}


async def test_a_peer_of_another_version_is_refused_with_both_versions(cluster: Cluster) -> None:
    _, told = await end_of_connection(f"{cluster.url}/_ws/node", encode(HELLO))
    assert str(messages.VERSION) in told
    assert str(messages.VERSION + 1) in told


async def test_nothing_else_suffers(cluster: Cluster) -> None:
    ex_id = cluster.submit(generated(delay(10), size=100, workers=2))
    cluster.wait_completed(ex_id, 1)
    for path in ("/_ws/node", "/_ws/controller"):
        for frame in BROKEN.values():
            await end_of_connection(f"{cluster.url}{path}", frame)
    assert cluster.wait_until_over(ex_id) == "completed"
    assert cluster.counts(ex_id)["completed"] == 100
    nodes = [node for node in cluster.get("/cluster/state").values() if node["total"]]
    assert [node["state"] for node in nodes] == ["connected"]
