"""Every family of errors has a place in both tables."""

from __future__ import annotations

from collections.abc import Iterator

from sliceworks.protocol import errors
from sliceworks.protocol.errors import EXIT_CODE, HTTP_STATUS, Fault, InvalidError, SliceworksError


def families(base: type[SliceworksError] = SliceworksError) -> Iterator[type[SliceworksError]]:
    yield base
    for family in base.__subclasses__():
        if family.__module__ == errors.__name__:
            yield from families(family)


def test_every_code_has_a_http_status_and_an_exit_code() -> None:
    codes = {family.code for family in families()}
    assert codes == set(HTTP_STATUS) == set(EXIT_CODE)
    assert all(400 <= status < 600 for status in HTTP_STATUS.values())
    assert 0 not in EXIT_CODE.values()


def test_every_family_has_a_code_of_its_own() -> None:
    found = list(families())
    assert len({family.code for family in found}) == len(found)


def test_faults_say_where_and_what() -> None:
    assert str(Fault("operations.1._op", "is unknown")) == "operations.1._op: is unknown"
    assert str(Fault("", "is no object")) == "is no object"
    assert InvalidError("bad", (Fault("a", "b"),)).faults == (Fault("a", "b"),)
