"""Reads the time stamps of a file's packets: what the streams contain, not what the header states.

Segments of a recording may each have their own clock: joined files, an encoder that was restarted.
Then time stamps jump ahead or restart. The streams of a file share one clock, so each new segment
is moved, for all streams by the same offset, to the end of what came before. If only one stream
jumps, only that one is moved, to its own end.
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

STILL_SECONDS = 60.0
"""In a file with one stream, a longer jump ahead is a new clock and not a still frame."""

BACK_SECONDS = 0.5
"""A step back by more than this is a new clock. Streams with reordered frames step back less."""

ALONE_SECONDS = 1.0
"""A stream jumps alone if another one has packets that are later than its last one by this."""

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
    decoded, decoded_until: start and end of the last packet, in its time of decoding.
    offset: of its last packet, see `Packets`.
    """

    packets: int = 0
    start: float = float("inf")
    end: float = float("-inf")
    gap: bool = False
    decoded: float = float("-inf")
    decoded_until: float = float("-inf")
    offset: float = 0.0
    _end_before: float = float("-inf")
    _followers: int = 0
    _spacing: float = 0.0

    @property
    def has_clock(self) -> bool:
        """True after the first packet with a time of decoding."""
        return self.decoded > float("-inf")

    def add(self, decoded: float | None, shown: float, seconds: float) -> None:
        """A packet whose times the file states; see `Packets.add`."""
        if decoded is not None:
            self._measure(decoded)
            self.gap |= self.has_clock and decoded - self.decoded_until > GAP_SECONDS
            self.decoded, self.decoded_until = decoded, decoded + seconds
        self.packets += 1
        self.start = min(self.start, shown)
        self._end_before = self.end = max(self._end_before, shown + seconds)

    def follow(self, seconds: float) -> None:
        """A packet without times of its own follows the packet before it."""
        seconds = self._spacing or seconds
        self.packets += 1
        self._followers += 1
        self.decoded_until += seconds
        self.end += seconds

    def forget_ahead(self) -> None:
        """Forget times of presentation that belong to a new clock: reordered frames."""
        if self.end - self.decoded_until > AHEAD_SECONDS:
            self._end_before = self.end = self.decoded_until

    def _measure(self, decoded: float) -> None:
        """The real duration of packets, if some without times precede one with a time."""
        if self._followers:
            self._spacing = max(decoded - self.decoded, 0) / (self._followers + 1)
        self._followers = 0


