"""A pool of decoders for one consumer, with bounded memory."""

import logging
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.common.files import sha256_of
from mafnet.video.clips import DecodeError
from mafnet.video.config import VideoSettings
from mafnet.video.decode import decode_audio, decode_frames
from mafnet.video.media import Media
from mafnet.video.status import Status

log = logging.getLogger(__name__)

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
            for event in _decode(index, media, root, modality, settings):
                if not _put(events, event, stop):
                    return
    except queue.Empty:
        return
    except BaseException as error:  # noqa: BLE001 - the consumer raises it
        _put(events, error, stop)


def _decode(
    index: int, media: Media, root: Path, modality: str, settings: VideoSettings
) -> Iterator[Clip | End]:
    """The events of one video."""
    path = root / media.video
    try:
        with DECODE[modality](path, media, settings) as decoding:
            for data in decoding:
                yield Clip(index, data)
            messages = (decoding.warnings, decoding.error, decoding.error_lines)
            end = End(index, Status.OK, *messages, decoding.lost_frames)
    except DecodeError as error:
        end = End(index, error.reason, (), error.message)
    except MafnetError:
        raise
    except Exception as error:
        # One file must not end the others.
        log.exception("decoding %s: %s", modality, media.video)
        end = End(index, Status.CRASHED, (), f"{type(error).__name__}: {error}")
    # Checked last, so that a replacement during reading is noticed too.
    yield end if _as_probed(path, media) else End(index, Status.CHANGED, (), CHANGED_MESSAGE)


def _as_probed(path: Path, media: Media) -> bool:
    """True if the file is unchanged since probing; its bytes are read only if its time differs."""
    try:
        found = path.stat()
        if found.st_size != media.size_bytes:
            return False
        return found.st_mtime_ns == media.mtime_ns or sha256_of(path) == media.sha256
    except OSError:
        return False


def _put(events: queue.Queue, event: object, stop: threading.Event) -> bool:
    """Put an event, wait for space; False if the consumer has stopped."""
    while not stop.is_set():
        try:
            events.put(event, timeout=0.2)
        except queue.Full:
            continue
        return True
    return False
