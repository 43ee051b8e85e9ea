"""Durations from packets, where they disagree with the header of the container."""

from dataclasses import replace

from mafnet.video.media import Media
from mafnet.video.packets import Packets, Track

AGREEMENT_SECONDS = 0.5
"""Larger differences between the header and the packets count; codecs pad by less."""


def with_packets(media: Media, packets: Packets, video: int, audio: int | None) -> Media:
    """A row with what the packets tell; `video` and `audio` are the indexes of the streams."""
    start = media.start_seconds or 0
    seen, heard = packets.tracks.get(video), packets.tracks.get(audio)
    if seen is None:
        return media
    tracks = [seen] + ([heard] if heard else [])
    end = max(track.end for track in tracks) - start
    jumps = tuple(f"{offset:.6f}" for offset in packets.offsets[1:])
    return replace(
        media,
        duration_seconds=_duration(media.duration_seconds, start, end, packets),
        video_duration_seconds=_of_track(media.video_duration_seconds, seen, packets),
        audio_duration_seconds=_of_track(media.audio_duration_seconds, heard, packets),
        video_packets=seen.packets,
        audio_packets=heard.packets if heard else None,
        clock_offsets=jumps,
        end_seconds=round(end, 6),
        video_end_seconds=round(seen.end - start, 6),
    )


def _of_track(stated: float | None, track: Track | None, packets: Packets) -> float | None:
    if track is None:
        return stated
    return _duration(stated, track.start, track.end - track.start, packets)


def _duration(stated: float | None, start: float, found: float, packets: Packets) -> float | None:
    """The duration that the header states, or that of the packets if that is the right one.

    If reading ended early, the header knows more than the packets.
    """
    if stated is None or abs(stated - found) <= AGREEMENT_SECONDS:
        return stated
    counted_from_zero = abs(stated - start - found) <= AGREEMENT_SECONDS
    if packets.complete or found > stated or counted_from_zero or len(packets.offsets) > 1:
        return round(found, 6)
    return stated
