"""The clip grid and how pixels and samples are laid on it."""

from dataclasses import dataclass

SAMPLE_RATE = 16_000
"""Samples a second of decoded audio: VGGish was trained on 16 kHz mono."""


@dataclass(frozen=True)
class VideoSettings:
    """Config section `video`: clip t covers the half-open second [t, t+1) of the container's time.

    clips: T, clips a video; what is longer is cut, what is shorter is padded in feature space.
    frames_per_clip: frames taken from a clip, at times t + i / frames_per_clip (paper: 16).
    frame_size: side in pixels to which frames are squashed, aspect not kept (paper: 224).
    interpolation: ffmpeg's scaler, one of "bilinear", "area", "bicubic", "neighbor".
    hwaccel: ffmpeg's name of the hardware that decodes pictures, such as "cuda", or "none".
    silent: what to do with a video without sound: "zero", "drop" or "fail".
    timeout_seconds: a decoder that takes longer is killed and the video counts as failed.
    max_lost_fraction: share of a stream's clips, 0 to 1, that may be lost to damage; above it the
        video counts as failed.
    max_error_lines: lines of the decoder's complaints above which the video counts as failed.
    max_failed_fraction: share of failed videos, 0 to 1, above which a run stops.
    """

    clips: int = 10
    frames_per_clip: int = 16
    frame_size: int = 224
    interpolation: str = "bilinear"
    hwaccel: str = "none"
    silent: str = "zero"
    timeout_seconds: float = 300.0
    max_lost_fraction: float = 0.5
    max_error_lines: int = 300
    max_failed_fraction: float = 0.05
