"""Config section `video`: the clip grid, how videos are decoded and which ones are used."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field

from mafnet.common.config import LATER, Number, PathText, Settings

SAMPLE_RATE = 16_000
"""Samples per second of decoded audio (mono), unless the backbone wants another rate."""

FRAME_SIZE = 224
"""Side in pixels of the frames, unless the backbone wants another one."""

POLICY = "policy"
"""Marks a key that decides which videos are used, not how they are decoded."""

LIMIT = "limit"
"""Marks a limit of a decoder: it decides which videos fail; features do not depend on it."""

BOTH = "both"
"""Marks a key that the decoding of both modalities depends on; other keys are for frames only."""

SHARE = {"unit": "share, 0 to 1"}


class VideoSection(Settings):
    """How videos are decoded, and which of them are used.

    Clip t covers the half-open second [t, t+1) of the container's time.
    """

    clips: Annotated[int, BOTH] = Field(
        10,
        ge=1,
        description="T, the number of one-second clips of a video. Longer videos are cut, shorter "
        "ones are padded with zero features. Raise it if your events come later than ten seconds.",
    )
    frames_per_clip: int = Field(
        16, ge=1, le=60, description="Number of frames taken from each clip, evenly in time."
    )
    interpolation: Literal["bilinear", "area", "bicubic", "neighbor", "auto"] = Field(
        "bilinear",
        description="How ffmpeg scales the frames; `auto` is what the backbone was trained with. "
        "The choice changes pooled features by 3 to 11 %.",
    )
    hwaccel: Literal["none", "cuda", "vaapi", "qsv", "vdpau", "videotoolbox"] = Field(
        "none",
        description="Hardware that decodes the frames, as ffmpeg names it; `none` is the CPU. Use "
        "it where the CPU cores cannot keep the GPU busy. Pixels may differ, so it is part of the "
        "fingerprint.",
    )
    silent: Annotated[Literal["zero", "drop", "fail"], POLICY] = Field(
        "zero",
        description="What to do with a video without audio: `zero` keeps it with zero audio "
        "features, `drop` leaves it out, `fail` counts it as failed.",
    )
    link_roots: Annotated[list[PathText], LATER, POLICY] = Field(
        [],
        description="Folders outside the folder of the videos to which links may lead, such as the "
        "`blobs` of a Hugging Face cache. Links to other places are not opened.",
    )
    timeout_seconds: Annotated[Number, LIMIT, BOTH] = Field(
        300,
        gt=0,
        description="Time after which a decoder is stopped and its video counts as failed. Raise "
        "it for files that take minutes to decode.",
        json_schema_extra={"unit": "seconds"},
    )
    decoder_memory_mb: Annotated[int, LATER, LIMIT, BOTH] = Field(
        4000,
        ge=200,
        description="Address space that one decoder process may use. A video that needs more "
        "counts as failed. Raise it for frames of 8K. Hardware decoders have no limit.",
        json_schema_extra={"unit": "megabytes"},
    )
    max_lost_fraction: Annotated[Number, POLICY] = Field(
        0.5,
        ge=0,
        le=1,
        description="Largest share of one stream that damage may destroy, of its clips and of its "
        "frames or audio packets. A video that lost more counts as failed. 0 accepts only complete "
        "videos.",
        json_schema_extra=SHARE,
    )
    max_failed_fraction: Annotated[Number, POLICY] = Field(
        0.05,
        ge=0,
        le=1,
        description="Largest share of failed videos. The run stops above it. Lower it if every "
        "video counts.",
        json_schema_extra=SHARE,
    )

    def decoding(self, modality: str) -> dict[str, Any]:
        """The recorded settings that decoding for "visual" or "audio" features depends on."""
        if modality == "audio":
            return self._recorded(lambda marks: BOTH in marks)
        return self._recorded(lambda marks: POLICY not in marks)

    def policies(self) -> dict[str, Any]:
        """The recorded settings that decide which videos are used."""
        return self._recorded(lambda marks: POLICY in marks) | {"clips": self.clips}

    def grid(self, modality: str) -> dict[str, Any]:
        """The settings of `decoding` that the values of features depend on."""
        limits = self._recorded(lambda marks: LIMIT in marks)
        decoding = self.decoding(modality).items()
        return {key: value for key, value in decoding if key not in limits and value != "none"}

    def _recorded(self, chosen: Callable[[list], bool]) -> dict[str, Any]:
        """The recorded settings whose marks are chosen."""
        marks = {key: field.metadata for key, field in VideoSection.model_fields.items()}
        values = self.recorded().items()
        return {key: value for key, value in values if key in marks and chosen(marks[key])}


class VideoSettings(VideoSection):
    """What the stage is told: the section of the config, and what follows from the backbone.

    frame_size: S, side in pixels. The aspect is not kept.
    sample_rate: of the audio, in hertz. window_seconds: length of the sound around each clip.
    """

    frame_size: int = Field(FRAME_SIZE, ge=1)
    sample_rate: int = Field(SAMPLE_RATE, ge=1)
    window_seconds: float = Field(1.0, gt=0)
