"""HDR videos (PQ, HLG) get the colours of other videos, or a warning says that they do not."""

import numpy as np
import pytest
from support.made_videos import ffmpeg

from mafnet.common.ffmpeg import can_tone_map
from mafnet.video.config import VideoSettings
from mafnet.video.decode import decode_frames
from mafnet.video.probe import probe

TRANSFERS = ("smpte2084", "arib-std-b67")
SETTINGS = VideoSettings(clips=1, frames_per_clip=2, frame_size=16)

needs_filters = pytest.mark.skipif(not can_tone_map(), reason="this ffmpeg lacks zscale or tonemap")


def hdr_video(path, transfer):
    """A second of pure BT.709 red at 100 cd/m2, as a 10-bit video of BT.2020 with a transfer."""
    to_hdr = (
        "format=gbrpf32le,zscale=tin=linear:pin=bt709:npl=100:p=bt2020:m=bt2020nc:"
        f"t={transfer}:r=tv,format=yuv420p10le"
    )
    tags = ("-color_primaries", "bt2020", "-colorspace", "bt2020nc", "-color_trc", transfer)
    encode = ("-c:v", "libx264", "-qp", "10", *tags)
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64:r=4:d=1", "-vf", to_hdr, *encode, path)
    return path


def mean_colour(path, media):
    with decode_frames(path, media, SETTINGS) as decoding:
        clips = list(decoding)
        return np.concatenate(clips).mean(axis=(0, 1, 2)), decoding.warnings


@needs_filters
@pytest.mark.parametrize("transfer", TRANSFERS)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_red_stays_red(tmp_path, transfer, suffix):
    path = hdr_video(tmp_path / f"a.{suffix}", transfer)
    media = probe(path, path.name)
    assert media.hdr == transfer
    assert media.repairs("visual") == f"hdr={transfer}"
    assert media.repairs("audio") == ""
    (red, green, blue), warnings = mean_colour(path, media)
    assert red > 120
    assert max(green, blue) < red / 8
    assert warnings == ()


@needs_filters
def test_without_the_filters_the_colours_are_pale_and_a_warning_says_so(tmp_path, monkeypatch):
    path = hdr_video(tmp_path / "a.mp4", "smpte2084")
    for module in ("media", "decode"):
        monkeypatch.setattr(f"mafnet.video.{module}.can_tone_map", lambda: False)
    media = probe(path, path.name)
    assert media.repairs("visual") == ""
    (red, green, blue), warnings = mean_colour(path, media)
    assert warnings == ("hdr",)
    assert min(green, blue) > red / 4


def test_other_videos_are_not_hdr(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64:r=4:d=1", "-c:v", "libx264", tmp_path / "a.mp4")
    assert probe(tmp_path / "a.mp4", "a.mp4").hdr == ""
