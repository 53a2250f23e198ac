"""Which asset a reference means."""

from __future__ import annotations

import contextlib
import platform
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sliceworks.master.assets.resolving import asset_named, by_version, is_at_least, misfit
from sliceworks.master.store.records import AssetRecord
from sliceworks.protocol.errors import InvalidError

VERSIONS = ("1.0.0", "1.2.0", "1.2.9", "1.10.0", "2.0.0-beta.1", "0.9.0")


def asset(version: str, number: int = 0, **fields: Any) -> AssetRecord:
    return AssetRecord(f"{number:040x}", "zip", version, created_ms=number, **fields)


KNOWN = [asset(version, number) for number, version in enumerate(VERSIONS)]


@pytest.mark.parametrize(
    ("reference", "version"),
    [
        ("zip", "2.0.0-beta.1"),
        ("zip:", "2.0.0-beta.1"),
        ("zip:latest", "2.0.0-beta.1"),
        ("zip:*", "2.0.0-beta.1"),
        ("zip:1", "1.10.0"),
        ("zip:1.2", "1.2.9"),
        ("zip:~1.2", "1.2.9"),
        ("zip:^1.0.0", "1.10.0"),
        ("zip:>=1.0.0", "2.0.0-beta.1"),
        ("zip:<1", "0.9.0"),
        ("zip:1.0.0 - 1.2.0", "1.2.0"),
        ("zip:1.2.x || 0.9.0", "1.2.9"),
        ("zip: 1.2.0 ", "1.2.0"),
        ("zip:v1.2.0", "1.2.0"),
        (KNOWN[3].asset_id, "1.10.0"),
    ],
)
def test_the_highest_version_in_the_range_is_taken(reference: str, version: str) -> None:
    assert asset_named(reference, KNOWN).version == version


@pytest.mark.parametrize(
    "reference", ["other", "zip:3.0.0", "zip:abc", "zip:" + "1" * 300, "f" * 40, "", ":", "ZIP", "zip:1:2"]
)
def test_what_is_not_there_is_named(reference: str) -> None:
    with pytest.raises(InvalidError, match="No assets found for"):
        asset_named(reference, KNOWN)


@pytest.mark.parametrize(
    ("field", "value"),
    [("python_version", "99"), ("python_version", "<3"), ("platform", "beos"), ("arch", "vax")],
)
def test_what_is_for_others_is_passed_over(field: str, value: str) -> None:
    other = asset("3.0.0", 9, **{field: value})
    assert asset_named("zip", [*KNOWN, other]).version == "2.0.0-beta.1"
    with pytest.raises(
        InvalidError, match=f'No asset found for "zip:3.0.0", due to a potential {field} mismatch'
    ):
        asset_named("zip:3.0.0", [*KNOWN, other])
    assert asset_named(other.asset_id, [other]) == other


def test_what_is_for_this_host_is_taken() -> None:
    fit = asset("3.0.0", 9, python_version="3.8", platform=sys.platform, arch=platform.machine())
    assert misfit(fit) == ""
    assert asset_named("zip", [*KNOWN, fit]) == fit


def test_what_is_deleted_is_not_found() -> None:
    with pytest.raises(InvalidError):
        asset_named("zip", [asset("1.0.0", deleted_ms=3)])
    with pytest.raises(InvalidError):
        asset_named("0" * 40, [asset("1.0.0", deleted_ms=3)])


def test_of_one_version_the_last_upload_is_taken() -> None:
    one, two = asset("1.0.0", 1), asset("1.0.0", 2, platform=sys.platform)
    assert asset_named("zip", [two, one]) == two


def test_versions_are_ordered_as_versions() -> None:
    ordered = [found.version for found in by_version(KNOWN)]
    assert ordered == ["0.9.0", "1.0.0", "1.2.0", "1.2.9", "1.10.0", "2.0.0-beta.1"]
    assert is_at_least("3.18.0", "3.9.0")
    assert not is_at_least("3.18.0", "999.9.9")


@given(st.text(max_size=60))
def test_whatever_is_asked_for_is_an_answer_or_a_refusal(text: str) -> None:
    for reference in (text, f"zip:{text}"):
        with contextlib.suppress(InvalidError):
            assert asset_named(reference, KNOWN) in KNOWN
