"""When a worker may be started: at once as long as all goes well, later and later when workers do not live.

| what happened                                    | then                                                |
| ------------------------------------------------ | --------------------------------------------------- |
| a worker did not become ready                    | failures + 1; next try in 0.2 s, doubling, by one   |
| the third failure in a row                       | no more starts, until `reset`                       |
| a worker became ready                            | failures = 0                                        |
| a worker waits for something before its start    | nothing but that the reason is told                 |
| a ready worker died within 1 s, nothing finished | next start in 0, 0.1, 0.2, 0.4 ... 5 s              |
| a ready worker died otherwise                    | next start at once                                  |

Workers that were started together fail together, and count once.
"""

from __future__ import annotations

from typing import Final

MAX_FAILURES: Final = 3
FAILURE_DELAY_MS: Final = 200
CRASH_DELAY_MS: Final = 100
CRASH_DELAY_MAX_MS: Final = 5_000
SHORT_LIFE_MS: Final = 1_000


class Starts:
    """The tries of one pool to start workers."""

    def __init__(self) -> None:
        self.failures = 0
        self.error = ""
        self.not_before_ms = 0
        """No start before this time."""
        self._last_failure_ms = -1
        self._last_short_life_ms = -1
        self._short_lives = 0

    @property
    def given_up(self) -> bool:
        """Workers of this execution do not start here; another try makes no sense."""
        return self.failures >= MAX_FAILURES

    def allowed(self, starting: int, now: int) -> int | None:
        """How many more workers may be started now, with `starting` under way; None: as many as wanted."""
        if self.given_up or now < self.not_before_ms:
            return 0
        if self.failures:
            return max(0, 1 - starting)
        return None

    def failed(self, error: str, *, started_ms: int, now: int) -> None:
        """A worker that was started at `started_ms` did not become ready."""
        self.error = error
        if started_ms <= self._last_failure_ms:
            return
        self._last_failure_ms = now
        self.not_before_ms = now + FAILURE_DELAY_MS * 2**self.failures
        self.failures += 1

    def delayed(self, reason: str) -> None:
        """A worker waits before its start, for this reason; "": no more.  A failure goes before."""
        if not self.failures:
            self.error = reason

    def succeeded(self) -> None:
        """A worker became ready."""
        self.failures = 0
        self.error = ""

    def crashed(self, *, ready_ms: int, finished: int, now: int) -> None:
        """A worker that was ready since `ready_ms` and finished so many slices died by itself."""
        if now - ready_ms >= SHORT_LIFE_MS or finished:
            self._short_lives = 0
            return
        if ready_ms <= self._last_short_life_ms:
            return
        self._last_short_life_ms = now
        self._short_lives += 1
        if self._short_lives > 1:
            delay_ms = CRASH_DELAY_MS * 2 ** min(self._short_lives - 2, 10)
            self.not_before_ms = now + min(delay_ms, CRASH_DELAY_MAX_MS)

    def reset(self) -> None:
        """The execution has a new generation: what failed before may work now."""
        self.succeeded()
        self.not_before_ms = 0
        self._short_lives = 0