@dataclass
class Packets:
    """The packets of a file.

    tracks: by index of the stream; a stream without packets has none.
    offsets: seconds to add to the time stamps of each segment; the first is 0.
    complete: True if the file was read to its end without an error, and no packet is missing.
    end_position: bytes of the file up to the end of its last packet.
    """

    tracks: dict[int, Track] = field(default_factory=dict)
    offsets: list[float] = field(default_factory=lambda: [0.0])
    complete: bool = False
    end_position: int = 0
    _alone_from: float | None = None

    @property
    def decoded_until(self) -> float:
        """End of the last packet of all streams, in times of decoding."""
        return max(track.decoded_until for track in self.tracks.values())

    def add(
        self,
        stream: int,
        decoded: float | None,
        shown: float,
        seconds: float,
        joins: bool,
        stated: bool = True,
    ) -> None:
        """Count a packet with its times of decoding and presentation, and its duration.

        decoded: None if the container does not state it, as for the first reordered frames in
            Matroska. Their times of presentation say nothing about the clock.
        joins: True if the container may be joined by concatenation.
        stated: False if the demuxer calculated the times from those of an earlier packet. It uses
            the rate of the file's first packets, which is wrong after a change.
        """
        track = self.tracks.setdefault(stream, Track())
        if not stated and track.has_clock:
            track.follow(seconds)
            return
        if decoded is None:
            track.add(None, shown + track.offset, seconds)
            return
        track.offset = self._offset(track, decoded, joins)
        track.add(decoded + track.offset, shown + track.offset, seconds)

    def _offset(self, track: Track, decoded: float, joins: bool) -> float:
        """The offset of a packet; a new one if the packet begins a new clock."""
        if not track.has_clock:
            return self.offsets[-1]
        if track.offset == self.offsets[-1] and _continues(track, decoded + track.offset):
            return track.offset
        # Packets of the previous clock may still come after the first packet of the new one.
        known = {*self.offsets[-2:], track.offset}
        near = min(known, key=lambda offset: _distance(track, decoded + offset))
        if _continues(track, decoded + near):
            return near
        offset, end = self.offsets[-1], self.decoded_until
        ahead = decoded + near - track.decoded_until
        # If only one stream has an interval without packets, it is a still frame or silence.
        still = decoded + near - end <= AHEAD_SECONDS
        if len(self.tracks) == 1:
            still = not joins or ahead <= STILL_SECONDS
        if ahead > 0 and still:
            return near
        if len(self.offsets) > MAX_JUMPS:
            return offset
        begun = self._alone_from is not None and abs(decoded - self._alone_from) <= AHEAD_SECONDS
        if begun and track.decoded_until > decoded + offset:
            self._delay(track.decoded_until - decoded)
            return self.offsets[-1]
        for each in self.tracks.values():
            each.forget_ahead()
        alone = end - track.decoded_until > ALONE_SECONDS
        self.offsets.append((track.decoded_until if alone else end) - decoded)
        self._alone_from = decoded if alone else None
        return self.offsets[-1]

    def _delay(self, offset: float) -> None:
        """Give the last clock a later offset: the stream that jumped first had ended early."""
        before, self.offsets[-1] = self.offsets[-1], offset
        self._alone_from = None
        for track in self.tracks.values():
            if track.offset == before:
                track.offset = offset
                track.decoded += offset - before
                track.decoded_until += offset - before
                track.end += offset - before


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
            if packet.pos is not None:
                found.end_position = max(found.end_position, packet.pos + packet.size)
            unit = units[packet.stream_index]
            times = unit.times(packet)
            if times:
                found.add(packet.stream_index, *times, joins, unit.states_time(packet, joins))
            count += 1
            if count > MAX_PACKETS:
                return found
    except FFmpegError:
        return found
    except IndexError:
        pass  # PyAV's, at the end of a file in which streams appear late; those are not read.
    found.complete = not any(_lacks_packets(stream, found) for stream in streams)
    return found


class _Unit:
    """Converts the time stamps of one stream to seconds."""

    def __init__(self, stream: "Stream") -> None:
        rate = getattr(stream, "average_rate", None) if stream.type == "video" else None
        self._seconds = float(stream.time_base)
        self._frame = 1 / float(rate) if rate else 0.0
        self._has_positions = False

    def states_time(self, packet: "Packet", joins: bool) -> bool:
        """False if the demuxer calculated the times: MPEG states one for several packets.

        Then the packet has no position in the file.
        """
        self._has_positions |= packet.pos is not None
        return packet.pos is not None or not (joins and self._has_positions)

    def times(self, packet: "Packet") -> tuple[float | None, float, float] | None:
        """Times of decoding (or None) and presentation, and duration; None without a time stamp."""
        decoded = None if packet.dts is None else packet.dts * self._seconds
        shown = decoded if packet.pts is None else packet.pts * self._seconds
        duration = packet.duration * self._seconds if packet.duration else self._frame
        if self._frame and decoded is not None and shown > decoded:
            # The duration that mp4 states is that to the next decoding, not to the next frame.
            duration = min(duration, self._frame)
        return None if shown is None else (decoded, shown, duration)


def _continues(track: Track, decoded: float) -> bool:
    return decoded - track.decoded >= -BACK_SECONDS and (
        decoded - track.decoded_until <= AHEAD_SECONDS
    )


def _distance(track: Track, decoded: float) -> tuple[bool, float]:
    """Sorts times by how well they follow the last packet of a track."""
    return decoded - track.decoded < -BACK_SECONDS, abs(decoded - track.decoded_until)


def _lacks_packets(stream: "Stream", found: Packets) -> bool:
    """True if the container lists more frames of a stream than it has packets."""
    track = found.tracks.get(stream.index, Track())
    return stream.type == "video" and track.packets < stream.frames
