"""A task that was cancelled while its connection broke ends, and does not connect again."""

from __future__ import annotations

import asyncio

from sliceworks.protocol.channel import ChannelClosed, stay_cancelled


async def break_when_cancelled() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ChannelClosed("the peer went away at the same time") from None


async def keep_trying() -> None:
    while True:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(break_when_cancelled(), name="breaks")
                await asyncio.Event().wait()
        except* ChannelClosed:
            pass
        stay_cancelled()


async def test_a_cancel_is_not_lost_to_an_error_of_the_group() -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keep_trying(), name="tries")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()


async def test_without_a_cancel_nothing_is_raised() -> None:
    stay_cancelled()
