"""Calls that may crash or hang, made in processes of their own."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError
from dataclasses import dataclass
from typing import TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from mafnet.video.status import Status

Result = TypeVar("Result")


@dataclass(frozen=True)
class Failure:
    """A call that gave no result: its process died (crashed) or was killed (timeout)."""

    reason: Status
    message: str


def run_isolated(
    function: Callable[..., Result],
    calls: Iterable[tuple],
    workers: int,
    timeout_seconds: float,
) -> Iterator[Result | Failure]:
    """`function(*call)` of every call, in their order, by up to `workers` processes.

    A call that kills its process or takes longer than `timeout_seconds` costs that call alone. An
    exception that `function` raises is raised here. Leaving the iterator kills the processes.
    """
    # A forked copy of a process that has threads (torch's, a decoder pool's) can hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPool(max_workers=workers, context=context)
    try:
        futures = [pool.schedule(function, args=call, timeout=timeout_seconds) for call in calls]
        for future in futures:
            yield _result(future, timeout_seconds)
    finally:
        pool.stop()
        pool.join()


def _result(future: ProcessFuture, timeout_seconds: float) -> object:
    try:
        return future.result()
    except TimeoutError:
        return Failure(Status.TIMEOUT, f"no answer within {timeout_seconds:g} s")
    except ProcessExpired as error:
        return Failure(Status.CRASHED, f"the process ended with exit code {error.exitcode}")
