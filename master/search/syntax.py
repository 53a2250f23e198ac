"""Lucene's query language, parsed by luqum, as trees of our own.

AND binds stronger than OR, and what stands side by side is joined by OR.  In such a list `+` marks what must
hold, `-` or NOT what must not; if something must hold, the rest of the list does not matter, as nothing is
ranked.  Every fault is an InvalidError that names the column.

Whatever the text, parsing it takes a few milliseconds at most: its length, the number of its words and signs,
and how deep it is nested are limited, and nothing is tried twice.
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

from luqum import tree as lucene  # type: ignore[import-untyped] # it has no annotations
from luqum.exceptions import ParseError  # type: ignore[import-untyped] # it has no annotations
from luqum.thread import parse as parse_lucene  # type: ignore[import-untyped] # it has no annotations

from sliceworks.master.search.clauses import (
    End,
    Exists,
    FieldName,
    Match,
    Pattern,
    Query,
    Value,
    Wildcard,
    Within,
    fault,
)
from sliceworks.master.search.tree import Either, Every, Leaf, Not
from sliceworks.protocol.errors import InvalidError

MAX_LENGTH: Final = 4_096
MAX_WORDS: Final = 300
MAX_DEPTH: Final = 24
EXISTS: Final = "_exists_"

Node: TypeAlias = Any  # of luqum's tree

_WORDS: Final = re.compile(r'[()\[\]{}:"<>+]|(?<![^\s(:+\-])-|[^\s()\[\]{}:"<>]+')
_AT_POSITION: Final = re.compile(r" at position (\d+)!?$")
_UNEXPECTED: Final = re.compile(r"unexpected  ('.*') at position", re.DOTALL)
_UNSEARCHABLE: Final = re.compile(r'["\\\x00-\x1f]')
_PARTS: Final = re.compile(r"\\.|[*?]|[^\\*?]+", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_KEYS: Final = re.compile(r"(?:\\.|[^.\\])+", re.DOTALL)
_EMPTY_KEY: Final = re.compile(r"^\.|(?<!\\)\.\.|(?<!\\)\.$")
_FOREIGN: Final = {"&&": "AND", "||": "OR"}
_NOT_MEANT: Final = {
    "Regex": "regular expressions are not supported: use the wildcards * and ?",
    "Fuzzy": "fuzzy search (~) is not supported: use the wildcards * and ?",
    "Proximity": "proximity search (~) is not supported",
}


def parse(text: str) -> Query:
    """The tree of a filter; InvalidError if there is none."""
    _check_size(text)
    try:
        root = parse_lucene(text)
    except ParseError as error:
        raise _misread(text, str(error)) from error
    except (ValueError, ArithmeticError) as error:
        raise fault(1, "a number after ~ or ^ cannot be read") from error
    return _Reader().read(root, None, 0)


def _check_size(text: str) -> None:
    if len(text) > MAX_LENGTH:
        message = f"filter: at most {MAX_LENGTH} characters, got {len(text)}"
        raise InvalidError(message)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        message = "filter: not valid UTF-8"
        raise InvalidError(message)
    if "\0" in text:
        raise fault(text.index("\0") + 1, "a NUL character is never found")
    words = sum(1 for _ in _WORDS.finditer(text))
    if words > MAX_WORDS:
        message = f"filter: at most {MAX_WORDS} words and signs, got {words}"
        raise InvalidError(message)


def _misread(text: str, error: str) -> InvalidError:
    found = _AT_POSITION.search(error)
    if found is None:
        return fault(len(text) + 1, "it ends too early: a value or a closing parenthesis is missing")
    at = int(found[1])
    if text[at : at + 1] in ('"', "/"):
        return fault(at + 1, f"the {text[at]} is not closed; write \\{text[at]} for the character itself")
    named = _UNEXPECTED.search(error)
    return fault(at + 1, f"unexpected {named[1] if named else repr(text[at : at + 1])}")


class _Reader:
    """Turns luqum's nodes into ours; `field` is that of the group around a node."""

    def read(self, node: Node, field: FieldName | None, depth: int) -> Query:
        """The tree under a node."""
        if depth > MAX_DEPTH:
            raise fault(node.pos + 1, f"nested more than {MAX_DEPTH} deep")
        match node:
            case lucene.BaseGroup() | lucene.Boost():
                return self.read(node.expr, field, depth + 1)
            case lucene.SearchField():
                return self._field(node, field, depth)
            case lucene.Not() | lucene.Prohibit():
                return Not(self.read(node.a, field, depth + 1))
            case lucene.Plus():
                return self.read(node.a, field, depth + 1)
            case lucene.AndOperation():
                return Every(tuple(self.read(part, field, depth + 1) for part in node.operands))
            case lucene.OrOperation() | lucene.UnknownOperation():
                return self._list(node, field, depth)
            case _:
                return _clause(node, field)

    def _list(self, node: Node, field: FieldName | None, depth: int) -> Query:
        """What is joined by OR, written or not; a NOT after a written OR is one alternative of several."""
        written = isinstance(node, lucene.OrOperation)
        needed: list[Query] = []
        others: list[Query] = []
        for part in node.operands:
            forbidden = isinstance(part, lucene.Prohibit) or (isinstance(part, lucene.Not) and not written)
            marked = forbidden or isinstance(part, lucene.Plus)
            (needed if marked else others).append(self.read(part, field, depth + 1))
        if any(isinstance(part, lucene.Plus) for part in node.operands) or not others:
            return Every(tuple(needed))
        return Every((*needed, Either(tuple(others)))) if needed else Either(tuple(others))

    def _field(self, node: Node, around: FieldName | None, depth: int) -> Query:
        if around is not None:
            raise fault(node.pos + 1, f"a field inside of {around}: quote a value that has a colon")
        if isinstance(node.expr, lucene.SearchField):
            raise fault(node.expr.pos + 1, "a second colon: quote a value that has one")
        if node.name == EXISTS:
            return Leaf(_existence(node.expr))
        if node.name == "*" and isinstance(node.expr, lucene.Word) and node.expr.value == "*":
            return Every(())
        field = _field_name(node.name, node.pos + 1)
        if isinstance(node.expr, lucene.Prohibit) and isinstance(node.expr.a, lucene.Word):
            return Leaf(Match(field, _value(node.expr)))
        return self.read(node.expr, field, depth + 1)


