"""Runs with hostile names for the tests of `mafnet explore`, and a server of its page."""

import http.client
import socket
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import uvicorn
import yaml
from support.made_page import Results
from support.made_videos import ffmpeg

from mafnet.model.segments import Segment
from mafnet.model.window_output import segments_json
from mafnet.report.explore.run_videos import run_videos
from mafnet.report.explore.shown_videos import compared
from mafnet.report.explore.viewer_server import Copies, viewer_app

SCRIPT = "</script><script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(1)>"
CLASSES = [SCRIPT, IMAGE, "owl"]
OLD = "v5.avi"
"""A video of a format that browsers do not play."""
CLIPS = 3
REPLACED = 4
"""Number of a video whose file is not what its row says."""


def made_results(folder: Path) -> Results:
    """Two variants on six videos of 3 s. The labels are 0 1 2 0 1 2.

    The first variant predicts 1 0 2 0 1 2 and the second 0 1 1 0 1 1. In even samples, 80 % of the
    attention is on the frames, in odd ones on the audio.
    """
    made = Results(folder, CLASSES, 6, videos={1: f"{IMAGE}.mp4", 5: OLD})
    share = np.where(np.arange(6) % 2, 0.2, 0.8)
    scores = np.stack([share, 1 - share], -1)[:, None] * np.array([0.2, 0.3, 0.5])[:, None]
    made.run("first", 0, np.array([1, 0, 2, 0, 1, 2]), 0.6, attention=scores)
    made.run("second", 0, np.array([0, 1, 1, 0, 1, 1]), 0.9)
    made.make_videos([0, 1, 2, 3, REPLACED])
    old = made.folder / "videos" / OLD
    mpeg = ("-c:v", "mpeg2video", "-c:a", "mp2", "-f", "avi")
    convert = ("-i", made.folder / "videos/v0.mp4", *mpeg)
    ffmpeg(*convert, old)
    made.sources("first")
    ffmpeg(*convert, made.folder / "videos" / made.video(REPLACED))
    entry = {"root": "videos", "splits": {"main": "main.csv"}}
    (folder / "made.yaml").write_text(yaml.safe_dump({"datasets": {"made": entry}}))
    return made


def parts_file(path: Path, made: Results) -> Path:
    """Write the JSON of `mafnet predict --windows` for two recordings, the second without parts."""
    loud, mute = (str(made.folder / "videos" / made.video(number)) for number in (0, 2))
    found = {loud: [Segment(0, 1, "a", 0.6), Segment(1, 3, SCRIPT, 0.9)], mute: []}
    path.write_text(segments_json(found, {"run": "r", "random_weights": []}))
    return path


def collection(made: Results, *variants: str):
    """What the page shows of one or two variants."""
    found = [
        run_videos(made.runs[name][0], made.folder / "videos", made.folder / "main.csv",
                   made.home / "media.tsv")
        for name in variants
    ]  # fmt: skip
    return compared(*found) if len(found) > 1 else found[0]


@contextmanager
def served(shown, folder: Path):
    """Serves a collection while the block runs; gives its port and the secret part."""
    app = viewer_app(shown, Copies(folder, shown.copy_seconds), "secret")
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def get(port, path, host=None, **headers):
    """The response to a request, with its content read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Host": host or f"127.0.0.1:{port}"} | headers
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    response.content = response.read()
    connection.close()
    return response


@contextmanager
def both_served(made, folder: Path):
    """Serves the page of one run and of two while the block runs; gives their addresses."""
    for name in ("one", "two"):
        (folder / name).mkdir()
    with (
        served(collection(made, "first"), folder / "one") as one,
        served(collection(made, "first", "second"), folder / "two") as two,
    ):
        yield [f"http://127.0.0.1:{port}/secret/" for port in (one, two)]
