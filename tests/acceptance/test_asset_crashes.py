"""A master that is killed during uploads and deletions: what was answered is so, and nothing is left."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.harness import Cluster, running_cluster
from tests.zips import operation_bundle

KILLS = 4
UPLOADERS = 3


@dataclass
class Uploader:
    """Uploads bundles of its own one after the other, and deletes every third."""

    cluster: Cluster
    number: int
    listed: set[str] = field(default_factory=set)
    unclear: set[str] = field(default_factory=set)
    """Nobody answered: they may be there, or not."""

    def run(self, done: threading.Event) -> None:
        place = 0
        while not done.is_set():
            place += 1
            version = f"{self.number}.{place}.0"
            asset_id = self._upload(version)
            if asset_id and place % 3 == 0:
                self._delete(asset_id, version)

    def _upload(self, version: str) -> str | None:
        try:
            answer = self.cluster.request("POST", "/assets", operation_bundle(version=version))
        except (OSError, http.client.HTTPException, ValueError):
            self.unclear.add(version)
            return None
        if answer.status != 201:
            self.unclear.add(version)
            return None
        self.listed.add(version)
        asset_id: str = answer.body["_id"]
        return asset_id

    def _delete(self, asset_id: str, version: str) -> None:
        self.listed.discard(version)
        self.unclear.add(version)
        try:
            if self.cluster.request("DELETE", f"/assets/{asset_id}").status == 200:
                self.unclear.discard(version)
        except (OSError, http.client.HTTPException, ValueError):
            pass


def test_what_was_answered_is_so_and_nothing_is_left(tmp_path: Path) -> None:
    dice = random.Random(1)
    with running_cluster(tmp_path) as cluster:
        uploaders = [Uploader(cluster, number) for number in range(1, UPLOADERS + 1)]
        done = threading.Event()
        threads = [threading.Thread(target=uploader.run, args=(done,)) for uploader in uploaders]
        for thread in threads:
            thread.start()
        for _ in range(KILLS):
            seen = sum(len(uploader.listed) for uploader in uploaders)
            cluster.eventually(_grown(uploaders, seen + 1 + dice.randrange(4)), "uploads are answered")
            cluster.kill("master")
            cluster.start("master")
        done.set()
        for thread in threads:
            thread.join()
        cluster.kill("master")
        cluster.start("master")
        assets = cluster.get("/assets", size=10_000)
    versions = {asset["version"] for asset in assets}
    listed = {version for uploader in uploaders for version in uploader.listed}
    unclear = {version for uploader in uploaders for version in uploader.unclear}
    assert listed <= versions <= listed | unclear
    folder = tmp_path / "master" / "assets"
    expected = {name for asset in assets for name in (asset["id"], f"{asset['id']}.zip")}
    assert {path.name for path in folder.iterdir()} == {".incoming", *expected}
    assert list((folder / ".incoming").iterdir()) == []


def _grown(uploaders: list[Uploader], size: int) -> Callable[[], bool]:
    return lambda: sum(len(uploader.listed) for uploader in uploaders) >= size
