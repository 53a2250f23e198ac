"""Assets in a real cluster: two versions side by side, pins, nodes that fetch, caches that rot."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from tests.acceptance.harness import Cluster, running_cluster
from tests.acceptance.jobs import delay, exporter, generated, noop, written_records
from tests.zips import bundle

MARK = """
from sliceworks.operations import BatchProcessor, StrictOptions
from helpers.text import decorated

class Mark(BatchProcessor):
    class Options(StrictOptions):
        ms: int = 0
    def on_batch(self, records):
        import time
        import helpers.version  # as late as it can be
        from dep import NAME
        time.sleep(self.op_config.ms / 1000)
        mark = decorated(helpers.version.VERSION) + NAME
        return [{**record, "marks": [*record.get("marks", []), mark]} for record in records]
"""
HOOKED = """
from pathlib import Path
from sliceworks.operations import Fetcher, Slicer, StrictOptions

class Options(StrictOptions):
    notes: str
    count: int = 50

class Numbers(Slicer):
    Options = Options
    def initialize(self, recovery):
        self.next = 0
        self.notes = Path(self.op_config.notes).open("a")
    def slice(self):
        self.next += 1
        return {"n": self.next} if self.next <= self.op_config.count else None
    def note(self, what, sliced):
        self.notes.write(f"{what} {sliced.request['n']}\\n")
    def on_slice_enqueued(self, sliced):
        self.note("enqueued", sliced)
    def on_slice_dispatch(self, sliced):
        self.note("dispatch", sliced)
    def on_slice_complete(self, result):
        self.note(result.state, result.slice)
    def shutdown(self):
        self.notes.close()

class Records(Fetcher):
    Options = Options
    def fetch(self, request):
        return [dict(request)]
"""


def tools(version: str) -> bytes:
    """An asset whose operation tells its version; modules and wheel have the same names in every version."""
    files: dict[str, bytes | str] = {
        "mark/__init__.py": "",
        "mark/processor.py": MARK,
        "helpers/__init__.py": "",
        "helpers/text.py": "from . import version\ndef decorated(text): return f'<{text}{version.VERSION}>'",
        "helpers/version.py": f"VERSION = {version!r}",
        "wheels/dep-1.0-py3-none-any.whl": _wheel(version),
    }
    return bundle(files, name="tools", version=version)


def _wheel(version: str) -> bytes:
    # A bundle is a zip like any other; a wheel needs no asset.json, but may have one.
    return bundle({"dep.py": f"NAME = 'dep of {version}'"})


def marks_of(version: str) -> list[str]:
    return [f"<{version}{version}>dep of {version}"]


def upload(cluster: Cluster, content: bytes) -> str:
    """The asset's id."""
    asset_id: str = cluster.post("/assets", content)["asset_id"]
    return asset_id


def marked(folder: Path) -> set[tuple[str, ...]]:
    """All the different marks that were written."""
    return {tuple(record["marks"]) for record in written_records(folder)} if folder.exists() else set()


def test_two_versions_are_used_at_once_and_one_is_deleted_meanwhile(tmp_path: Path) -> None:
    with running_cluster(tmp_path / "cluster", 4) as cluster:
        ids = {version: upload(cluster, tools(version)) for version in ("1.0.0", "2.0.0")}
        steps = {version: tmp_path / version for version in ids}
        runs = {
            version: cluster.submit(
                generated(
                    {"_op": "mark", "ms": 5},
                    exporter(folder),
                    size=3,
                    lifecycle="persistent",
                    assets=[f"tools:{version}"],
                )
            )
            for version, folder in steps.items()
        }
        for run in runs.values():
            cluster.wait_completed(run, 20)
        cluster.request("DELETE", f"/assets/{ids['1.0.0']}")
        cluster.post(f"/ex/{runs['1.0.0']}/_workers", total=1)
        done = cluster.counts(runs["1.0.0"])["completed"]
        cluster.wait_completed(runs["1.0.0"], done + 20)
        for run in runs.values():
            cluster.post(f"/ex/{run}/_stop")
        assert {version: marked(folder) for version, folder in steps.items()} == {
            version: {tuple(marks_of(version))} for version in ids
        }
        execution = cluster.get(f"/ex/{runs['2.0.0']}")
        assert execution["assets"] == [ids["2.0.0"]]


def test_pinned_and_unpinned_operations_work_together_in_one_process(tmp_path: Path) -> None:
    with running_cluster(tmp_path / "cluster", 1) as cluster:
        for version in ("1.0.0", "2.0.0"):
            upload(cluster, tools(version))
        upload(cluster, bundle({"numbers.py": HOOKED}, name="numbers"))
        script = "#!/bin/sh\nexec cat\n"
        upload(cluster, _with_program(script))
        reader = {"_op": "numbers", "notes": str(tmp_path / "notes"), "count": 30}
        steps = [
            {"_op": "mark@tools:1.0.0"},
            {"_op": "mark@tools:^2"},
            {"_op": "script", "command": "bin/pass", "asset": "programs"},
            exporter(tmp_path / "out"),
        ]
        job = {
            "name": "pins",
            "workers": 1,
            "operations": [reader, *steps],
            "assets": ["tools:1.0.0", "tools:^2", "numbers", "programs"],
        }
        run = cluster.submit(job)
        assert cluster.wait_until_over(run) == "completed"
        assert marked(tmp_path / "out") == {(*marks_of("1.0.0"), *marks_of("2.0.0"))}
        assert sorted(record["n"] for record in written_records(tmp_path / "out")) == list(range(1, 31))
        cluster.wait_until_gone(run)
        notes = (tmp_path / "notes").read_text().splitlines()
        wanted = [f"{what} {n}" for what in ("enqueued", "dispatch", "completed") for n in range(1, 31)]
        assert sorted(notes) == sorted(wanted)


