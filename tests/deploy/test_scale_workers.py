"""`scale-workers`: what it asks of the master, what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

JOB = "5a50580c-4a50-48d9-80f8-ac70a00f3dbd"
Scale = Callable[..., subprocess.CompletedProcess[str]]


class Master:
    """Answers every request as it was told, and remembers them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.body = b'"5 workers have been add for execution: 863678b3"'
        master = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                master.asked.append(self.path)
                self.send_response(master.status)
                self.send_header("Content-Length", str(len(master.body)))
                self.end_headers()
                self.wfile.write(master.body)

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def refuse(self, status: int, message: str) -> None:
        """From now on."""
        self.status = status
        self.body = json.dumps({"error": status, "message": message}, indent=4).encode()


@pytest.fixture
def master() -> Iterator[Master]:
    answering = Master()
    thread = threading.Thread(target=answering.server.serve_forever, args=(0.01,))
    thread.start()
    yield answering
    answering.server.shutdown()
    thread.join()
    answering.server.server_close()


@pytest.fixture
def scale(deploy: Path, master: Master) -> Scale:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [deploy / "scale-workers", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"], "SLICEWORKS_URL": master.url, **environment},
        )

    return run


@pytest.mark.parametrize("verb", ["add", "remove", "total"])
def test_it_asks_the_master_and_prints_the_answer(scale: Scale, master: Master, verb: str) -> None:
    done = scale(JOB, verb, "5")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "5 workers have been add for execution: 863678b3\n"
    assert master.asked == [f"/jobs/{JOB}/_workers?{verb}=5"]


def test_an_execution_and_another_master(scale: Scale, master: Master) -> None:
    done = scale("--url", f"{master.url}/", "--ex", JOB, "total", "2", SLICEWORKS_URL="http://127.0.0.1:1")
    assert done.returncode == 0
    assert master.asked == [f"/ex/{JOB}/_workers?total=2"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "needs an ID"),
        ((JOB, "add"), "needs an ID"),
        ((JOB, "double", "2"), '"double" is none of add, remove, total'),
        ((JOB, "add", "-1"), '"-1" is no whole number'),
        ((JOB, "add", "1.5"), '"1.5" is no whole number'),
        ((JOB, "total", "0"), "must be greater than zero"),
        (("../cluster", "add", "1"), '"../cluster" is no id'),
        (("--force", JOB, "add", "1"), "there is no option --force"),
        (("--url",), "--url needs a URL"),
    ],
)
def test_wrong_usage(scale: Scale, master: Master, arguments: tuple[str, ...], reason: str) -> None:
    done = scale(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert master.asked == []


@pytest.mark.parametrize(
    ("status", "code"), [(400, 2), (404, 4), (405, 1), (409, 5), (410, 5), (500, 1), (503, 7)]
)
def test_what_the_master_refuses(scale: Scale, master: Master, status: int, code: int) -> None:
    master.refuse(status, 'it has 3 workers, "5" cannot be removed')
    done = scale(JOB, "remove", "5")
    assert (done.returncode, done.stdout) == (code, "")
    assert 'it has 3 workers, "5" cannot be removed' in done.stderr


def test_an_answer_that_is_none_of_a_master(scale: Scale, master: Master) -> None:
    master.status, master.body = 502, b"<html>Bad Gateway</html>"
    done = scale(JOB, "add", "1")
    assert done.returncode == 1
    assert "the master answered 502: <html>Bad Gateway</html>" in done.stderr


def test_a_master_that_is_not_there(scale: Scale) -> None:
    done = scale("--url", "http://127.0.0.1:1", JOB, "add", "1")
    assert (done.returncode, done.stdout) == (7, "")
    assert "no answer from http://127.0.0.1:1" in done.stderr


def test_help(scale: Scale) -> None:
    done = scale("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: scale-workers")
