"""What became of a video, and what was odd about it: the names in tables, metrics and pages."""

from enum import StrEnum
from typing import Self


class _Name(StrEnum):
    """A name with its meaning: what happened, and what mafnet does about it."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class Status(_Name):
    """What became of a video: column `status` of the media table and of the shards' reports."""

    OK = "ok", "used"
    DROPPED = "dropped", "not used, but no failure: it has no audio (policy `silent: drop`)"

    # Found by probing (`unreadable`: common.ffmpeg.DEMUXERS; `too_large`: MAX_PIXELS):
    MISSING = "missing", "not used: there is no such file"
    NOT_A_FILE = "not_a_file", "never opened: a folder, FIFO or device"
    OUTSIDE_ROOT = "outside_root", "never opened: a link leads out of the folder of the videos"
    EMPTY = "empty", "not used: the file has 0 bytes"
    UNREADABLE = "unreadable", "not used: no permission, or no container of a known kind"
    NO_VIDEO = "no_video", "not used: there is no video stream"
    TOO_LARGE = "too_large", "never decoded: a frame has too many pixels"

    # Found by decoding; `changed`, because its features would get a wrong key in the cache:
    UNDECODABLE = "undecodable", "not used: the decoder gave no frame or sample"
    CHANGED = "changed", "not used: it is not the file that was probed"

    # Found by either:
    CRASHED = "crashed", "not used: the process that read it died"
    TIMEOUT = "timeout", "not used: the process that read it took too long and was killed"

    # Decided by the policies of config section `video`:
    DAMAGED = (
        "damaged",
        "not used: more is lost than `max_lost_fraction` or `max_error_lines` allow",
    )
    NO_AUDIO = "no_audio", "not used: it has no audio (policy `silent: fail`)"


class MediaWarning(_Name):
    """What was odd about a video that is used: names in column `warnings` of the same tables."""

    NO_AUDIO = "no_audio", "used; its audio features are zero (policy `silent: zero`)"
    SEVERAL_AUDIO_TRACKS = "several_audio_tracks", "used; the first audio track is taken"
    NO_DURATION = "no_duration", "used, though the container states no duration"
    DECODER_ERRORS = "decoder_errors", "good seconds are used; the decoder's message is kept"
    SHORT_VIDEO = "short_video", "the clips that the video stream lacks at its end are padding"
    SHORT_AUDIO = "short_audio", "the clips that the audio stream lacks at its end are padding"
