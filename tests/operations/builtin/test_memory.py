"""Keeping freed memory: a setting that not every C library has."""

from __future__ import annotations

import ctypes

import pytest

from sliceworks.operations.builtin.memory import keep_freed_memory


def test_a_library_without_the_setting_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(keep_freed_memory(), bool)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert keep_freed_memory() is False
