"""The script operation: records to a program and back, and how it ends."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sliceworks.operations.builtin.script import in_asset
from sliceworks.operations.bundle import AssetPlace, BundleError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def script(operation: Any) -> Any:
    """Runs a line of Python in place of a program."""

    def run(code: str, records: Any = None, *, args: tuple[str, ...] = (), **options: Any) -> Any:
        tested = operation("script", command=sys.executable, args=["-c", code, *args], **options)
        return tested.on_batch([{"a": 1}] if records is None else records)

    return run


def test_the_answer_of_the_program_goes_on(script: Any) -> None:
    code = "import json, sys; print(json.dumps([r | {'n': sys.argv[1]} for r in json.load(sys.stdin)]))"
    assert script(code, [{"a": 1}, {"a": 2}], args=("x",)) == [{"a": 1, "n": "x"}, {"a": 2, "n": "x"}]


def test_much_data_both_ways(script: Any) -> None:
    records = [{"text": "x" * 1000} for _ in range(2000)]
    assert script("import sys; sys.stdout.write(sys.stdin.read())", records) == records


def test_a_program_need_not_read(script: Any) -> None:
    records = [{"text": "x" * 1000} for _ in range(2000)]
    assert script("print('[]')", records) == []


def test_options_are_its_environment(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_WORKER", "w")
    code = "import os; print('[{\"a\": \"' + os.environ['FROM_WORKER'] + os.environ['MINE'] + '\"}]')"
    assert script(code, options={"MINE": 5}) == [{"a": "w5"}]


def test_a_failing_program_says_why(script: Any) -> None:
    code = "import sys; sys.stderr.write('x' * 9000 + 'the reason'); sys.exit(3)"
    with pytest.raises(RuntimeError, match="ended with exit code 3; the end of its std") as caught:
        script(code)
    assert str(caught.value).endswith("the reason")
    assert len(str(caught.value)) < 4500
    with pytest.raises(RuntimeError, match="exit code 1 and wrote nothing to stderr"):
        script("import sys; sys.exit(1)")


def test_a_killed_program_is_told(script: Any) -> None:
    with pytest.raises(RuntimeError, match=r"was killed by SIGKILL"):
        script("import os; os.kill(os.getpid(), 9)")
    with pytest.raises(RuntimeError, match="was killed by signal 40"):
        script("import os; os.kill(os.getpid(), 40)")


@pytest.mark.parametrize("answer", ["", "text", "5", "[1]", '{"a": 1}'])
def test_an_answer_that_is_no_array_of_objects_is_told(script: Any, answer: str) -> None:
    with pytest.raises(
        (ValueError, TypeError), match=r"answered no JSON|must answer a JSON array of objects"
    ):
        script("import sys; sys.stdin.read(); print(sys.argv[1])", args=(answer,))


def test_a_program_that_is_not_there_is_told(operation: Any) -> None:
    with pytest.raises(RuntimeError, match=r"cannot run no-such-program on this node: No such file"):
        operation("script", command="no-such-program").on_batch([])


def test_it_stays_in_the_process_group_of_its_worker(script: Any) -> None:
    (record,) = script("import os; print('[{\"group\": %d}]' % os.getpgid(0))")
    assert record["group"] == os.getpgid(0)


WORKER = """
import asyncio, sys
from pathlib import Path
from sliceworks.operations.chain import Chain, OperationContext, SliceTask
from sliceworks.protocol.documents import ExecutionSpec
code = "import os, time, sys; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
spec = ExecutionSpec.model_validate({"ex_id": "e", "job_id": "j", "operations": [
    {"_op": "data_generator"},
    {"_op": "script", "command": sys.executable, "args": ["-c", code, sys.argv[1]]}]})
async def main():
    chain = await Chain.open(spec, context=OperationContext(1, "n", "h", durable=False, scratch=None))
    await chain.run(SliceTask("s", 1, 1, b'{"start": 0, "count": 1}', 0))
asyncio.run(main())
"""


def test_it_dies_with_its_worker(tmp_path: Path) -> None:
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(fifo)], env={"PYTHONPATH": str(ROOT / ".dev")}
    )
    with worker:
        program = int(fifo.read_text())
        pidfd = os.pidfd_open(program)
        worker.kill()
    try:
        assert select.select([pidfd], [], [], 30)[0]
    finally:
        os.close(pidfd)


def test_faults(option_faults: Any) -> None:
    def faults(**options: Any) -> dict[str, str]:
        found: dict[str, str] = option_faults({"_op": "script", **options})
        return found

    assert faults(command="cat") == {}
    assert "is required" in faults()["command"]
    assert "must not be empty" in faults(command="")["command"]
    assert "must be one of the job's assets" in faults(command="x", asset="y")["asset"]
    assert "options" in faults(command="x", options={"A": [1]})


@pytest.fixture
def places(tmp_path: Path) -> list[AssetPlace]:
    """Two versions of an asset with a program, and a third asset."""
    found = []
    for asset_id, name, version in (
        ("a" * 40, "tools", "1.0.0"),
        ("b" * 40, "tools", "2.0.0"),
        ("c" * 40, "x", "1.0.0"),
    ):
        folder = tmp_path / asset_id
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "run").write_text("#!/bin/sh\necho '[]'\n")
        (folder / "bin" / "run").chmod(0o755)
        (folder / "notes").write_text("")
        found.append(AssetPlace(asset_id, name, version, folder))
    (tmp_path / "out").write_text("")
    return found


@pytest.mark.parametrize(
    ("identifier", "asset_id"),
    [("tools:1.0.0", "a"), ("tools:2.0.0", "b"), ("x", "c"), ("x:^1", "c"), ("b" * 40, "b")],
)
def test_a_program_may_be_in_an_asset(places: list[AssetPlace], identifier: str, asset_id: str) -> None:
    found = in_asset(identifier, "bin/run", places)
    assert Path(found).parent.parent.name == asset_id * 40


@pytest.mark.parametrize(
    ("identifier", "command", "said"),
    [
        ("tools", "bin/run", "asset tools can be any of 2 of the job"),
        ("x", "bin/walk", "asset x:1.0.0: there is no file bin/walk"),
        ("x", "../out", "there is no file"),
        ("x", "/bin/sh", "there is no file"),
        ("x", "notes", "notes cannot be executed"),
    ],
)
def test_a_program_that_is_not_in_its_asset(
    places: list[AssetPlace], identifier: str, command: str, said: str
) -> None:
    with pytest.raises((ValueError, BundleError), match=said):
        in_asset(identifier, command, places)
