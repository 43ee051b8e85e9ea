"""Calls that may crash or hang, each in a separate process."""

import multiprocessing
import resource
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError
from dataclasses import dataclass
from typing import TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from mafnet.video.status import Status

Result = TypeVar("Result")

MEMORY_BYTES = 4_000_000_000
"""Address space of each process."""


@dataclass(frozen=True)
class Failure:
    """A call without a result: its process died (crashed) or was killed (timeout)."""

    reason: Status
    message: str


def run_isolated(
    function: Callable[..., Result],
    calls: Iterable[tuple],
    workers: int,
    timeout_seconds: float,
) -> Iterator[Result | Failure]:
    """Results of `function(*call)`, in the order of the calls, from up to `workers` processes.

    If a call kills its process or takes longer than `timeout_seconds`, only that call fails. An
    exception from `function` is raised here. Closing the iterator kills the processes.
    """
    # A fork of a process with threads (of torch or of a decoder pool) can hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPool(max_workers=workers, context=context, initializer=_limit_memory)
    try:
        futures = [pool.schedule(function, args=call, timeout=timeout_seconds) for call in calls]
        for future in futures:
            yield _result(future, timeout_seconds)
    finally:
        pool.stop()
        pool.join()


def _limit_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or hard > MEMORY_BYTES:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, hard))


def _result(future: ProcessFuture, timeout_seconds: float) -> object:
    try:
        return future.result()
    except TimeoutError:
        return Failure(Status.TIMEOUT, f"no result within {timeout_seconds:g} s")
    except ProcessExpired as error:
        return Failure(Status.CRASHED, f"the process ended with exit code {error.exitcode}")
