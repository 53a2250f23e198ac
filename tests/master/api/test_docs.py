"""`/docs`: everything that the document has, as one page that loads nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from tests.master.api.test_openapi import document_of
from tests.master.played import PlayedMaster

LOADING = {"src", "srcset", "data", "action", "poster", "background"}


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.words = ""
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)
        for name, value in attrs:
            if name == "href":
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if name in LOADING:
                self.loaded.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


async def page_of(master: PlayedMaster, path: str = "/docs") -> tuple[Page, str]:
    async with master.client.get(path) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        text = await response.text()
    return Page(text), text


async def test_it_names_every_operation_and_every_schema(master: PlayedMaster) -> None:
    document = await document_of(master)
    page, _ = await page_of(master)
    for operation in document.operations():
        assert f"{operation.method}{operation.path}" in page.words
        assert operation.told["operationId"] in page.ids
    for name in document.document["components"]["schemas"]:
        assert f"schema-{name}" in page.ids
    assert len(page.ids) == len(set(page.ids))
    assert not page.open


async def test_it_loads_nothing(master: PlayedMaster) -> None:
    page, text = await page_of(master)
    assert page.loaded == []
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "form", "base"})
    assert not re.search(r"url\(|@import", text)
    assert set(re.findall(r"https?://[^\s<\"]+", text)) <= {
        f"http://127.0.0.1:5678{operation.path}" for operation in (await document_of(master)).operations()
    }


async def test_its_links_lead_somewhere(master: PlayedMaster) -> None:
    for path in ("/docs", "/docs/", "/v1/docs"):
        page, _ = await page_of(master, path)
        outside = {link for link in page.links if not link.startswith("#")}
        assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
        assert outside == {"/openapi.json"}
