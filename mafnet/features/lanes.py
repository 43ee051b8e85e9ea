"""Batches side by side: several threads of few cores each, rather than one batch over all cores.

The threads of one batch wait for each other after every layer, which costs 10 % on a quiet machine
and three quarters of the speed on a busy one (measured: 4.0 against 13.9 frames a second on two
cores that others used too). The features are the same to the bit. On a GPU, one lane's transfers
go on while another computes.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mafnet.features.backbones import Backbone

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_lanes(
    function: Callable[[Item], Result], items: Iterable[Item], backbone: Backbone, threads: int
) -> Iterator[tuple[Item, Result]]:
    """Every item with its result, in order; `function` calls the backbone.

    threads: cores that all lanes share; there are no more lanes than that or than it has use for.
    """
    lanes = min(threads, backbone.most_lanes)
    started: deque = deque()
    with ThreadPoolExecutor(lanes, "lane", backbone.enter_lane, (threads // lanes,)) as pool:
        for item in items:
            started.append((item, pool.submit(function, item)))
            while started and (len(started) > lanes or started[0][1].done()):
                first, future = started.popleft()
                yield first, future.result()
        for item, future in started:
            yield item, future.result()
