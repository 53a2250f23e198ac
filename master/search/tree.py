"""Trees of conditions, whatever the conditions are: as the client wrote them, or checked against a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar, assert_never

L_co = TypeVar("L_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Leaf(Generic[L_co]):
    """One condition."""

    test: L_co


@dataclass(frozen=True, slots=True)
class Every(Generic[L_co]):
    """All parts hold; without parts: always."""

    parts: tuple[Tree[L_co], ...]


@dataclass(frozen=True, slots=True)
class Either(Generic[L_co]):
    """A part holds; without parts: never."""

    parts: tuple[Tree[L_co], ...]


@dataclass(frozen=True, slots=True)
class Not(Generic[L_co]):
    """The part does not hold."""

    part: Tree[L_co]


Tree: TypeAlias = Leaf[L_co] | Every[L_co] | Either[L_co] | Not[L_co]


def grafted(tree: Tree[A], graft: Callable[[A], Tree[B]]) -> Tree[B]:
    """The tree with another one in the place of each leaf."""
    match tree:
        case Leaf(test):
            return graft(test)
        case Every(parts):
            return Every(tuple(grafted(part, graft) for part in parts))
        case Either(parts):
            return Either(tuple(grafted(part, graft) for part in parts))
        case Not(part):
            return Not(grafted(part, graft))
        case _:
            assert_never(tree)


def leaves(tree: Tree[A]) -> Iterator[A]:
    """All conditions of a tree."""
    match tree:
        case Leaf(test):
            yield test
        case Every(parts) | Either(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            assert_never(tree)
