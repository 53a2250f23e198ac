"""What becomes of a slice when a lease ends without success: the one place where tries are counted.

Operation errors, worker losses and infrastructure faults are counted apart.  Only the first two are counted
at all: a slice handed back, or leased to a node that vanished, is tried again for free, unless the job asks
for at most one try.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from sliceworks.master.execution.model import Rules, Slice
from sliceworks.protocol.states import ErrorReason, ResultKind

FIRST_DELAY_MS: Final = 100
MAX_DELAY_MS: Final = 60_000


class Vanished(Enum):
    """The lease ended from outside: nothing is counted, but the slice may not be as it was."""

    NODE = auto()  # with its daemon; nobody knows whether the slice was begun
    BEGUN = auto()  # its worker was ended by us (a stop, a drain) with the slice in hand


@dataclass(frozen=True, slots=True)
class Requeue:
    """Pending again, to be leased after `delay_ms`."""

    delay_ms: int


@dataclass(frozen=True, slots=True)
class End:
    """In state `error`, for good."""

    reason: ErrorReason


Verdict: TypeAlias = Requeue | End

AT_ONCE: Final = Requeue(0)


def judge(item: Slice, ended: ResultKind | Vanished, rules: Rules) -> Verdict:
    """Count the failed attempt in `item` and say what follows; never called for COMPLETED."""
    match ended:
        case ResultKind.FATAL:
            item.op_errors += 1
            return End(ErrorReason.FAILED)
        case ResultKind.ERROR | ResultKind.TIMED_OUT:
            return _after_error(item, ended, rules)
        case ResultKind.LOST:
            return _after_loss(item, rules)
        case Vanished():
            return End(ErrorReason.LOST) if rules.at_most_once else AT_ONCE
        case _:
            return AT_ONCE


def _after_error(item: Slice, ended: ResultKind, rules: Rules) -> Verdict:
    item.op_errors += 1
    if item.op_errors > rules.max_retries or rules.at_most_once:
        return End(ErrorReason.TIMEOUT if ended is ResultKind.TIMED_OUT else ErrorReason.FAILED)
    return Requeue(_delay_ms(item))


def _after_loss(item: Slice, rules: Rules) -> Verdict:
    item.losses += 1
    if rules.at_most_once:
        return End(ErrorReason.LOST)
    return End(ErrorReason.POISON) if item.losses >= rules.max_worker_losses else AT_ONCE


def _delay_ms(item: Slice) -> int:
    """Doubling from 100 ms, spread over [delay / 2, delay] by a hash: jitter without a random number."""
    delay = min(FIRST_DELAY_MS << min(item.op_errors - 1, 20), MAX_DELAY_MS)
    digest = hashlib.blake2b(f"{item.seq}:{item.epoch}".encode(), digest_size=2).digest()
    return delay // 2 + delay * int.from_bytes(digest, "big") // 131_070
