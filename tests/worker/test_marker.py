"""The page that outlives its writer."""

from __future__ import annotations

import os
import socket
from contextlib import closing

import pytest

from sliceworks.protocol.errors import PeerError
from sliceworks.worker.marker import InHand, Marker, make_page, receive_page, send_page


def test_what_one_side_writes_the_other_reads() -> None:
    ours, theirs = socket.socketpair()
    page = make_page()
    with ours, theirs, closing(Marker(page)) as daemon:
        send_page(ours, page, page)
        os.close(page)
        marker, stderr = receive_page(theirs)
        os.close(stderr)
        with closing(marker) as worker:
            assert daemon.read() == InHand(0, 0, 0, 0)
            worker.begin(2**40, 1_700_000_000_000)
            worker.operation[0] = 3
            assert daemon.read() == InHand(1_700_000_000_000, 2**40, 3)
            worker.begin(8, 5, 77)
            assert daemon.read() == InHand(5, 8, 0, 77)
        assert daemon.read() == InHand(5, 8, 0, 77)


def test_nothing_is_in_hand_after_it_is_cleared() -> None:
    page = make_page()
    with closing(Marker(page)) as marker:
        marker.begin(8, 5)
        marker.clear()
        assert marker.read().seq == 0
    os.close(page)


def test_a_daemon_that_ends_before_it_sends_the_page() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        with pytest.raises(PeerError, match="marker page"):
            receive_page(theirs)