def _clause(node: Node, field: FieldName | None) -> Query:
    """What has no parts."""
    refusal = _NOT_MEANT.get(type(node).__name__)
    if refusal is not None:
        raise fault(node.pos + 1, refusal)
    if isinstance(node, lucene.Range):
        return Leaf(_range(node, field))
    if isinstance(node, lucene.OpenRange):
        return Leaf(_open_range(node, field))
    value = _value(node)
    if field is None and value.pieces == (Wildcard.ANY,):
        return Every(())
    return Leaf(Match(field, value))


def _existence(node: Node) -> Exists:
    if not isinstance(node, lucene.Term):
        raise fault(node.pos + 1, f"{EXISTS} takes the name of one field")
    return Exists(_field_name(_value(node).text, node.pos + 1))


def _range(node: Node, field: FieldName | None) -> Within:
    low = _end(node.low, included=node.include_low)
    high = _end(node.high, included=node.include_high)
    return Within(_named(field, node), low, high, node.pos + 1)


def _open_range(node: Node, field: FieldName | None) -> Within:
    end = _end(node.a, included=node.include)
    low, high = (end, None) if isinstance(node, lucene.From) else (None, end)
    return Within(_named(field, node), low, high, node.pos + 1)


def _named(field: FieldName | None, node: Node) -> FieldName:
    if field is None:
        raise fault(node.pos + 1, "a range needs a field: field:[low TO high]")
    return field


def _end(node: Node, *, included: bool) -> End | None:
    value = _value(node)
    if value.pieces == (Wildcard.ANY,):
        return None
    if value.wild:
        raise fault(value.column, "an end of a range is a value, or * alone")
    return End(value, included)


def _value(node: Node) -> Value:
    column = node.pos + 1
    if isinstance(node, lucene.Prohibit):
        inner = _value(node.a)
        first = inner.pieces[0] if isinstance(inner.pieces[0], str) else ""
        rest = inner.pieces[1:] if first else inner.pieces
        return Value((f"-{first}", *rest), column, inner.quoted)
    text: str = node.value
    if isinstance(node, lucene.Phrase):
        return Value((_unescaped(text[1:-1]),), column, quoted=True)
    if text in _FOREIGN or text.startswith("!"):
        raise fault(column, f"write {_FOREIGN.get(text, 'NOT')} for {text[:2] if text in _FOREIGN else '!'}")
    return Value(_pieces(text), column)


def _pieces(text: str) -> Pattern:
    """Texts without their escapes, and wildcards."""
    pieces: list[str | Wildcard] = []
    for part in _PARTS.findall(text):
        if part in "*?":
            pieces.append(Wildcard(part))
        elif pieces and isinstance(pieces[-1], str):
            pieces[-1] += _unescaped(part)
        else:
            pieces.append(_unescaped(part))
    return tuple(pieces)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)


def _field_name(text: str, column: int) -> FieldName:
    """Cut at its dots; an escaped dot belongs to the name."""
    if text.startswith("!"):
        raise fault(column, "write NOT for !")
    keys = tuple(_unescaped(key) for key in _KEYS.findall(text))
    if any(part in "*?" for part in _PARTS.findall(text)):
        raise fault(column, f"{text}: names of fields have no wildcards")
    if not keys or _EMPTY_KEY.search(text) or any(_UNSEARCHABLE.search(key) for key in keys):
        raise fault(column, f"{text} is no name of a field")
    return FieldName(keys, column)
