"""Progress of long work: log lines with an estimate of the remaining time."""

import logging
import time
from collections.abc import Callable

SECONDS_BETWEEN = 10.0
"""Minimum time between two lines, so that a log stays short."""


class Progress:
    """Counts the steps of a known total and logs a line about every ten seconds."""

    def __init__(
        self,
        what: str,
        total: int,
        unit: str,
        log: logging.Logger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._total, self._unit, self._log = what, total, unit, log
        self._clock = clock
        self._start = self._last = clock()
        self._done = self._skipped = 0

    def skip(self, steps: int) -> None:
        """Count steps of an earlier run; the estimate ignores them."""
        self._done += steps
        self._skipped += steps

    def advance(self, note: str = "", steps: int = 1) -> None:
        """Count steps and maybe log a line, which ends with `note`."""
        self._done += steps
        now = self._clock()
        if now - self._last < SECONDS_BETWEEN and self._done < self._total:
            return
        self._last = now
        elapsed = now - self._start
        left = elapsed / (self._done - self._skipped) * (self._total - self._done)
        self._log.info(
            "%s: %d of %d %s, %s elapsed, about %s left%s",
            self._what, self._done, self._total, self._unit,
            duration_text(elapsed), duration_text(left), f", {note}" if note else "",
        )  # fmt: skip


def duration_text(seconds: float) -> str:
    """A readable duration: "45 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
