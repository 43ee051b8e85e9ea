"""Decodes frames and audio of one video to the clip grid, with one ffmpeg process each.

Second 0 of the grid is the start of the container, for both streams. ffmpeg keeps the file's time
stamps (-copyts), and a filter subtracts the start that probing found. Without -copyts, ffmpeg
starts some containers (MPEG-TS) at the decoded stream, so frames and audio are not in step.
"""

from pathlib import Path

import ffmpeg
import numpy as np

from mafnet.common.ffmpeg import (
    MAX_PIXELS,
    can_tone_map,
    check_hwaccel,
    ffmpeg_path,
    file_url,
    input_options,
)
from mafnet.video.clips import SILENT_PEAK, Decoding, Stream
from mafnet.video.config import VideoSettings
from mafnet.video.media import Media
from mafnet.video.packets import AHEAD_SECONDS, BACK_SECONDS
from mafnet.video.status import MediaWarning
from mafnet.video.timed_pipe import TIMED

SCALER = "accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
"""Flags for exact results. Without them ffmpeg is faster but differs between machines."""

_NUDGE_SECONDS = 1
"""Added to all time stamps by ffmpeg's input and subtracted by the filter.

Even with -copyts, ffmpeg 5.1 moves MPEG-TS to the start of the decoded stream if the input's offset
equals minus the container's start, which is the case for 0 and a file that starts at 0.
"""

_STEP = "(PTS-PREV_INPTS)*TB"
_STEPS_BACK = f"lt({_STEP},-{BACK_SECONDS:g})"
_JUMPS = f"gt({_STEP},{AHEAD_SECONDS:g})+{_STEPS_BACK}"
"""1 if the clock may jump at this frame, else 0. A long step ahead may also be a still frame."""

_COUNTED = "ld(0)+NB_CONSUMED_SAMPLES/SR/TB"
_JOINED = (
    "st(0,if(isnan(PREV_INPTS),PTS,ld(0)));"
    f"if(gte({_STEP},1)*between((PTS-({_COUNTED}))*TB,1,{AHEAD_SECONDS:g}),"
    f"st(0,ld(0)+PTS-({_COUNTED})));"
    f"round({_COUNTED}-{{start:.6f}}/TB)"
)
"""Time stamps of audio whose format changes: counted samples, and gaps of more than a second.

The stated ones are not reliable there: demuxers compute them with the rate of the first packets.
"""


def decode_frames(path: Path, media: Media, settings: VideoSettings) -> Decoding:
    """The frames of a video, at most `settings.clips` clips (frames_per_clip, S, S, 3) uint8 RGB.

    Frame i of clip t is the frame that a player shows at t + i / frames_per_clip: the last one that
    does not start later, or the first frame of the video. A clip counts if the video is longer than
    the clip's start by more than OVERHANG_SECONDS. The last frame fills its clip; if the video
    stream ends early, it is held to the end of the file. Rotation flags are applied. Frames are
    scaled to S x S; the aspect ratio is not kept. Memory does not grow with the video's length.
    HDR is converted to BT.709 if ffmpeg has the filters.
    MafnetError if ffmpeg cannot use `settings.hwaccel` on this machine.
    """
    side, rate = settings.frame_size, settings.frames_per_clip
    frames = (
        _input(path, max_pixels=MAX_PIXELS, **_hardware(settings))[f"V:{media.video_track}"]
        .filter("setpts", _on_grid(media, settings))
        .filter("fps", fps=rate, round="up", start_time=0)
        .filter("scale", side, side, flags=f"{settings.interpolation}+{SCALER}")
    )
    mapped = can_tone_map()
    if media.hdr and mapped:
        frames = _tone_mapped(frames, media.hdr)
    output = {"frames:v": settings.clips * rate, "fps_mode": "passthrough"}
    command = _command(frames.output("pipe:", format="rawvideo", pix_fmt="rgb24", **output))
    shape, short = (rate, side, side, 3), MediaWarning.SHORT_VIDEO
    warnings = (MediaWarning.HDR,) if media.hdr and not mapped else ()
    stream = Stream(shape, np.uint8, True, short, media.still_until, warnings)
    return Decoding(command, stream, media, settings)


