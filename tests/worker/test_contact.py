"""A pool is cut off when both its peers are silent for the whole time."""

from __future__ import annotations

from sliceworks.worker.contact import NEVER, Contact
from sliceworks.worker.events import Peer


def test_a_new_pool_has_not_met_its_controller() -> None:
    contact = Contact(timeout_ms=100, now=5)
    assert not contact.reaches(Peer.CONTROLLER)
    assert contact.reaches(Peer.MASTER)
    assert contact.cut_off_at() == NEVER


def test_both_must_be_silent_for_the_whole_time() -> None:
    contact = Contact(timeout_ms=100, now=5)
    contact.lost(Peer.MASTER, 50)
    contact.lost(Peer.MASTER, 60)
    assert contact.cut_off_at() == 150
    contact.found(Peer.CONTROLLER)
    assert contact.cut_off_at() == NEVER
    contact.lost(Peer.CONTROLLER, 90)
    assert contact.cut_off_at() == 190
