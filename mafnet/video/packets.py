"""Reads the time stamps of a file's packets: what the streams contain, not what the header states.

Segments of a recording may each have their own clock: joined files, an encoder that was restarted.
Then time stamps jump ahead or restart. All streams of a file share one clock, so each new segment
is moved, for all streams by the same offset, to the end of what came before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

AHEAD_SECONDS = 10.0
"""A jump ahead by more than this is a new clock, as in ffmpeg's `dts_delta_threshold`."""

BACK_SECONDS = 0.5
"""A step back by more than this is a new clock. Streams with reordered frames step back less."""

GAP_SECONDS = 0.5
"""An interval of one stream without audio packets that is longer than this is called a gap."""

MAX_PACKETS = 1_000_000
"""Packets that are read at most, hours of video; the rest of the file has the header's times."""

MAX_JUMPS = 30
"""New clocks that are repaired at most; each makes ffmpeg's expression longer."""

_RESETS_CLOCK = 0x0200
"""libavformat's AVFMT_TS_DISCONT: containers that may be joined by concatenation, e.g. MPEG-TS."""


@dataclass
class Track:
    """The packets of one stream; seconds of the repaired clock.

    packets: number of packets. start, end: first and last time of presentation.
    """

    packets: int = 0
    start: float = float("inf")
    end: float = float("-inf")
    gap: bool = False
    decoded_until: float = float("-inf")

    @property
    def has_clock(self) -> bool:
        """True after the first packet with a time of decoding."""
        return self.decoded_until > float("-inf")


@dataclass
class Packets:
    """The packets of a file.

    tracks: by index of the stream; a stream without packets has none.
    offsets: seconds to add to the time stamps of each segment; the first is 0.
    complete: True if the file was read to its end without an error, and no packet is missing.
    """

    tracks: dict[int, Track] = field(default_factory=dict)
    offsets: list[float] = field(default_factory=lambda: [0.0])
    complete: bool = False

    @property
    def end(self) -> float:
        """End of the last packet of all streams."""
        return max((track.end for track in self.tracks.values()), default=float("-inf"))

    def add(
        self, stream: int, decoded: float | None, shown: float, seconds: float, joins: bool
    ) -> None:
        """Count a packet with its times of decoding and presentation, and its duration.

        decoded: None if the container does not state it, as for the first reordered frames in
            Matroska. Their times of presentation say nothing about the clock.
        joins: True if the container may be joined by concatenation.
        """
        track = self.tracks.setdefault(stream, Track())
        offset = self.offsets[-1] if decoded is None else self._offset(track, decoded, joins)
        shown += offset
        if decoded is not None:
            decoded += offset
            track.gap |= track.has_clock and decoded - track.decoded_until > GAP_SECONDS
            track.decoded_until = decoded + seconds
        track.packets += 1
        track.start = min(track.start, shown)
        track.end = max(track.end, shown + seconds)

    def _offset(self, track: Track, decoded: float, joins: bool) -> float:
        """The offset of a packet; a new one if the packet begins a new clock."""
        # Packets of the previous clock may still come after the first packet of the new one.
        for offset in reversed(self.offsets[-2:]):
            if not track.has_clock or _continues(track, decoded + offset):
                return offset
        offset, end = self.offsets[-1], self.end
        ahead = decoded + offset > track.decoded_until
        # If only one stream has an interval without packets, it is a still frame or silence.
        still = decoded + offset - end <= AHEAD_SECONDS or not (joins or len(self.tracks) > 1)
        if (ahead and still) or len(self.offsets) > MAX_JUMPS:
            return offset
        self.offsets.append(end - decoded)
        return self.offsets[-1]


def read_packets(file: "InputContainer", streams: Sequence["Stream"]) -> Packets:
    """The packets of some streams of an open file, without decoding; errors end the reading."""
    from av import FFmpegError

    found = Packets()
    units = {stream.index: _Unit(stream) for stream in streams}
    joins = bool(file.format.flags & _RESETS_CLOCK)
    count = 0
    try:
        # Without streams, PyAV would read the packets of all, such as those of a cover image.
        for packet in file.demux(streams) if streams else ():
            times = units[packet.stream_index].times(packet)
            if times:
                found.add(packet.stream_index, *times, joins)
            count += 1
            if count > MAX_PACKETS:
                return found
    except FFmpegError:
        return found
    found.complete = not any(_lacks_packets(stream, found) for stream in streams)
    return found


class _Unit:
    """Converts the time stamps of one stream to seconds."""

    def __init__(self, stream: "Stream") -> None:
        rate = getattr(stream, "average_rate", None) if stream.type == "video" else None
        self._seconds = float(stream.time_base)
        self._frame = 1 / float(rate) if rate else 0.0

    def times(self, packet: "Packet") -> tuple[float | None, float, float] | None:
        """Times of decoding (or None) and presentation, and duration; None without a time stamp."""
        decoded = None if packet.dts is None else packet.dts * self._seconds
        shown = decoded if packet.pts is None else packet.pts * self._seconds
        duration = packet.duration * self._seconds if packet.duration else self._frame
        return None if shown is None else (decoded, shown, duration)


def _continues(track: Track, decoded: float) -> bool:
    return -BACK_SECONDS <= decoded - track.decoded_until <= AHEAD_SECONDS


def _lacks_packets(stream: "Stream", found: Packets) -> bool:
    """True if the container lists more frames of a stream than it has packets."""
    track = found.tracks.get(stream.index, Track())
    return stream.type == "video" and track.packets < stream.frames
