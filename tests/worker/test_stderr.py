"""A worker's last lines: kept within bounds, passed on, and never a reason to wait."""

from __future__ import annotations

import json
import os

import pytest

from sliceworks.worker import stderr
from sliceworks.worker.stderr import TAIL_BYTES, TAIL_LINES, Tail, WorkerStderr, adopt_stderr, pass_on


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
            print("x" * 10_000, file=stderr.sys.stderr)
        os._exit(7)
    os.close(write_end)
    _, status = os.waitpid(pid, 0)
    os.close(read_end)
    assert os.waitstatus_to_exitcode(status) == 7


def test_lines_say_which_worker_they_are_from(capsys: pytest.CaptureFixture[str]) -> None:
    own = json.dumps({"event": "said", "worker_id": 3, "ex_id": "ex"})
    pass_on(own, style="json", ex_id="ex", worker_id=3)
    assert capsys.readouterr().err == own + "\n"
    pass_on("hello", style="console", ex_id="ex", worker_id=3)
    assert capsys.readouterr().err == "worker 3 of ex: hello\n"


@pytest.mark.parametrize("line", ["Traceback", "{no json", '{"event": "of another program"}', "[1]"])
def test_foreign_lines_become_log_lines(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, object]] = []

    class Log:
        def warning(self, event: str, **fields: object) -> None:
            said.append({"event": event, **fields})

    monkeypatch.setattr(stderr, "log", Log())
    pass_on(line, style="json", ex_id="ex", worker_id=3)
    assert said == [{"event": "worker_stderr", "ex_id": "ex", "worker_id": 3, "text": line}]
