"""Writes `docs/cli.md` from the commands themselves."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator

import click

from sliceworks.cli.main import sliceworks
from sliceworks.cli.tree import walk
from tools.generated import main_of

PAGE = "docs/cli.md"
SETTINGS = frozenset({"sliceworks master", "sliceworks worker", "sliceworks config show"})
"""Their flags are the settings, which have a page of their own."""


def page() -> str:
    """The whole page; the same on every machine."""
    commands = dict(walk(sliceworks))
    parts = [_HEAD, *_contents(commands)]
    for path, command in commands.items():
        if path != "sliceworks":
            parts += ["", *_section(path, command)]
    return "\n".join(parts) + "\n"


_HEAD = """# Command line

Made from the commands by `make docs`.

**What is printed.** A table on a terminal, one JSON document a line (NDJSON) on a pipe; `-o` chooses:
`table`, `json` or `ndjson`. `-q` prints ids only. JSON has all that the master answers, a table the
columns that matter. Errors, progress and logs go to stderr. `NO_COLOR=1` takes the colors away. Nothing
asks for confirmation, on a terminal as in a pipe: where something is destroyed, `--dry-run` says what
would happen, and refuses what would be refused.

**Which master.** `--url`, or the variable `SLICEWORKS_URL`, or `http://127.0.0.1:5678`.

**Many ids.** Where `ID...` stands, several can be given, and `-` stands for those on stdin: one a line,
or NDJSON with a field `job_id`, `ex_id`, `node_id` or `id`. So lists and verbs can be joined:

```sh
sliceworks ex list -q --status running,failing | sliceworks ex pause -
sliceworks job list --all | jq -c 'select(.workers > 8)' | sliceworks job workers - --total 8
jq -c '.[]' jobs.json | sliceworks job submit -q - | sliceworks job wait -
```

**Lists.** `--size` and `--from` give a part, `--sort` orders, `--filter` chooses (Lucene syntax over the
stored fields, such as `name:nightly* AND _status:(failed OR stopped)`). `--all` reads everything, page
by page.

**Exit codes.**

| code | meaning |
| --- | --- |
| 0 | ok |
| 1 | an error that has no code of its own |
| 2 | wrong usage; a job, file or bundle that is refused |
| 3 | partly done: of several ids, some failed (each is told on stderr) |
| 4 | nothing found: no such job, execution, asset, node |
| 5 | conflict: its status does not allow it, or it is there already |
| 6 | not allowed |
| 7 | the master cannot be reached, or cannot do it now |
| 10 | the run failed, or was rejected |
| 11 | the wait timed out |
| 12 | the run was stopped or terminated |
| 130 | Ctrl-C |

If several ids all fail with one code, that is the exit code; if they fail with different ones, it is 1.

**Shell completion.** `sliceworks completion bash` (or `zsh`, `fish`) prints it, see
[below](#sliceworks-completion).

**In programs.** What the commands are made of: [the Python client](client.md).
"""

_EVERYWHERE = frozenset({"url", "style"})
"""Options that the head of the page tells of."""


def _contents(commands: dict[str, click.Command]) -> Iterator[str]:
    yield "## Commands\n\n| command | does |\n| --- | --- |"
    for path, command in commands.items():
        if not isinstance(command, click.Group):
            yield f"| [`{path}`](#{path.replace(' ', '-')}) | {_first_line(command)} |"


def _first_line(command: click.Command) -> str:
    return command.get_short_help_str(200).replace("|", "\\|")


def _section(path: str, command: click.Command) -> Iterator[str]:
    level = "##" if path.count(" ") == 1 else "###"
    yield f"{level} {path}\n"
    yield _prose(inspect.cleandoc(command.help or ""))
    if isinstance(command, click.Group):
        return
    context = click.Context(command, info_name=path)
    yield f"\n```\n{' '.join([path, *command.collect_usage_pieces(context)])}\n```"
    options = [option for option in command.params if isinstance(option, click.Option) and _is_shown(option)]
    if path in SETTINGS:
        options = [option for option in options if option.name == "config"]
        yield "\nEvery [setting](settings.md) is a flag of it."
    if options:
        yield "\n| option | meaning |\n| --- | --- |"
        yield from (_option(option, context) for option in options)


def _is_shown(option: click.Option) -> bool:
    return not option.hidden and option.name not in _EVERYWHERE


def _option(option: click.Option, context: click.Context) -> str:
    names, text = option.get_help_record(context) or ("", "")
    cells = [cell.replace("|", "\\|") for cell in (f"`{names}`", re.sub(r"  +", " ", text))]
    return f"| {cells[0]} | {cells[1]} |"


def _prose(text: str) -> str:
    """Paragraphs as they are; those that click shall not wrap are examples."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        "```sh\n" + paragraph.removeprefix("\b\n") + "\n```" if paragraph.startswith("\b") else paragraph
        for paragraph in paragraphs
    )


if __name__ == "__main__":
    sys.exit(main_of(PAGE, page()))
