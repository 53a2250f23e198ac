"""Slice ids are computed from (execution, seq) and back."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from sliceworks.protocol.ids import ExId, Seq, SliceId, new_id, seq_of, slice_id_of

EX = ExId("7a1b3ea3-5d2c-4c8a-9d43-54a7a1c1b1f0")
OTHER_EX = ExId("0f0e2a53-90f5-4f0a-8a0a-9f7c7b0d7f11")
seqs = st.integers(min_value=0, max_value=2**62 - 1).map(Seq)


@given(seqs)
def test_a_slice_id_leads_back_to_its_seq(seq: Seq) -> None:
    assert seq_of(EX, slice_id_of(EX, seq)) == seq


@given(seqs)
def test_a_slice_id_is_a_uuid_of_version_8(seq: Seq) -> None:
    parsed = uuid.UUID(slice_id_of(EX, seq))
    assert parsed.version == 8
    assert parsed.variant == uuid.RFC_4122
    assert str(parsed) == slice_id_of(EX, seq)


@given(seqs)
def test_a_slice_id_of_another_execution_has_no_seq(seq: Seq) -> None:
    assert seq_of(OTHER_EX, slice_id_of(EX, seq)) is None


@given(st.text() | st.uuids().map(str))
def test_any_other_text_has_no_seq(text: str) -> None:
    assert seq_of(EX, SliceId(text)) is None


def test_ids_never_change_between_versions() -> None:
    assert slice_id_of(EX, Seq(1)) == "2b0677b4-ea45-83e8-a333-06eccc339fcd"
    assert slice_id_of(EX, Seq(1_000_000)) == "2b0677b4-ea45-83e8-a333-06eccc3cdd8c"


def test_new_ids_are_random_uuids() -> None:
    assert uuid.UUID(new_id()).version == 4
    assert new_id() != new_id()
