"""Output files: whole or not at all, when writes fail and when writers are killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sliceworks.operations.builtin import output
from sliceworks.operations.builtin.journal import repair
from sliceworks.operations.builtin.output import AppendedFile, replace_file

ROOT = Path(__file__).parents[3]

# writes one slice whole, then half of another, and says so
WRITER = """
import os, sys, time
from pathlib import Path
from sliceworks.operations.builtin import output
path, mode, left = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
if mode == "durable, no notes":
    output.can_note = lambda descriptor: False
file = output.AppendedFile(path, node_id="node-1", durable=mode != "fast")
if left != "nothing":
    file.append(b"whole\\n")
os.pwrite(file._descriptor, b"half", file.length)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def killed_writer(tmp_path: Path) -> Callable[..., Path]:
    """A file whose writer was killed with half a slice written."""

    def make(*, mode: str = "durable", left: str = "whole", kill: bool = True) -> Path:
        path = tmp_path / "out.txt"
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), mode, left],
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT / ".dev")},
        )
        with writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            if not kill:
                assert repair(tmp_path, "node-1") == []
            writer.send_signal(signal.SIGKILL)
        return path

    return make


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["durable", "durable, no notes", "fast"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppendedFile:
    if request.param == "durable, no notes":
        monkeypatch.setattr(output, "can_note", lambda descriptor: False)
    return AppendedFile(tmp_path / "out.txt", node_id="node-1", durable=request.param != "fast")


def test_slices_are_added_and_the_journal_goes_at_the_end(opened: AppendedFile, tmp_path: Path) -> None:
    opened.append(b"one\n")
    opened.append(b"two\n")
    assert names(tmp_path) == [".out.txt.journal.tmp", "out.txt"]
    opened.close()
    assert names(tmp_path) == ["out.txt"]
    assert opened.path.read_bytes() == b"one\ntwo\n"


def test_an_empty_file_is_removed(opened: AppendedFile, tmp_path: Path) -> None:
    opened.close()
    assert names(tmp_path) == []


def test_a_file_is_never_opened_twice(opened: AppendedFile, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        AppendedFile(tmp_path / "out.txt", node_id="node-1", durable=False)
    opened.close()


def short_writes(monkeypatch: pytest.MonkeyPatch, *, fail_after: int) -> None:
    """Each write takes 3 bytes; after so many of them the disk is full."""
    original, left = os.pwrite, [fail_after]

    def write(descriptor: int, data: bytes, offset: int) -> int:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= 1
        return original(descriptor, data[:3], offset)

    monkeypatch.setattr(os, "pwrite", write)


def test_a_failed_write_is_undone_and_the_next_succeeds(opened: AppendedFile) -> None:
    opened.append(b"one\n")
    with pytest.MonkeyPatch.context() as patch:
        short_writes(patch, fail_after=2)
        with pytest.raises(OSError, match="No space left"):
            opened.append(b"two two two\n")
    assert opened.path.read_bytes() == b"one\n"
    assert not opened.is_broken
    opened.append(b"three\n")
    opened.close()
    assert opened.path.read_bytes() == b"one\nthree\n"


def test_a_write_that_cannot_be_undone_leaves_the_journal(opened: AppendedFile, tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    opened.append(b"one\n")
    with pytest.MonkeyPatch.context() as patch:
        short_writes(patch, fail_after=2)
        patch.setattr(os, "ftruncate", fail)
        with pytest.raises(OSError, match="No space left"):
            opened.append(b"two two two\n")
    assert opened.is_broken
    opened.close()
    assert names(tmp_path) == [".out.txt.journal.tmp", "out.txt"]


def test_a_journal_that_cannot_be_moved_on_ends_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "can_note", lambda descriptor: False)
    opened = AppendedFile(tmp_path / "out.txt", node_id="node-1", durable=True)
    opened.append(b"one\n")
    with pytest.MonkeyPatch.context() as patch:
        short_writes(patch, fail_after=2)
        with pytest.raises(OSError, match="No space left"):
            opened.append(b"two\n")  # two short writes for the slice, none for the journal
    assert opened.is_broken
    opened.close()
    assert opened.path.read_bytes() == b"one\n"


def test_a_note_that_cannot_be_made_fails_the_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = AppendedFile(tmp_path / "out.txt", node_id="node-1", durable=True)
    opened.append(b"one\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "note", _no_space)
        with pytest.raises(OSError, match="No space left"):
            opened.append(b"two\n")
    opened.append(b"three\n")
    opened.close()
    assert opened.path.read_bytes() == b"one\nthree\n"
    assert os.listxattr(opened.path) == []


def _no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_one_sync_a_slice_where_notes_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = AppendedFile(tmp_path / "out.txt", node_id="node-1", durable=True)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    monkeypatch.setattr(os, "fdatasync", synced.append)
    opened.append(b"one\n")
    assert len(synced) == 1
    opened.close()


def test_a_file_that_was_closed_is_never_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer is killed after the note was removed, before the journal is."""
    opened = AppendedFile(tmp_path / "out.txt", node_id="node-1", durable=True)
    opened.append(b"one\n")
    journal = tmp_path / ".out.txt.journal.tmp"
    text = journal.read_text()
    opened.close()
    journal.write_text(text.replace('"pid":', '"pid":4').replace('"start_time":', '"start_time":4'))
    assert repair(tmp_path, "node-1") == []
    assert opened.path.read_bytes() == b"one\n"
    assert names(tmp_path) == ["out.txt"]


@pytest.mark.parametrize("mode", ["durable", "durable, no notes", "fast"])
def test_half_a_slice_of_a_killed_writer_is_cut_off(
    killed_writer: Callable[..., Path], tmp_path: Path, mode: str
) -> None:
    path = killed_writer(mode=mode)
    assert path.read_bytes() == b"whole\nhalf"
    assert repair(tmp_path, "another node") == []
    assert repair(tmp_path, "node-1") == [path]
    assert path.read_bytes() == b"whole\n"
    assert names(tmp_path) == ["out.txt"]
    assert os.listxattr(path) == []


def test_a_file_without_a_whole_slice_goes(killed_writer: Callable[..., Path], tmp_path: Path) -> None:
    path = killed_writer(left="nothing")
    assert repair(tmp_path, "node-1") == [path]
    assert names(tmp_path) == []


def test_nothing_is_touched_while_the_writer_lives(
    killed_writer: Callable[..., Path], tmp_path: Path
) -> None:
    killed_writer(kill=False)
    assert repair(tmp_path, "node-1") == [tmp_path / "out.txt"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("durable", b"whole\n"), ("durable, no notes", b"whole\n"), ("fast", b"whole\nhalf")],
)
def test_after_a_reboot_only_a_durable_journal_is_believed(
    killed_writer: Callable[..., Path], tmp_path: Path, mode: str, expected: bytes
) -> None:
    path = killed_writer(mode=mode)
    journal = tmp_path / ".out.txt.journal.tmp"
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    journal.write_text(journal.read_text().replace(boot_id, "an earlier boot"))
    repair(tmp_path, "node-1")
    assert path.read_bytes() == expected
    assert not journal.exists()


def test_what_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    for name in (".x.journal.tmp", "y.journal.tmp", ".z.tmp"):
        (tmp_path / name).write_bytes(b"text")
    assert repair(tmp_path, "node-1") == []
    assert len(names(tmp_path)) == 3


@pytest.mark.parametrize("durable", [True, False])
def test_a_slice_file_is_replaced_whole(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "slice.txt"
    replace_file(path, b"one", durable=durable)
    replace_file(path, b"two", durable=durable)
    assert path.read_bytes() == b"two"
    assert names(tmp_path) == ["slice.txt"]


def test_a_slice_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "slice.txt"
    replace_file(path, b"one", durable=False)
    with pytest.MonkeyPatch.context() as patch:
        short_writes(patch, fail_after=1)
        with pytest.raises(OSError, match="No space left"):
            replace_file(path, b"two two", durable=False)
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["slice.txt"]
