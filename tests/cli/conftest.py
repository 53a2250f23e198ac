"""A stand-in for a master: answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class FakeMaster:
    """`answers`: (method, path) -> answers in order, the last one again and again.

    An answer that is a function is called with the options of the query.
    """

    url: str = ""
    answers: dict[tuple[str, str], list[tuple[int, Any]]] = field(default_factory=dict)
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)

    def on(self, method: str, path: str, *bodies: Any, status: int = 200) -> None:
        self.answers[method, path] = [(status, body) for body in bodies]

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        self.requests.append((method, target, body))
        left = self.answers.get(
            (method, target.partition("?")[0]), [(404, {"error": 404, "message": "no such path"})]
        )
        status, body = left.pop(0) if len(left) > 1 else left[0]
        if callable(body):
            body = body(dict(urllib.parse.parse_qsl(target.partition("?")[2])))
        return status, body


@pytest.fixture
def master() -> Iterator[FakeMaster]:
    """A fake master that listens."""
    fake = FakeMaster()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._handle("GET")

        def do_POST(self) -> None:
            self._handle("POST")

        def do_PUT(self) -> None:
            self._handle("PUT")

        def do_DELETE(self) -> None:
            self._handle("DELETE")

        def _handle(self, method: str) -> None:
            length = int(self.headers.get("Content-Length", 0))
            status, body = fake.answer(method, self.path, self.rfile.read(length))
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield fake
        server.shutdown()
        thread.join()
