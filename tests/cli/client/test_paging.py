"""Lists: one page, or everything, also beyond what the API gives by place."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sliceworks.cli.client import Client, Listing
from sliceworks.cli.client.paging import PAGE, WINDOW
from sliceworks.protocol.errors import InvalidError

Query = dict[str, str]
SINCE = re.compile(r'_created:\["(\d+)" TO \*\]')


class Shelf:
    """Jobs in the order in which they were made; answers as the API does."""

    def __init__(self, times: list[int]) -> None:
        self.jobs = [{"job_id": str(place), "_created": f"{time:09}"} for place, time in enumerate(times)]
        self.queries: list[Query] = []

    def answer(self, query: Query) -> list[dict[str, str]]:
        self.queries.append(query)
        start, size = int(query.get("from", 0)), int(query["size"])
        assert start + size <= WINDOW
        since = SINCE.search(query.get("filter", ""))
        found = [job for job in self.jobs if not since or job["_created"] >= since[1]]
        return found[start : start + size]


async def everything(master: Any, shelf: Shelf, **options: Any) -> list[str]:
    master.on("GET", "/jobs", shelf.answer)
    async with Client.open(master.url) as client:
        return [job.job_id async for job in client.jobs.list().everything(**options)]


async def test_a_page_is_what_was_asked_for(master: Any) -> None:
    master.on("GET", "/jobs", [{"job_id": "a"}])
    async with Client.open(master.url) as client:
        listing = Listing(size=5, offset=2, sort="name:asc,_created:desc", filter='name:"a b"')
        assert [job.job_id for job in await client.jobs.list(active=True).page(listing)] == ["a"]
        await client.jobs.list().page(Listing())
    first, second = (target for _, target, _ in master.requests)
    assert first == ("/jobs?active=true&size=5&from=2&sort=name:asc,_created:desc&filter=name:%22a%20b%22")
    assert second == "/jobs"


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1])
async def test_everything_is_read_page_by_page(master: Any, count: int) -> None:
    shelf = Shelf(list(range(count)))
    assert await everything(master, shelf) == [str(place) for place in range(count)]
    assert {query["sort"] for query in shelf.queries} == {"_created:asc"}


async def test_everything_goes_on_beyond_the_window(master: Any) -> None:
    shelf = Shelf([place // 3 for place in range(2 * WINDOW + 500)])
    found = await everything(master, shelf, filter="name:x")
    assert found == [str(place) for place in range(2 * WINDOW + 500)]
    assert shelf.queries[-1]["filter"].startswith("(name:x) AND _created:[")


async def test_what_is_added_meanwhile_comes_at_the_end(master: Any) -> None:
    shelf = Shelf(list(range(PAGE)))

    def answer(query: Query) -> list[dict[str, str]]:
        page = shelf.answer(query)
        if len(shelf.queries) == 1:
            shelf.jobs.append({"job_id": "late", "_created": "999999999"})
        return page

    master.on("GET", "/jobs", answer)
    async with Client.open(master.url) as client:
        found = [job.job_id async for job in client.jobs.list().everything()]
    assert (len(found), found[-1]) == (PAGE + 1, "late")


async def test_too_many_of_one_moment_are_told(master: Any) -> None:
    with pytest.raises(InvalidError, match="a narrower filter"):
        await everything(master, Shelf([7] * (WINDOW + 1)))
