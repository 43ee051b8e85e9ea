"""Hardware decoding is used only if ffmpeg supports it and finds the device."""

import stat

import numpy as np
import pytest
from support.made_videos import changed, counting_video, frames_of, probed

from mafnet.common import ffmpeg
from mafnet.common.errors import MafnetError
from mafnet.common.ffmpeg import check_hwaccel, ffmpeg_path
from mafnet.features.decode_pool import decode_in_parallel

# A program that pretends to have hardware of the name cuda and records its arguments. The real
# ffmpeg decodes instead of the hardware.
PRETENDED = """#!/usr/bin/env python3
import os, sys
arguments = sys.argv[1:]
with open({log!r}, "a") as log:
    print(*arguments, file=log)
if "-hwaccels" in arguments:
    sys.exit(print("Hardware acceleration methods:\\ncuda\\n"))
for name in ("-hwaccel", "-init_hw_device"):
    while name in arguments:
        at = arguments.index(name)
        del arguments[at : at + 2]
os.execv({real!r}, ["ffmpeg", *arguments])
"""


@pytest.fixture
def pretended(tmp_path, monkeypatch):
    """The calls of an ffmpeg on the PATH that pretends to have hardware."""
    program, log = tmp_path / "bin" / "ffmpeg", tmp_path / "calls.txt"
    program.parent.mkdir()
    program.write_text(PRETENDED.format(log=str(log), real=ffmpeg_path()))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    for function in (ffmpeg_path, check_hwaccel):
        function.cache_clear()
    yield log
    monkeypatch.undo()
    for function in (ffmpeg_path, check_hwaccel):
        function.cache_clear()


def test_ffmpeg_is_told_before_the_file_is_opened(pretended, tmp_path):
    path = counting_video(tmp_path / "a.mp4", 1)
    expected, _ = frames_of(path, changed(clips=1))
    assert "-hwaccel " not in pretended.read_text()
    found, _ = frames_of(path, changed(clips=1, hwaccel="cuda"))
    assert np.array_equal(found, expected)
    call = pretended.read_text().splitlines()[-1].split()
    assert call[call.index("-hwaccel") + 1] == "cuda"
    assert call.index("-hwaccel") < call.index("-i")


def test_method_that_ffmpeg_does_not_list_is_one_line(pretended):
    with pytest.raises(
        MafnetError, match=r"^video\.hwaccel: \S+ does not support vaapi, only cuda; [^\n]*$"
    ):
        check_hwaccel("vaapi")


def without_a_device():
    """A method of hardware decoding that ffmpeg lists, but has no device for on this machine."""
    for name in ffmpeg.run_quietly("-hwaccels").stdout.split(":", 1)[-1].split():
        try:
            check_hwaccel(name)
        except MafnetError:
            return name
    pytest.skip("this machine has a device for all that its ffmpeg lists")


def test_a_listed_method_without_its_device_is_one_line():
    name = without_a_device()
    with pytest.raises(MafnetError, match=rf"^[^\n]*finds no device for {name} here \([^\n]*none$"):
        check_hwaccel(name)


def test_the_decoder_pool_raises_the_error_once_and_not_for_every_video(tmp_path):
    path = counting_video(tmp_path / "a.mp4", 1)
    settings = changed(hwaccel="unheard")
    events = decode_in_parallel([probed(path)], tmp_path, "visual", settings, 1)
    with pytest.raises(MafnetError, match="does not support unheard"):
        list(events)
