"""The table of hostile uploads: what is sent to a real cluster, what it answers, what is on its disk after.

    PYTHONPATH=.dev:. .venv/bin/python tests/master/assets/hostile.py [DATA_DIR]

It starts `sliceworks dev` on a free port, uploads one good bundle, and then every hostile one.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.master.assets.test_hostile import HOSTILE_IMPORTS
from tests.zips import HOSTILE, bundle, operation_bundle

_HEADERS = {"Content-Type": "application/octet-stream"}
_WIDTH = 44


async def main(data_dir: Path) -> int:
    uploads = {what: make() for what, make in HOSTILE.items()}
    uploads |= {
        f"its import {what}": bundle({"shout/processor.py": code})
        for what, (code, _) in HOSTILE_IMPORTS.items()
    }
    uploads["larger than an asset may be"] = bytes(101 * 1024 * 1024)
    async with _cluster(data_dir) as url, aiohttp.ClientSession(url) as session:
        await _send(session, operation_bundle(name="good"))
        before = _listing(data_dir)
        print(f"before: {len(before)} files and folders below {data_dir}")
        failures = 0
        for what, content in uploads.items():
            status, message = await _send(session, content)
            message = message.replace("\n", " | ")
            same = _listing(data_dir) == before
            failures += not same or status not in (413, 422)
            print(f"{what:{_WIDTH}} {status}  {'same' if same else 'CHANGED'}  {message[:150]}")
        after = _listing(data_dir)
        print(
            f"after: {len(after)} files and folders; {len(uploads)} uploads, {failures} not as they should be"
        )
        print("\n".join(after))
    return failures


def _listing(data_dir: Path) -> list[str]:
    """Names and sizes of all that is there, but for what the store keeps in motion."""
    return [
        f"{path.relative_to(data_dir)} {path.stat().st_size if path.is_file() else '/'}"
        for path in sorted(data_dir.rglob("*"))
        if not path.name.startswith("cluster.db")
    ]


async def _send(session: aiohttp.ClientSession, content: bytes) -> tuple[int, str]:
    try:
        async with session.post("/assets", data=io.BytesIO(content), headers=_HEADERS) as response:
            answer = await response.json()
            return response.status, answer.get("message", answer.get("_id", ""))
    except aiohttp.ClientError as error:
        return 0, str(error)


@asynccontextmanager
async def _cluster(data_dir: Path) -> AsyncIterator[str]:
    command = (sys.executable, "-m", "sliceworks.cli", "dev", "--port", "0", "--workers", "1")
    process = await asyncio.create_subprocess_exec(
        *command,
        "--data-dir",
        str(data_dir),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().split()[1]
    finally:
        process.terminate()
        await process.wait()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="sliceworks-hostile-") as folder:
        sys.exit(asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else folder))) != 0)
