"""One decoding of a video with its outcome, and a second one that confirms a doubtful outcome.

A failing disk or a signal to ffmpeg gives fewer or wrong clips of a sound file. The exit status of
ffmpeg is then 0 or 255. With damage in the file itself, a second decoding gives the same clips.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.common.files import sha256_of
from mafnet.video.clips import DecodeError, Decoding
from mafnet.video.status import Status

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What decoding says of a video; the fields are those of `Decoding`.

    is_doubtful: True if the decoder complained or failed.
    """

    status: Status
    warnings: tuple[str, ...] = ()
    error: str = ""
    error_lines: int = 0
    lost_frames: int = 0
    is_doubtful: bool = False


class Reading:
    """Iterates once over the clips of a video. After that, it has `outcome` and `found`.

    decode: starts the decoder. It raises no exception about the file: that is an outcome.
    """

    outcome: Outcome

    def __init__(self, decode: Callable[[], Decoding], name: str) -> None:
        self._decode = decode
        self._name = name
        self._hash = hashlib.blake2b()

    def __iter__(self) -> Iterator[np.ndarray]:
        try:
            with self._decode() as decoding:
                for clip in decoding:
                    self._hash.update(clip)
                    yield clip
                doubtful = bool(decoding.warnings or decoding.error_lines or decoding.lost_frames)
                messages = (decoding.warnings, decoding.error, decoding.error_lines)
                self.outcome = Outcome(Status.OK, *messages, decoding.lost_frames, doubtful)
        except DecodeError as error:
            self.outcome = Outcome(error.reason, (), error.message, is_doubtful=True)
        except MafnetError:
            raise
        except Exception as error:
            # One file must not end the others.
            log.exception("decoding %s", self._name)
            reason = f"{type(error).__name__}: {error}"
            self.outcome = Outcome(Status.CRASHED, (), reason, is_doubtful=True)

    @property
    def found(self) -> tuple[Status, bytes]:
        """The status, and a digest of all clips."""
        return self.outcome.status, self._hash.digest()


def confirmed(
    first: Reading, again: Callable[[], Reading], path: Path, sha256: str, stop: Event
) -> Outcome:
    """The outcome of a doubtful reading, if a second one has the same status and clips.

    Else it is Status.INTERRUPTED, as also where a signal from outside ended a decoder or the file
    cannot be read. It is Status.DAMAGED if a third reading differs from both and the file has its
    digest: some decoders show old memory where a frame is damaged.
    again: starts another reading. `stop` ends it early.
    """
    readings = [first]
    while len(readings) < 3 and first.outcome.status != Status.INTERRUPTED:
        readings.append(again())
        for _ in readings[-1]:
            if stop.is_set():
                return first.outcome
        try:
            right = sha256_of(path) == sha256
        except OSError as error:
            return Outcome(Status.INTERRUPTED, error=f"cannot be read ({error.strerror})")
        if len(readings) == 2 and readings[1].found == first.found:
            return readings[1].outcome
    if len(readings) == 1:
        return first.outcome
    interrupted = any(each.outcome.status == Status.INTERRUPTED for each in readings)
    if right and not interrupted and len({each.found for each in readings}) == 3:
        message = f"each decoding gives different clips ({first.outcome.error})"
        return Outcome(Status.DAMAGED, error=message)
    message = f"decoded again, it gave different clips ({first.outcome.error})"
    return Outcome(Status.INTERRUPTED, error=message)
