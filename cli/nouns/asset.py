"""`sliceworks asset`: bundles of operations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sliceworks.cli.groups import NounGroup
from sliceworks.cli.nouns.lists import Columns, Wanted, print_list
from sliceworks.cli.nouns.many import Done, Printer, for_each
from sliceworks.cli.nouns.options import api_options, dry_run_option, list_options, quiet_option
from sliceworks.cli.nouns.targets import targets_argument
from sliceworks.cli.output import Style, default_style
from sliceworks.protocol.errors import InvalidError

if TYPE_CHECKING:
    from sliceworks.cli.client import Client

COLUMNS: Final = Columns("id", ("id", "name", "version", "_created", "description"))
_PATH = click.Path(path_type=Path, exists=True)


@click.group(cls=NounGroup)
def asset() -> None:
    """Build, deploy and list assets: bundles of operations.

    \b
    sliceworks new operation shout && sliceworks asset build shout -o shout.zip
    sliceworks asset deploy shout.zip
    """


@asset.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it.  [default: NAME-VERSION.zip]",
)
def build(*, folder: Path, target: Path | None) -> None:
    """Make a zip of the bundle in DIR, after a check of its asset.json.

    The same files give the same bytes, and so the same id, wherever it is built. Hidden files and
    caches are left out, and at the top tests, job.json, zips, `build` and `dist`.
    """
    from sliceworks.cli.bundle import build_bundle

    bundle = build_bundle(folder)
    path = target or Path(f"{bundle.name}-{bundle.version}.zip")
    path.write_bytes(bundle.data)
    document = {"id": bundle.asset_id, "name": bundle.name, "version": bundle.version, "file": str(path)}
    words = f"{path}: {bundle.name} {bundle.version}, {len(bundle.files)} files, id {bundle.asset_id}"
    Printer(default_style(), "id").show(Done({**document, "files": bundle.files}, words))


@asset.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=_PATH)
@quiet_option
@api_options
def deploy(*, paths: Sequence[Path], quiet: bool, url: str, style: Style) -> int:
    """Upload a zip, or a folder, which is built first.

    The master checks it before it answers. Deploying the same bytes again is no error; other bytes under a
    version that is there are one (5).
    """
    contents = {str(path): _bytes_of(path) for path in paths}

    async def work(client: Client, path: str) -> Done:
        deployed = await client.assets.deploy(contents[path])
        told = "deployed" if deployed.is_new else "was there already"
        document = {"id": deployed.asset_id, "asset_id": deployed.asset_id, "is_new": deployed.is_new}
        return Done(document, f"{path}: {told}, id {deployed.asset_id}")

    return for_each(list(contents), work, url=url, printer=Printer(style, "asset_id", quiet))


@asset.command("list")
@click.argument("name", required=False)
@click.argument("version", required=False)
@list_options
@api_options
def list_(*, name: str | None, version: str | None, url: str, style: Style, **options: Any) -> None:
    """List assets, the newest first: all, or those of NAME and VERSION, which may have `*`."""
    print_list(
        lambda client: client.assets.list(name, version), Wanted(**options), COLUMNS, url=url, style=style
    )


@asset.command()
@targets_argument("id")
@api_options
def show(*, targets: Sequence[str], url: str, style: Style) -> int:
    """Print an asset, by its id, `name` (the newest) or `name:version`."""

    async def work(client: Client, target: str) -> Done:
        return Done((await client.assets.get(target)).document)

    return for_each(targets, work, url=url, printer=Printer(style, "id"))


@asset.command()
@targets_argument("id")
@dry_run_option
@quiet_option
@api_options
def delete(*, targets: Sequence[str], dry_run: bool, quiet: bool, url: str, style: Style) -> int:
    """Delete assets, by their ids; what runs keeps what it has."""
    work = _only_said if dry_run else _delete
    return for_each(targets, work, url=url, printer=Printer(style, "asset_id", quiet))


async def _delete(client: Client, target: str) -> Done:
    _check_id(target)
    deleted = await client.assets.delete(target)
    return Done({"id": deleted, "asset_id": deleted}, f"asset {target}: deleted")


async def _only_said(client: Client, target: str) -> Done:
    _check_id(target)
    found = await client.assets.get(target)
    living = client.executions.list(status=_LIVING)
    users = [each.ex_id async for each in living.everything() if target in (each.assets or ())]
    document = {
        "asset_id": target,
        "dry_run": True,
        "would": "delete",
        "name": found.name,
        "version": found.version,
        "used_by": users,
    }
    used = f", which {len(users)} living executions use: {', '.join(users)}" if users else ""
    return Done(document, f"asset {target}: would delete {found.name} {found.version}{used}")


_LIVING: Final = (
    "pending",
    "scheduling",
    "initializing",
    "recovering",
    "running",
    "failing",
    "paused",
    "stopping",
)


def _check_id(text: str) -> None:
    if not re.fullmatch("[0-9a-f]{40}", text):
        message = f"{text} is no id of an asset: `sliceworks asset list` prints them"
        raise InvalidError(message)


def _bytes_of(path: Path) -> bytes:
    from sliceworks.cli.bundle import build_bundle

    return build_bundle(path).data if path.is_dir() else path.read_bytes()
