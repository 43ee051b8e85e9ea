"""A pool of decoders for one consumer, with bounded memory."""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mafnet.common.files import sha256_of
from mafnet.video.config import VideoSettings
from mafnet.video.decode import decode_audio, decode_frames
from mafnet.video.media import Media
from mafnet.video.reading import Outcome, Reading, confirmed
from mafnet.video.status import Status
from mafnet.video.windows import windows

DECODE = {"visual": decode_frames, "audio": decode_audio}
CLIPS_WAITING = 4
"""Decoded clips that may wait, a worker; a visual clip has 2.4 MB."""

CHANGED_MESSAGE = "it has changed since it was probed; run again with --forcerun probe"


@dataclass(frozen=True)
class Clip:
    """One decoded clip of the video with this index."""

    video: int
    data: np.ndarray


@dataclass(frozen=True)
class End:
    """The video with this index is completely decoded, or has failed."""

    video: int
    status: Status = Status.OK
    warnings: tuple[str, ...] = ()
    error: str = ""
    error_lines: int = 0
    lost_frames: int = 0


def decode_in_parallel(
    media: Sequence[Media], root: Path, modality: str, settings: VideoSettings, workers: int
) -> Iterator[Clip | End]:
    """Clips of all videos. Those of one video come in order, followed by its End.

    Closing the iterator stops the decoders.
    """
    todo: queue.SimpleQueue = queue.SimpleQueue()
    for item in enumerate(media):
        todo.put(item)
    events: queue.Queue = queue.Queue(maxsize=workers * CLIPS_WAITING)
    stop = threading.Event()
    arguments = (todo, events, stop, root, modality, settings)
    threads = [
        threading.Thread(target=_worker, args=arguments, daemon=True, name=f"decode-{number}")
        for number in range(min(workers, len(media)))
    ]
    for thread in threads:
        thread.start()
    try:
        yield from _drain(events, len(media))
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _drain(events: queue.Queue, videos: int) -> Iterator[Clip | End]:
    """Yield events until every video has ended; raise an error of a worker."""
    while videos:
        event = events.get()
        if isinstance(event, BaseException):
            raise event
        videos -= isinstance(event, End)
        yield event


def _worker(
    todo: queue.SimpleQueue,
    events: queue.Queue,
    stop: threading.Event,
    root: Path,
    modality: str,
    settings: VideoSettings,
) -> None:
    """Decode videos until none is left or the consumer has stopped."""
    try:
        while not stop.is_set():
            index, media = todo.get_nowait()
            for event in _decode(index, media, root, modality, settings, stop):
                if not _put(events, event, stop):
                    return
    except queue.Empty:
        return
    except BaseException as error:  # noqa: BLE001 - the consumer raises it
        _put(events, error, stop)


def _decode(
    index: int,
    media: Media,
    root: Path,
    modality: str,
    settings: VideoSettings,
    stop: threading.Event,
) -> Iterator[Clip | End]:
    """The events of one video."""
    path = root / media.video
    decode = partial(DECODE[modality], path, media, settings)
    again = partial(Reading, decode, media.video)
    first = again()
    for data in windows(first, settings) if modality == "audio" else first:
        yield Clip(index, data)
    outcome = first.outcome
    if outcome.is_doubtful:
        outcome = confirmed(first, again, path, media.sha256, stop)
    # Checked last, so that a replacement during reading is noticed too.
    outcome = _checked(outcome, path, media)
    messages = (outcome.warnings, outcome.error, outcome.error_lines, outcome.lost_frames)
    yield End(index, outcome.status, *messages)


def _checked(outcome: Outcome, path: Path, media: Media) -> Outcome:
    """The outcome, unless the file has changed since probing or cannot be read now."""
    try:
        unchanged = _as_probed(path, media)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        unchanged = False
    except OSError as error:
        return Outcome(Status.INTERRUPTED, error=f"cannot be read ({error.strerror})")
    return outcome if unchanged else Outcome(Status.CHANGED, error=CHANGED_MESSAGE)


def _as_probed(path: Path, media: Media) -> bool:
    """True if the file is unchanged since probing; its bytes are read only if its time differs."""
    found = path.stat()
    if found.st_size != media.size_bytes:
        return False
    return found.st_mtime_ns == media.mtime_ns or sha256_of(path) == media.sha256


def _put(events: queue.Queue, event: object, stop: threading.Event) -> bool:
    """Put an event, wait for space; False if the consumer has stopped."""
    while not stop.is_set():
        try:
            events.put(event, timeout=0.2)
        except queue.Full:
            continue
        return True
    return False