def test_each_node_fetches_an_asset_once_and_a_damaged_copy_again(tmp_path: Path) -> None:
    with running_cluster(tmp_path / "cluster", 2, 2) as cluster:
        asset = upload(cluster, tools("1.0.0"))
        step = {"_op": "mark", "ms": 10}
        job = generated(
            step, exporter(tmp_path / "out"), size=1, lifecycle="persistent", assets=["tools"], workers=4
        )
        run = cluster.submit(job)
        cluster.wait_workers(run, 4)
        cluster.wait_completed(run, 40)
        for name in ("worker", "worker2"):
            assert fetched(cluster, name) == 1
        copy = cluster.folder / "worker" / "assets" / asset
        cluster.kill("worker")
        (copy / "helpers" / "version.py").write_text("VERSION = 'rotten'")
        cluster.start("worker")
        cluster.wait_workers(run, 4)
        done = cluster.counts(run)["completed"]
        cluster.wait_completed(run, done + 40)
        cluster.post(f"/ex/{run}/_stop")
        assert "asset_damaged" in cluster.daemons["worker"].log_text()
        assert (fetched(cluster, "worker"), fetched(cluster, "worker2")) == (2, 1)
        assert marked(tmp_path / "out") == {tuple(marks_of("1.0.0"))}


def test_an_asset_that_cannot_be_had_ends_the_execution_with_its_reason(tmp_path: Path) -> None:
    with running_cluster(tmp_path / "cluster", 1) as cluster:
        asset = upload(cluster, tools("1.0.0"))
        (cluster.folder / "master" / "assets" / f"{asset}.zip").write_bytes(tools("2.0.0"))
        run = cluster.submit(generated({"_op": "mark"}, size=1, assets=["tools"], workers=1))
        assert cluster.wait_until_over(run) == "failed"
        reason = cluster.get(f"/ex/{run}")["_failureReason"]
        assert f"asset {asset} came from the master with the digest" in reason


def test_code_that_fails_on_a_node_only_is_said_with_its_file(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.write_text("")
    text = f"""
from sliceworks.operations import MapProcessor
open({str(flag)!r})
class Fussy(MapProcessor):
    def map(self, record):
        return record
"""
    with running_cluster(tmp_path / "cluster", 1) as cluster:
        upload(cluster, bundle({"fussy/processor.py": text}, name="fussy"))
        run = cluster.submit(generated(delay(5), {"_op": "fussy"}, size=100_000, assets=["fussy"], workers=1))
        cluster.wait_completed(run, 1)
        flag.unlink()
        cluster.kill("worker")
        cluster.start("worker")
        assert cluster.wait_until_over(run) == "failed"
        reason = cluster.get(f"/ex/{run}")["_failureReason"]
        assert "asset fussy:1.0.0: fussy/processor.py: cannot be imported" in reason
        assert "FileNotFoundError" in reason


def test_what_a_job_gets_wrong_is_said_when_it_is_submitted(tmp_path: Path) -> None:
    def faults(**changes: Any) -> dict[str, str]:
        answer = cluster.request("POST", "/jobs", generated(noop(), size=1) | changes)
        assert answer.status == 400
        return {fault["path"]: fault["message"] for fault in answer.body["faults"]}

    def with_op(name: str, **options: Any) -> list[dict[str, Any]]:
        return [{"_op": "data_generator"}, {"_op": name, **options}]

    with running_cluster(tmp_path / "cluster") as cluster:
        for version in ("1.0.0", "2.0.0"):
            upload(cluster, tools(version))
        both = ["tools:1.0.0", "tools:2.0.0"]
        assert (
            "could not find the hashID"
            in faults(operations=with_op("mark@tools:3"), assets=both)["operations.1._op"]
        )
        assert (
            "Multiple assets containing"
            in faults(operations=with_op("mark"), assets=both)["operations.1._op"]
        )
        found = faults(operations=with_op("mark@tools:2.0.0", ms="x"), assets=both)
        assert found["operations.1.ms"].startswith("operation mark, option ms:")
        assert (
            "did you mean mark?" in faults(operations=with_op("marc"), assets=["tools"])["operations.1._op"]
        )


def _with_program(text: str) -> bytes:
    content = io.BytesIO(bundle(name="programs"))
    with zipfile.ZipFile(content, "a") as archive:
        info = zipfile.ZipInfo("bin/pass", (2026, 1, 1, 0, 0, 0))
        info.create_system, info.external_attr = 3, 0o100755 << 16
        archive.writestr(info, text)
    return content.getvalue()


def fetched(cluster: Cluster, name: str) -> int:
    """How often a node has fetched an asset."""
    return cluster.daemons[name].log_text().count("asset_fetched")
