"""Outcomes and warnings of videos: the names in tables, metrics and pages."""

from enum import StrEnum
from typing import Self


class _Name(StrEnum):
    """A name with its meaning: what happened and how mafnet handles it."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class Status(_Name):
    """Outcome of a video: column `status` of the media table and of the shards' reports."""

    OK = "ok", "used"
    DROPPED = "dropped", "not used, not counted as failed: it has no audio (policy `silent: drop`)"

    # Found by probing (`unreadable`: common.ffmpeg.DEMUXERS; `too_large`: MAX_PIXELS):
    MISSING = "missing", "not used: the file does not exist"
    NOT_A_FILE = "not_a_file", "never opened: a folder, FIFO or device"
    OUTSIDE_ROOT = "outside_root", "never opened: a link leads outside the folder of the videos"
    EMPTY = "empty", "not used: the file has 0 bytes"
    UNREADABLE = "unreadable", "not used: no permission, or the container is unknown"
    NO_VIDEO = "no_video", "not used: no video stream"
    TOO_LARGE = "too_large", "never decoded: a frame has too many pixels"

    # Found by decoding; `changed`, because its features would get a wrong key in the cache:
    UNDECODABLE = "undecodable", "not used: the decoder gave no frame or sample"
    CHANGED = "changed", "not used: the file has changed since it was probed"

    # Found by either:
    OUT_OF_MEMORY = "out_of_memory", "not used: the process that read the file hit its memory limit"
    CRASHED = "crashed", "not used: the process that read the file died"
    TIMEOUT = "timeout", "not used: the process that read the file took too long and was killed"

    # Found by either, and never kept: the run stops after the other videos, and tries it again.
    INTERRUPTED = (
        "interrupted",
        "tried again by the same command: the disk failed, or something ended the decoder",
    )

    # Decided by the policies of config section `video`:
    DAMAGED = (
        "damaged",
        "not used: more clips or frames are lost or corrupt than `max_lost_fraction` allows",
    )
    NO_AUDIO = "no_audio", "not used: it has no audio (policy `silent: fail`)"


class MediaWarning(_Name):
    """Irregularities of a video that is used: column `warnings` of the same tables."""

    NO_AUDIO = "no_audio", "used; its audio features are zero (policy `silent: zero`)"
    SILENT = "silent", "used; no sample of its audio, in the clips that are read, is above -80 dBFS"
    SEVERAL_VIDEO_TRACKS = (
        "several_video_tracks",
        "used; the default video track is taken, else the largest; single stills come last",
    )
    SEVERAL_AUDIO_TRACKS = (
        "several_audio_tracks",
        "used; the default audio track is taken, else the first one that can be decoded",
    )
    GAP = (
        "gap",
        "used; time stamps that jump or restart are joined, audio that is missing is silence",
    )
    UNREAD = (
        "unread",
        "used, but not its end: a second file was appended, other tracks begin there, or damage "
        "hides it",
    )
    HDR = (
        "hdr",
        "used, but its colours are pale: it is HDR (PQ or HLG) and this ffmpeg lacks the filters "
        "zscale and tonemap",
    )
    NO_DURATION = "no_duration", "used; the container states no duration"
    DECODER_ERRORS = "decoder_errors", "used; the decoder's message is kept"
    SHORT_VIDEO = (
        "short_video",
        "the last frame is held to the end of the file; lost clips are padding",
    )
    SHORT_AUDIO = "short_audio", "the clips after the end of the audio are padding"
