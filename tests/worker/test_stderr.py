"""A worker's last lines: kept within bounds, passed on, and never a reason to wait."""

from __future__ import annotations

import json
import os
import sys

import pytest

from sliceworks.protocol.log import Style
from sliceworks.worker import stderr
from sliceworks.worker.stderr import (
    LINES_PER_SECOND,
    TAIL_BYTES,
    TAIL_LINES,
    Relay,
    Tail,
    WorkerStderr,
    adopt_stderr,
)


def test_the_last_lines_are_kept() -> None:
    lines: list[str] = []
    tail = Tail(lines.append)
    tail.add(b"".join(b"line %d\n" % number for number in range(TAIL_LINES + 7)) + b"no ")
    tail.add(b"line feed")
    tail.end()
    kept = tail.text.splitlines()
    assert len(kept) == TAIL_LINES
    assert kept[-2:] == [f"line {TAIL_LINES + 6}", "no line feed"]
    assert len(lines) == TAIL_LINES + 8


def test_what_is_kept_is_bounded_in_bytes_too() -> None:
    tail = Tail(lambda _: None)
    for _ in range(20):
        tail.add(b"x" * 1_000_000)
        tail.add(b"y" * 1_000 + b"\n")
    assert len(tail.text) <= TAIL_BYTES + TAIL_LINES
    assert tail.text.endswith("y" * 1_000)


def test_bytes_that_are_no_text_do_no_harm() -> None:
    tail = Tail(lambda _: None)
    tail.add(b"\xff\x00\xfe\n\n\r\n")
    assert tail.text == "�\x00�"


async def test_the_daemons_end_reads_to_the_end() -> None:
    lines: list[str] = []
    end = WorkerStderr(lines.append)
    os.write(end.write_end, b"one\ntwo")
    assert end.close() == "one\ntwo"
    assert end.close() == "one\ntwo", "closing twice does no harm"
    assert lines == ["one", "two"]


def test_a_full_pipe_never_stops_the_worker() -> None:
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        adopt_stderr(write_end)
        for _ in range(50):
            print("x" * 10_000, file=sys.stderr)
        os._exit(7)
    os.close(write_end)
    _, status = os.waitpid(pid, 0)
    os.close(read_end)
    assert os.waitstatus_to_exitcode(status) == 7


class Ticking:
    """A clock that a test sets."""

    now_ms = 0

    def monotonic_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return self.now_ms


def relay(style: Style = "json", clock: Ticking | None = None) -> Relay:
    return Relay(style=style, ex_id="ex", worker_id=3, clock=clock or Ticking())


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What was logged."""
    entries: list[dict[str, object]] = []

    class Log:
        def warning(self, event: str, **fields: object) -> None:
            entries.append({"event": event, **fields})

    monkeypatch.setattr(stderr, "log", Log())
    return entries


def test_lines_say_which_worker_they_are_from(capsys: pytest.CaptureFixture[str]) -> None:
    own = json.dumps({"event": "said", "worker_id": 3, "ex_id": "ex"})
    relay().take(own)
    assert capsys.readouterr().err == own + "\n"
    relay("console").take("hello")
    assert capsys.readouterr().err == "worker 3 of ex: hello\n"


@pytest.mark.parametrize("line", ["Traceback", "{no json", '{"event": "of another program"}', "[1]"])
def test_foreign_lines_become_log_lines(line: str, said: list[dict[str, object]]) -> None:
    relay().take(line)
    assert said == [{"event": "worker_stderr", "ex_id": "ex", "worker_id": 3, "text": line}]


def test_a_flood_is_cut_and_told(said: list[dict[str, object]]) -> None:
    clock = Ticking()
    flooded = relay(clock=clock)
    for _ in range(LINES_PER_SECOND + 100):
        flooded.take("y")
    assert len(said) == LINES_PER_SECOND
    clock.now_ms += 1_000
    flooded.take("n")
    flooded.tell_left_out()
    assert said[LINES_PER_SECOND:] == [
        {"event": "worker_stderr_cut", "ex_id": "ex", "worker_id": 3, "lines_left_out": 100},
        {"event": "worker_stderr", "ex_id": "ex", "worker_id": 3, "text": "n"},
    ]