def decode_audio(path: Path, media: Media, settings: VideoSettings) -> Decoding:
    """The audio track, at most `settings.clips` clips (rate,) int16, mono.

    Sample n of clip t belongs to t + n / rate. It is silence before the track's start and in
    gaps. Mono is the plain mean of all channels. A clip counts if the audio is longer than the
    clip's start by more than OVERHANG_SECONDS; the rest of it is zeros. No clips for a video
    without audio. After a change of rate or channels, ffmpeg's own down-mix is used.
    """
    rate = settings.sample_rate
    stream = Stream((rate,), np.int16, False, MediaWarning.SHORT_AUDIO, silent_peak=SILENT_PEAK)
    if not media.audio_codec:
        return Decoding([], stream, media, settings)
    track = f"a:{media.audio_track}"
    audio = (
        _input(path)[track]
        .filter("asetpts", _on_grid(media, settings))
        .filter("pan", _mean_of_channels(media.audio_channels or 1))
        # async fills gaps longer than 0.1 s; first_pts fills or cuts up to second 0.
        .filter("aresample", rate, **{"async": 1, "first_pts": 0, "osf": "s16"})
        .filter("atrim", end_sample=settings.clips * rate)
    )
    fallback = (
        _input(path, reinit_filter=1)[track]
        .filter("asetpts", _JOINED.format(start=_start(media)))
        .filter("aresample", **{"async": 1})
        .filter("aformat", sample_fmts="s16", sample_rates=rate, channel_layouts="mono")
        .filter("aeval", TIMED, channel_layout="stereo")
    )
    command = _command(audio.output("pipe:", format="s16le", acodec="pcm_s16le"))
    # setts: the time stamps of two graphs may overlap, which the muxer reports as an error.
    timed = {"format": "f64le", "acodec": "pcm_f64le", "bsf:a": "setts=ts=N"}
    other = _command(fallback.output("pipe:", **timed))
    return Decoding(command, stream, media, settings, other)


def _hardware(settings: VideoSettings) -> dict[str, str]:
    """The input's option for hardware decoding; ffmpeg decodes the codecs that hardware cannot."""
    if settings.hwaccel == "none":
        return {}
    check_hwaccel(settings.hwaccel)
    return {"hwaccel": settings.hwaccel}


def _tone_mapped(frames: ffmpeg.Stream, transfer: str) -> ffmpeg.Stream:
    """HDR frames with the brightness and colours (BT.709) of other videos.

    transfer: the transfer function, as ffmpeg names it.
    """
    bt2020 = {"tin": transfer, "pin": "bt2020", "min": "bt2020nc"}
    return (
        frames.filter("format", "yuv444p10le")
        .filter("zscale", t="linear", npl=100, **bt2020)
        .filter("format", "gbrpf32le")
        .filter("zscale", p="bt709")
        .filter("tonemap", "hable", desat=0)
        .filter("zscale", t="bt709", m="gbr", r="pc")
        .filter("format", "gbrp")
    )


def _mean_of_channels(channels: int) -> str:
    """The down-mix for filter `pan`; ffmpeg's own has other weights for some channels."""
    # "<" scales the equal gains so that they sum to 1.
    return "mono|c0<" + "+".join(f"c{index}" for index in range(channels))


def _on_grid(media: Media, settings: VideoSettings) -> str:
    """The expression for `setpts` that sets second 0 to the container's start.

    Time stamps after the last clip are all the same, so that no filter fills a jump of hours.
    """
    start, last = _start(media), settings.clips + 1
    if not media.clock_offsets:
        return f"min(round(PTS-({start:.6f})/TB),{last}/TB)"
    # Variables: 0 is the offset in seconds, 1 its number, 2 the repaired time of the last frame, 3
    # the distance from there, 4 the first possible number. Where the clock jumps, the later offset
    # with the least distance is taken.
    tries = "".join(
        f"if(gte({number},ld(4))*lt(abs(PTS*TB+({offset})-ld(2)),ld(3)),"
        f"st(3,abs(PTS*TB+({offset})-ld(2)));st(0,{offset});st(1,{number}));"
        for number, offset in enumerate(("0", *media.clock_offsets))
    )
    jump = f"if(if(isnan(PREV_INPTS),0,{_JUMPS}),st(3,1e12);st(4,ld(1)+{_STEPS_BACK});{tries}0)"
    return f"{jump};st(2,PTS*TB+ld(0));min(round((ld(2)-({start:.6f}))/TB),{last}/TB)"


def _start(media: Media) -> float:
    """Second 0 of the grid in ffmpeg's time."""
    return (media.start_seconds or 0) + _NUDGE_SECONDS


def _input(path: Path, reinit_filter: int = 0, **options: object) -> ffmpeg.Stream:
    # reinit_filter=0: a change of the format must not restart the filters, because they would
    # start again at second 0.
    return ffmpeg.input(
        file_url(path),
        itsoffset=_NUDGE_SECONDS,
        threads=1,
        reinit_filter=reinit_filter,
        **input_options(),
        **options,
    )


def _command(output: ffmpeg.Stream) -> list[str]:
    quiet = ("-nostdin", "-hide_banner", "-loglevel", "repeat+level+warning", "-copyts")
    return output.global_args(*quiet, "-filter_complex_threads", "1").compile(cmd=ffmpeg_path())
