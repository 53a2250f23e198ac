"""The files of assets, in `assets_directory`: `<asset_id>.zip` as it was sent, and `<asset_id>/` unpacked.

Everything is made aside, below `.incoming/`, made durable, and then moved: a name that is there is whole.
What a crash leaves is told by its name, and removed at the next start.  All methods block.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from sliceworks.operations.archive import sync, unpack
from sliceworks.protocol.errors import ConfigError

_INCOMING: Final = ".incoming"
_OURS: Final = re.compile(r"(?P<asset_id>[0-9a-f]{40})(\.zip)?|\.[0-9a-f]{40}\.[0-9a-f]{8}")


class AssetFolder:
    """The one folder; made when it is first needed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self, known: Collection[str]) -> list[str]:
        """Make it, and remove what is of no known asset; the names of that.

        Raises ConfigError if it cannot be used.
        """
        try:
            (self.root / _INCOMING).mkdir(parents=True, exist_ok=True)
            left = [path for path in self.root.iterdir() if _is_left(path.name, known)]
            left += (self.root / _INCOMING).iterdir()
        except OSError as error:
            message = (
                f"the assets directory {self.root} cannot be used: {error.strerror}: set assets_directory"
            )
            raise ConfigError(message) from error
        for path in left:
            _remove(path)
        return sorted(path.name for path in left)

    def zip_path(self, asset_id: str) -> Path:
        """Where its zip is."""
        return self.root / f"{asset_id}.zip"

    def directory(self, asset_id: str) -> Path:
        """Where it is unpacked."""
        return self.root / asset_id

    def is_whole(self, asset_id: str) -> bool:
        """Whether all its files are there."""
        return self.zip_path(asset_id).is_file() and self.directory(asset_id).is_dir()

    def make_aside(self) -> Path:
        """A fresh folder; whoever is done with it has it discarded."""
        place = self.root / _INCOMING / secrets.token_hex(8)
        place.mkdir(parents=True)
        return place

    def discard(self, place: Path) -> None:
        """Remove such a folder with all that is in it."""
        _remove(place)

    def put(self, uploaded: Path, asset_id: str) -> None:
        """Unpack an upload into place, then move it into place; both are on disk when this returns."""
        unpack(uploaded, self.directory(asset_id))
        sync(uploaded)
        uploaded.rename(self.zip_path(asset_id))
        sync(self.root)

    def remove(self, asset_id: str) -> None:
        """Remove both; no error if they are gone."""
        self.zip_path(asset_id).unlink(missing_ok=True)
        aside = self.make_aside()
        with contextlib.suppress(FileNotFoundError):
            self.directory(asset_id).rename(aside / asset_id)
        self.discard(aside)


def _is_left(name: str, known: Collection[str]) -> bool:
    """Whether a name is one that only this module gives, and belongs to nothing; what else is there stays."""
    match = _OURS.fullmatch(name)
    return match is not None and match["asset_id"] not in known


def _remove(path: Path) -> None:
    """As far as it can be; the next start tries again."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, onerror=_insist)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _insist(action: Callable[..., object], path: str, _: object) -> None:
    """Try again with the rights to; what cannot be removed then is left to the next start."""
    with contextlib.suppress(OSError):
        Path(path).parent.chmod(stat.S_IRWXU)
        Path(path).chmod(stat.S_IRWXU)
        action(path)
