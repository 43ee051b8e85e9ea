"""Calls that may crash or hang, each in a separate process."""

import multiprocessing
import resource
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from mafnet.video.interruptions import from_outside
from mafnet.video.status import Status

Result = TypeVar("Result")

MEMORY_BYTES = 4_000_000_000
"""Address space of each process."""


@dataclass(frozen=True)
class Failure:
    """A call without a result: its process died (crashed), took too long (timeout) or was killed
    by another process (interrupted).
    """

    reason: Status
    message: str


class Isolated:
    """Processes that run calls; each has a limit of memory, and each call a limit of time.

    If a call kills its process or takes longer than `timeout_seconds`, only that call fails.
    """

    def __init__(
        self, workers: int, timeout_seconds: float, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        # A fork of a process with threads (of torch or of a decoder pool) can hang.
        context = multiprocessing.get_context("spawn")
        self._ahead = 2 * workers
        self._timeout_seconds = timeout_seconds
        self._pool = ProcessPool(
            workers, context=context, initializer=_limit_memory, initargs=(memory_bytes,)
        )

    def run(
        self, function: Callable[..., Result], calls: Iterable[tuple]
    ) -> Iterator[Result | Failure]:
        """Results of `function(*call)` in the order of the calls; raises exceptions of `function`.

        A few calls run ahead of the reader, so that results do not fill the memory.
        """
        calls = iter(calls)
        waiting = deque(map(partial(self._schedule, function), islice(calls, self._ahead)))
        while waiting:
            result = _result(waiting.popleft(), self._timeout_seconds)
            waiting.extend(map(partial(self._schedule, function), islice(calls, 1)))
            yield result

    def close(self) -> None:
        """Kill the processes."""
        self._pool.stop()
        self._pool.join()

    def _schedule(self, function: Callable[..., Result], call: tuple) -> ProcessFuture:
        return self._pool.schedule(function, args=call, timeout=self._timeout_seconds)


def run_isolated(
    function: Callable[..., Result],
    calls: Iterable[tuple],
    workers: int,
    timeout_seconds: float,
) -> Iterator[Result | Failure]:
    """`Isolated.run` in processes of its own; closing the iterator kills them."""
    processes = Isolated(workers, timeout_seconds)
    try:
        yield from processes.run(function, calls)
    finally:
        processes.close()


def _limit_memory(memory_bytes: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or hard > memory_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, hard))


def _result(future: ProcessFuture, timeout_seconds: float) -> object:
    try:
        return future.result()
    except TimeoutError:
        return Failure(Status.TIMEOUT, f"no result within {timeout_seconds:g} s")
    except ProcessExpired as error:
        reason = Status.INTERRUPTED if from_outside(error.exitcode) else Status.CRASHED
        return Failure(reason, f"the process ended with exit code {error.exitcode}")
