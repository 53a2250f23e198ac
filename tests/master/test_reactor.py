"""The actor round the machine: answers."""

from __future__ import annotations

import pytest

from sliceworks.master.cluster import effects as ef
from sliceworks.master.reactor import Replies
from sliceworks.protocol.errors import ConflictError, UnavailableError


async def test_an_answer_reaches_its_asker() -> None:
    replies = Replies()
    (first, one), (second, two) = replies.expect(), replies.expect()
    replies.answer(ef.Answer(second, ef.Done()))
    replies.answer(ef.Reject(first, ConflictError("no")))
    assert await two == ef.Done()
    with pytest.raises(ConflictError, match="no"):
        await one


async def test_an_answer_that_nobody_waits_for_is_dropped() -> None:
    replies = Replies()
    request, reply = replies.expect()
    replies.forget(request)
    replies.answer(ef.Answer(request, ef.Done()))
    assert not reply.done()
    again, given_up = replies.expect()
    given_up.cancel()
    replies.answer(ef.Answer(again, ef.Done()))


async def test_nobody_waits_for_a_store_that_cannot_be_written() -> None:
    replies = Replies()
    _, reply = replies.expect()
    replies.refuse_all("disk full")
    with pytest.raises(UnavailableError, match="disk full"):
        await reply
