"""Measures several ways to do one thing: each in its own process, and the processes take turns."""

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

    from benchmarks.inputs import Inputs

KILOBYTES = 1 if sys.platform == "darwin" else 1024
"""The unit of ru_maxrss."""


@dataclass(frozen=True)
class Ready:
    """A way that is set up and warmed up.

    work: is called and measured once in each round.
    result: returns the result of the last call, to compare the ways; is not measured.
    """

    work: Callable[[], object]
    result: Callable[[], "np.ndarray"]


SetUp = Callable[["Inputs"], Ready]


@dataclass(frozen=True)
class Stage:
    """One thing that can be done in several ways.

    per: the work of one round, for the title of the table.
    ways: name of a way -> function that sets it up in its process; it must be picklable.
    tolerances: largest allowed relative difference (L2) from the result of the reference, for ways
        whose results should be the same.
    rounds: factor of the number of rounds; cheap stages take more.
    reference: the way that the others are compared with.
    """

    name: str
    per: str
    ways: dict[str, SetUp]
    tolerances: dict[str, float] = field(default_factory=dict)
    rounds: int = 1
    reference: str = "plain"


@dataclass
class Measured:
    """The cost of a way.

    wall_s, cpu_s: seconds of each round; CPU seconds include child processes.
    peak_mb: peak resident memory of its largest process, in 10^6 bytes.
    """

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    peak_mb: float = 0.0


def measure(
    stage: Stage, inputs: "Inputs", rounds: int
) -> tuple[dict[str, Measured], dict[str, "np.ndarray"]]:
    """Costs and results of all ways, measured in turns: A B C, A B C, ...

    Exits with a message if the process of a way fails.
    """
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
    """The connection to the process of one way; the process ends with the block."""
    # spawn: the memory of this process, and of the other ways, is not copied.
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, stage.ways[way], inputs), daemon=False)
    process.start()
    there.close()
    try:
        yield here
    finally:
        here.close()
        process.join()


def _answer(running: dict[str, Connection], way: str, stage: Stage) -> Any:
    """The next answer of a way; exits if its process has died."""
    try:
        return running[way].recv()
    except EOFError:
        sys.exit(f"{stage.name}: {way} failed; see its error above")


def _serve(connection: Connection, set_up: SetUp, inputs: "Inputs") -> None:
    """Set up one way; then run a round for each "round" message, until "end" comes."""
    ready = set_up(inputs)
    # These errors mean that the benchmark has ended: another way failed, or a user stopped it.
    with suppress(EOFError, BrokenPipeError):
        connection.send("ready")
        while connection.recv() == "round":
            connection.send(_cost(ready.work))
        peak = _peak_mb()
        connection.send((peak, ready.result()))


def _cost(work: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds, and CPU seconds of this process and of the children it has waited for."""
    cpu, start = _cpu_seconds(), time.perf_counter()
    work()
    return time.perf_counter() - start, _cpu_seconds() - cpu


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak_mb() -> float:
    """Peak resident memory of this process or of its largest child, whichever is larger."""
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * KILOBYTES
    return max(_own_peak(), child) / 1e6


def _own_peak() -> int:
    """Peak bytes of this process. On Linux ru_maxrss starts at the value of the parent."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTES
    return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) * 1024
