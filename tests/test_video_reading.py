"""A doubtful decoding is confirmed by others, or it is no fact about the video."""

from contextlib import contextmanager
from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest

from mafnet.common.files import sha256_of
from mafnet.video.reading import Reading, confirmed


def outcome_of(tmp_path, values, digest=None):
    """The outcome of readings that give one clip of each value."""
    path = tmp_path / "a.avi"
    path.write_bytes(b"frames")
    left = list(values)

    @contextmanager
    def clips():
        class Damaged(SimpleNamespace):
            def __iter__(self):
                return iter([np.full(4, left.pop(0), np.uint8)])

        yield Damaged(warnings=("decoder_errors",), error="bad frame", error_lines=1, lost_frames=1)

    def again():
        return Reading(clips, "a.avi")

    first = again()
    assert len(list(first)) == 1
    found = confirmed(first, again, path, digest or sha256_of(path), Event())
    return found.status, len(values) - len(left)


@pytest.mark.parametrize(
    ("values", "status", "count"),
    [
        ((1, 1, 2), "ok", 2),
        ((1, 2, 3), "damaged", 3),  # the decoder shows old memory in damaged frames
        ((1, 2, 2), "interrupted", 3),  # the first reading was disturbed
        ((1, 2, 1), "interrupted", 3),
    ],
)
def test_only_equal_readings_are_kept(tmp_path, values, status, count):
    assert outcome_of(tmp_path, values) == (status, count)


def test_other_bytes_are_a_fault_of_the_machine(tmp_path):
    assert outcome_of(tmp_path, (1, 2, 3), "0" * 64)[0] == "interrupted"
