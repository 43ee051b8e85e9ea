"""Processes that are measured: one for each way of doing a thing, side by side, taking turns."""

import multiprocessing
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from inputs import Inputs

KILOBYTES = 1 if sys.platform == "darwin" else 1024
"""The unit of ru_maxrss."""


@dataclass(frozen=True)
class Ready:
    """A way that is set up and warmed up.

    work: what is measured; called once a round.
    result: what came of the last call, by which the ways are compared; not measured.
    """

    work: Callable[[], object]
    result: Callable[[], "np.ndarray"]


SetUp = Callable[["Inputs"], Ready]


@dataclass(frozen=True)
class Stage:
    """One thing that is done in several ways.

    per: what one round does.
    ways: by name, how to set up a way; "plain" is what the others are measured against.
    tolerances: largest relative difference (L2) of a way's result from the plain one's, for ways
        whose results should be the same.
    rounds: rounds for each of the command line's; cheap stages take more.
    """

    name: str
    per: str
    ways: dict[str, SetUp]
    tolerances: dict[str, float] = field(default_factory=dict)
    rounds: int = 1


@dataclass
class Measured:
    """What a way cost. wall_s, cpu_s: of each round, CPU of child processes included.

    peak_mb: peak resident memory of its largest process, in 10^6 bytes.
    """

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    peak_mb: float = 0.0


def measure(
    stage: Stage, inputs: "Inputs", rounds: int
) -> tuple[dict[str, Measured], dict[str, "np.ndarray"]]:
    """What every way costs and gives: A B C, A B C, ..., each in a process of its own."""
    costs = {way: Measured() for way in stage.ways}
    with ExitStack() as stack:
        running = {way: stack.enter_context(_running(stage, way, inputs)) for way in stage.ways}
        for way in stage.ways:
            _answer(running, way, stage)
        for _ in range(rounds * stage.rounds):
            for way, cost in costs.items():
                running[way].send("round")
                wall, cpu = _answer(running, way, stage)
                cost.wall_s.append(wall)
                cost.cpu_s.append(cpu)
        results = {}
        for way, cost in costs.items():
            running[way].send("end")
            cost.peak_mb, results[way] = _answer(running, way, stage)
    return costs, results


@contextmanager
def _running(stage: Stage, way: str, inputs: "Inputs") -> Iterator[Connection]:
    """The connection to a process of one way, which is ended with the block."""
    # spawn: nothing of this process, nor of another way, is in its memory.
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, stage.name, way, inputs), daemon=False)
    process.start()
    there.close()
    try:
        yield here
    finally:
        here.close()
        process.join()


def _answer(running: dict[str, Connection], way: str, stage: Stage) -> Any:
    """The next answer of a way; ends the benchmark if its process has died."""
    try:
        return running[way].recv()
    except EOFError:
        sys.exit(f"{stage.name}: {way} failed; its words are above")


def _serve(connection: Connection, stage: str, way: str, inputs: "Inputs") -> None:
    """Set up one way; then do a round whenever asked for, until the end is."""
    from stages import STAGES

    ready = STAGES[stage].ways[way](inputs)
    # Both errors: the benchmark has gone, because another way failed or somebody stopped it.
    with suppress(EOFError, BrokenPipeError):
        connection.send("ready")
        while connection.recv() == "round":
            connection.send(_cost(ready.work))
        peak = _peak_mb()
        connection.send((peak, ready.result()))


def _cost(work: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds, and CPU seconds of this process and of the children that it waited for."""
    cpu, start = _cpu_seconds(), time.perf_counter()
    work()
    return time.perf_counter() - start, _cpu_seconds() - cpu


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak_mb() -> float:
    """Of this process or of the largest child, whichever is larger."""
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * KILOBYTES
    return max(_own_peak(), child) / 1e6


def _own_peak() -> int:
    """Bytes. Linux's ru_maxrss begins at that of the process it was started from."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTES
    return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) * 1024
