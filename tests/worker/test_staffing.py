"""How many workers are wanted, and who may say so."""

from __future__ import annotations

from itertools import count

import pytest

from sliceworks.protocol.ids import WorkerId
from sliceworks.worker.contact import Contact
from sliceworks.worker.crew import Crew
from sliceworks.worker.events import Assigned, Effect, KillWorker, Peer, SpawnWorker, Unassigned
from sliceworks.worker.staffing import Staffing
from sliceworks.worker.starts import Starts

TIMEOUT_MS = 1_000
ONE = Assigned(workers=1, grace_ms=100, generation=1)


class Site:
    """A share of one worker, whose peers are silent since the beginning."""

    def __init__(self) -> None:
        ids = count(1)
        self.contact = Contact(TIMEOUT_MS, 0)
        self.contact.lost(Peer.MASTER, 0)
        self.crew = Crew()
        self.staffing = Staffing(
            self.crew,
            contact=self.contact,
            starts=Starts(),
            new_worker_id=lambda: WorkerId(next(ids)),
        )
        self.staffing.wish(ONE)

    def be_cut_off(self) -> list[Effect]:
        """The time passes, and the worker is dead."""
        self.staffing.settle(0)
        effects = self.staffing.settle(TIMEOUT_MS)
        for worker in list(self.crew):
            self.crew.remove(worker)
        return effects


def test_who_is_cut_off_ends_its_workers() -> None:
    assert Site().be_cut_off() == [KillWorker(WorkerId(1))]


@pytest.mark.parametrize("peer", Peer)
def test_a_share_that_was_cut_off_waits_for_the_word_of_the_master(peer: Peer) -> None:
    site = Site()
    site.be_cut_off()
    site.contact.found(peer)
    assert site.staffing.settle(TIMEOUT_MS + 1) == []
    assert site.staffing.wanted == 1  # the pool goes on, and its results with it
    site.staffing.wish(ONE)
    assert site.staffing.settle(TIMEOUT_MS + 2) == [SpawnWorker(WorkerId(2))]


def test_a_share_that_was_given_away_meanwhile_is_over() -> None:
    site = Site()
    site.be_cut_off()
    site.contact.found(Peer.MASTER)
    site.staffing.wish(Unassigned())
    assert site.staffing.settle(TIMEOUT_MS + 1) == []
    assert site.staffing.wanted == 0
