"""SQLite and PostgreSQL, each in its own words, with the same meaning.

SQLite: JSON is walked by one `json_each` for each key of a path, which sees what is no array as an array of
one; a pattern is one of GLOB.  PostgreSQL: a jsonpath in lax mode does the same; a pattern is one of LIKE.
"""

from __future__ import annotations

from typing import Final

from sliceworks.master.search.clauses import Pattern, Wildcard
from sliceworks.master.search.sql import Operand

_GLOB: Final = {"*": "[*]", "?": "[?]", "[": "[[]"}
_LIKE: Final = {"%": "\\%", "_": "\\_", "\\": "\\\\"}
_LIKE_WILDCARDS: Final = {Wildcard.ONE: "_", Wildcard.ANY: "%"}


class SqliteDialect:
    """A `Dialect`."""

    def parameter(self, name: str) -> str:
        """See `Dialect`."""
        return f":{name}"

    def like(self, text: str, pattern: str) -> str:
        """See `Dialect`."""
        return f"{text} GLOB {pattern}"

    def pattern(self, pattern: Pattern) -> str:
        """See `Dialect`."""
        return "".join(
            piece.value if isinstance(piece, Wildcard) else "".join(_GLOB.get(c, c) for c in piece)
            for piece in pattern
        )

    def lower(self, text: str) -> str:
        """See `Dialect`."""
        return f"lower({text})"

    def path(self, keys: tuple[str, ...]) -> list[str]:
        """See `Dialect`."""
        return [f'$."{key}"' for key in keys]

    def elements(self, root: str, paths: list[str]) -> str:
        """See `Dialect`."""
        steps = []
        value = root
        for number, path in enumerate(paths):
            name = "found" if number == len(paths) - 1 else f"step_{number}"
            steps.append(
                f"json_each(CASE json_type({value}, {path}) WHEN 'array' THEN {value} -> {path} "
                f"ELSE json_array({value} -> {path}) END) AS {name}"
            )
            value = f"CASE {name}.type WHEN 'object' THEN {name}.value END"
        return ", ".join(steps)

    @property
    def at(self) -> Operand:
        """See `Dialect`."""
        return Operand(
            text="CASE found.type WHEN 'text' THEN found.atom END",
            number="CASE WHEN found.type IN ('integer', 'real') THEN found.atom END",
            flag="CASE WHEN found.type IN ('true', 'false') THEN found.atom END",
            found="found.type <> 'null'",
        )


class PostgresDialect:
    """A `Dialect`."""

    def parameter(self, name: str) -> str:
        """See `Dialect`."""
        return f"%({name})s"

    def like(self, text: str, pattern: str) -> str:
        """See `Dialect`."""
        return f"{text} LIKE {pattern}"

    def pattern(self, pattern: Pattern) -> str:
        """See `Dialect`."""
        return "".join(
            _LIKE_WILDCARDS[piece] if isinstance(piece, Wildcard) else "".join(_LIKE.get(c, c) for c in piece)
            for piece in pattern
        )

    def lower(self, text: str) -> str:
        """See `Dialect`."""
        return f'lower(({text}) COLLATE "C")'

    def path(self, keys: tuple[str, ...]) -> list[str]:
        """See `Dialect`."""
        return ["lax $" + "".join(f'."{key}"' for key in keys) + "[*]"]

    def elements(self, root: str, paths: list[str]) -> str:
        """See `Dialect`; JSON that has escaped NUL characters is none of PostgreSQL's."""
        document = f"replace({root}, '\\u0000', '\\ufffd')::jsonb"
        return (
            f"jsonb_path_query(CASE json_typeof({root}::json) WHEN 'object' THEN {document} END, "
            f"{paths[0]}::jsonpath) AS found(value)"
        )

    @property
    def at(self) -> Operand:
        """See `Dialect`."""
        kind, text = "jsonb_typeof(found.value)", "found.value #>> '{}'"
        return Operand(
            text=f"(CASE {kind} WHEN 'string' THEN {text} END) COLLATE \"C\"",
            number=f"CASE {kind} WHEN 'number' THEN ({text})::numeric END",
            flag=f"CASE {kind} WHEN 'boolean' THEN ({text})::boolean END",
            found=f"{kind} <> 'null'",
        )


SQLITE: Final = SqliteDialect()
POSTGRES: Final = PostgresDialect()
