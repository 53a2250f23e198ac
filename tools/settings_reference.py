"""Writes `docs/settings.md` and `cli/setting_flags.py` from the settings' schema.

The second is there so that `--help` of the daemons need not import the schema, which takes long.
"""

from __future__ import annotations

import json
import sys

from pydantic.fields import FieldInfo

from sliceworks.protocol.config import describe, load_settings, setting_keys
from tools.generated import main_of

PAGE = "docs/settings.md"
FLAGS = "cli/setting_flags.py"


def page() -> str:
    """The whole page; the same on every machine."""
    rows = describe(load_settings(file=None, environment={}, flags={}))
    defaults = {row.key: row.default for row in rows}
    lines = [_line(key, field, defaults[key]) for key, field in setting_keys().items()]
    return "\n".join([*_HEAD, *lines, ""])


def flags() -> str:
    """The module with the text of each flag."""
    texts = {key: field.description or "" for key, field in setting_keys().items()}
    lines = [f"    {_literal(key)}: {_literal(text)}," for key, text in texts.items()]
    return "\n".join([*_FLAGS_HEAD, *lines, "}", ""])


_HEAD = """# Settings

Made from `protocol/settings.py` by `make docs`.

Both daemons read the same keys and ignore those that they do not use: from a TOML file (`--config FILE`; a
dot in a key is a table), then from the environment, then from flags; the last one counts. Times are
milliseconds or texts such as `"30s"`. `sliceworks config show` prints what is in force, and where each value
comes from.

| key | default | flag | variable | meaning |
| --- | --- | --- | --- | --- |""".splitlines()


def _line(key: str, field: FieldInfo, default: str) -> str:
    flag = "--" + key.replace(".", "-").replace("_", "-")
    variable = "SLICEWORKS_" + key.replace(".", "__").upper()
    shown = "" if field.default_factory else f"`{default}`"
    return f"| `{key}` | {shown} | `{flag}` | `{variable}` | {field.description} |"


_FLAGS_HEAD = '''"""What each setting is for, by its key.  Made from `protocol/settings.py` by `make docs`."""

from typing import Final

# fmt: off
# ruff: noqa: E501
MEANINGS: Final = {'''.splitlines()


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main_of(PAGE, page()) | main_of(FLAGS, flags()))
