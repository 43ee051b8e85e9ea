"""Compares two ways to decode the clips of video networks: python -m benchmarks.clips

PyAV seeks and decodes in a process that stays; the other way starts ffmpeg for every clip. Both
take the same times of the same made video (H.264, 640x360, 30 frames a second, 10 s).
"""

import os
import subprocess
import tempfile
from pathlib import Path

from mafnet.common.ffmpeg import ffmpeg_path
from mafnet.video.clip_reader import read_clips
from mafnet.video.media import Media
from mafnet.video.probe import probe
from mafnet.video.sampling import Clip, Sampling, evaluation_clips, training_clip

CASES = {
    "16 frames at 15 a second, 128x171": Sampling(rate=15, scaled_width=171),
    "32 frames, every second, 256": Sampling(frames=32, stride=2, short_side=[256, 256], crop=224),
    "64 frames at 25 a second, 256": Sampling(frames=64, rate=25, short_side=[256, 256], crop=224),
}
CLIPS = 20


def made_video(folder: Path) -> Path:
    """Ten seconds of moving noise and shapes."""
    path = folder / "made.mp4"
    source = "testsrc2=s=640x360:r=30:d=10,noise=alls=4:allf=t"
    codec = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "250"]
    command = [ffmpeg_path(), "-v", "error", "-y", "-f", "lavfi", "-i", source, *codec, str(path)]
    subprocess.run(command, check=True)
    return path


def by_ffmpeg(path: Path, clip: Clip) -> int:
    """Bytes of a clip from a pipe to ffmpeg."""
    rate = (len(clip.times) - 1) / (clip.times[-1] - clip.times[0])
    chain = f"fps={rate:.6f},scale={clip.width}:{clip.height},"
    chain += f"crop={clip.side}:{clip.side}:{clip.left}:{clip.top}"
    command = [ffmpeg_path(), "-v", "error", "-threads", "1", "-ss", f"{clip.times[0]:.6f}"]
    command += ["-i", str(path), "-filter_threads", "1", "-vf", chain]
    command += ["-frames:v", str(len(clip.times)), "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:"]
    return len(subprocess.run(command, check=True, capture_output=True).stdout)


def main() -> None:
    """Print CPU milliseconds a clip of both ways, children included."""
    print("| read | PyAV ms | pipe to ffmpeg ms |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = made_video(Path(folder))
        media = probe(path, path.name)
        for name, sampling in CASES.items():
            clips = [training_clip(media, sampling, 10, str(n)) for n in range(CLIPS)]
            print(_row(name, path, media, [[clip] for clip in clips]))
        name = "10 clips of one video, 32 frames each, 256"
        print(_row(name, path, media, [evaluation_clips(media, list(CASES.values())[1], 10)] * 3))


def _row(name: str, path: Path, media: Media, reads: list[list[Clip]]) -> str:
    """A row of the table; each read asks for some clips of the video."""
    ways = (
        lambda clips: read_clips(path, media, clips),
        lambda clips: [by_ffmpeg(path, clip) for clip in clips],
    )
    spent = []
    for way in ways:
        way(reads[0])
        begin = sum(os.times()[:4])
        for clips in reads:
            way(clips)
        spent.append(1000 * (sum(os.times()[:4]) - begin) / sum(map(len, reads)))
    return f"| {name} | {spent[0]:.0f} | {spent[1]:.0f} |"


if __name__ == "__main__":
    main()
