"""`mafnet predict --windows` on a live source: each part with a label is printed when it ends."""

import csv
import io
import json
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.common.terminal import printable
from mafnet.model.predictor import Model
from mafnet.model.segments import Segment, segments_of
from mafnet.model.window_output import (
    COLUMNS,
    VTT_HEAD,
    segment_cue,
    segment_line,
    segment_row,
    segment_values,
)
from mafnet.video.live import LiveSource

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 1.0
"""Least time between two log lines."""


def predict_live(
    model: Model, source: str, hop: int, limits: tuple[float, float], form: str | None
) -> None:
    """Print the segments of a live source until it ends, or until Ctrl-C or SIGTERM.

    form: "json" (an object a line), "csv", "vtt", or None for lines for people.
    """
    for note in model.notes:
        log.warning("%s", note)
    head, text_of = _form(form, source)
    classes = model.settings.classes
    with model.live(source, hop) as (opened, seconds), _stopping(opened):
        _print(head)
        counted = _told(seconds, classes)
        for segment in segments_of(counted, classes, *limits):
            _print(text_of(segment))


def _form(form: str | None, source: str) -> tuple[str, Callable[[Segment], str]]:
    """The first line of the output, and the text of a segment."""
    if form == "json":
        return "", lambda each: json.dumps(segment_values(each)) + "\n"
    if form == "csv":
        return _row(COLUMNS), lambda each: _row(segment_row(source, each))
    if form == "vtt":
        return VTT_HEAD, lambda each: "\n" + segment_cue(each)
    return "", lambda each: segment_line(each) + "\n"


def _row(values: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def _print(text: str) -> None:
    """Print at once, also into a pipe."""
    sys.stdout.write(text)
    sys.stdout.flush()


def _told(seconds: Iterator[np.ndarray], classes: list[str]) -> Iterator[np.ndarray]:
    """The scores of each second; the log says what the last one is, once a second at most.

    MafnetError if there is none.
    """
    said, number = -SECONDS_BETWEEN, -1
    for number, scores in enumerate(seconds):
        if time.monotonic() - said >= SECONDS_BETWEEN:
            said, best = time.monotonic(), int(scores.argmax())
            log.info("second %d: %s %.1f %%", number, printable(classes[best]), 100 * scores[best])
        yield scores
    if number < 0:
        raise MafnetError("the source ended before a second of it could be decoded; check it")


@contextmanager
def _stopping(source: LiveSource) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the source, so that the rest is printed; the second time they kill."""
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        source.stop()

    before = {each: signal.signal(each, stop) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
