"""Fine-tuning and evaluation of the video networks, at small size on the CPU."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.made_videos import H264, ffmpeg, probed

from mafnet.common.errors import MafnetError
from mafnet.model.config import Evaluation
from mafnet.model.resume import Resume
from mafnet.model.run_folder import RunFolder
from mafnet.model.video import VIDEO_NETWORKS, video_spec
from mafnet.model.video.data import Frames, VideoData
from mafnet.model.video.distributed import World
from mafnet.model.video.finetune import IGNORED, Tuner, freeze
from mafnet.model.video.run import clip_reader, evaluate_video, finetune, settings_of_run
from mafnet.video.isolate import Failure
from mafnet.video.media import write_media
from mafnet.video.status import Status

LIMITS = {"timeout_seconds": 60, "decoder_memory_mb": 4000}
CPU = torch.device("cpu")
SMALL = {
    "frames": 8, "stride": 1, "rate": 8, "short_side": [26, 30], "scaled_width": 0, "crop": 24,
    "test_short_side": 26, "test_crop": 24, "test_frames": 0, "test_clips": 2, "test_crops": 1,
    "weights": "random", "frozen_stages": 0, "clips_at_once": 4, "weight_decay": 1e-4, "drops": [],
}  # fmt: skip
TRAINING = {
    "learning_rate": 0.01, "batch_size": 4, "max_epochs": 2, "patience": 50, "precision": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Four training videos of two colours, two of each other subset; manifest and media table."""
    folder = tmp_path_factory.mktemp("videos")
    rows, media = ["sample,video,label,subset"], []
    for number, subset in enumerate(("train",) * 4 + ("val",) * 2 + ("test",) * 2):
        path = folder / f"{number}.mp4"
        colour = "red" if number % 2 else "blue"
        source = f"color={colour}:s=64x48:r=8:d=1.5,noise=alls=20:allf=t:all_seed={number}"
        ffmpeg("-f", "lavfi", "-i", source, *H264, path)
        rows.append(f"s{number},{path.name},{colour},{subset}")
        media.append(probed(path))
    (folder / "manifest.csv").write_text("\n".join([*rows, ""]))
    write_media(media, folder / "media.tsv")
    return folder


@pytest.fixture(scope="module")
def reader():
    with clip_reader(1, LIMITS) as opened:
        yield opened


def data_of(folder):
    return VideoData(folder / "manifest.csv", folder / "media.tsv", folder, None)


def given(network, options=None, training=None):
    """Settings as the workflow passes them."""
    return {
        "variant": network, "network": network, "options": SMALL | (options or {}), "clips": 2,
        "training": TRAINING | (training or {}) | {"drop_rate": 0, "patience_steps": 0},
        "video": LIMITS,
    }  # fmt: skip


def settings_for(folder, network, options=None, training=None):
    values = given(network, options, training)
    return settings_of_run(values, data_of(folder).classes, 3, None)


LEARNS = {"i3d": (0.02, 8), "r2plus1d": (0.01, 8), "slowfast": (0.02, 8), "mars": (0.001, 12)}
"""Step size and epochs; an epoch is one update, so MARS' dampening would take many more."""


@pytest.mark.parametrize("network", VIDEO_NETWORKS)
def test_a_network_learns_a_few_videos_and_is_evaluated(
    network, videos, reader, tmp_path, one_thread
):
    rate, epochs = LEARNS[network]
    training = {"learning_rate": rate, "max_epochs": epochs}
    settings = settings_for(videos, network, {"dampening": 0}, training)
    finetune(settings, data_of(videos), None, tmp_path, reader, CPU)
    run = RunFolder(tmp_path)
    history = run.read_history()
    assert history[-1].loss < 0.3 < history[0].loss
    evaluate_video(tmp_path, data_of(videos), Evaluation(top_k=1), "main", reader, CPU)
    metrics = run.read_metrics()
    assert run.is_evaluated
    assert metrics["samples"] == 2
    assert metrics["pretrained"] == "random"
    assert metrics["random_weights"] == ["visual"]
    assert 0 <= metrics["clip_accuracy"] <= 100
    assert run.read_predictions().samples == ["s6", "s7"]
    assert not run.resume.exists()


def test_frozen_stages_keep_weights_and_statistics(videos, reader, tmp_path, one_thread):
    settings = settings_for(videos, "r2plus1d", {"frozen_stages": 4}, {"max_epochs": 1})
    torch.manual_seed(settings.seed)
    before = video_spec("r2plus1d").build(2).state_dict()
    finetune(settings, data_of(videos), None, tmp_path, reader, CPU)
    after = RunFolder(tmp_path).read_weights()
    moved = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    assert moved == {"layer4", "fc"}


def test_all_recipes_freeze_stages_that_exist():
    for spec in VIDEO_NETWORKS.values():
        with torch.device("meta"):
            network = spec.build(2)
        stages = spec.parse({}).frozen_stages
        freeze(network, stages)
        free = [name for name, each in network.named_parameters() if each.requires_grad]
        assert any(name.startswith(spec.classifier) for name in free)
        assert (len(free) < len(list(network.parameters()))) == (stages > 0)


def test_the_step_size_is_divided_by_ten_after_each_drop(videos, reader):
    settings = settings_for(videos, "r2plus1d", {"drops": [2, 3]}, {"learning_rate": 0.1})
    frames = Frames(reader, videos, video_spec("r2plus1d").parse(SMALL))
    tuner = Tuner(settings, video_spec("r2plus1d").build(2), frames, CPU, World())
    assert [tuner.step_size(n) for n in range(5)] == pytest.approx([0.1, 0.1, 0.01, 0.001, 0.001])


def losses_of(folder):
    return [epoch.loss for epoch in RunFolder(folder).read_history()]


def test_accumulated_gradients_are_those_of_the_whole_batch(videos, reader, tmp_path, one_thread):
    """In frozen layers batch normalisation does not depend on the size of the parts."""
    found = []
    for parts in (1, 4):
        options = {"frozen_stages": 5, "clips_at_once": parts}
        settings = settings_for(videos, "r2plus1d", options)
        finetune(settings, data_of(videos), None, tmp_path / str(parts), reader, CPU)
        found.append(RunFolder(tmp_path / str(parts)).read_weights()["fc.weight"])
    # Only the order of float32 sums differs.
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)


def command(folder, output, *more, training=None):
    values = given("r2plus1d", {"clips_at_once": 1}, training)
    return [
        sys.executable, "-m", "mafnet", "finetune", "--manifest", folder / "manifest.csv",
        "--media", folder / "media.tsv", "--root", folder, "--settings", json.dumps(values),
        "--seed", "3", "--output", output, "--device", "cpu", *more,
    ]  # fmt: skip


ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def run_command(*arguments, **changes):
    return subprocess.run(
        [*map(str, command(*arguments, **changes))], env=ENVIRONMENT, capture_output=True, text=True
    )


def test_two_processes_take_the_steps_of_one(videos, tmp_path):
    for processes in (1, 2):
        output, training = tmp_path / str(processes), {"batch_size": 2, "max_epochs": 1}
        done = run_command(videos, output, "--processes", processes, training=training)
        assert done.returncode == 0, done.stderr[-3000:]
    one, two = (losses_of(tmp_path / name) for name in ("1", "2"))
    assert len(one) == 1
    assert two == pytest.approx(one, rel=1e-3)  # the order of sums over clips differs


def test_full_disk_is_one_line_in_fine_tuning_and_evaluation(videos, reader, tmp_path, one_thread):
    folder = tmp_path / "run"
    settings = settings_for(videos, "r2plus1d", None, {"max_epochs": 1})
    finetune(settings, data_of(videos), None, folder, reader, CPU)
    evaluation = [
        "evaluate-video", "--manifest", videos / "manifest.csv", "--media", videos / "media.tsv",
        "--root", videos, "--run", folder, "--split", "main", "--device", "cpu",
        "--settings", json.dumps({"evaluation": {"top_k": 1}, "video": LIMITS}),
    ]  # fmt: skip
    tuning = command(videos, tmp_path / "other", training={"max_epochs": 1})[3:]
    for words in (tuning, evaluation):
        done = subprocess.run(
            [sys.executable, "-m", "mafnet", *map(str, words)], env=ENVIRONMENT,
            capture_output=True, text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)),
        )  # fmt: skip
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode == 1, done.stderr
        assert re.match(rf"mafnet {words[0]}: .+: .*\(File too large\); free some room", last), last


@pytest.mark.slow
def test_a_killed_run_continues_within_an_epoch_with_the_same_result(videos, tmp_path):
    training = {"batch_size": 2, "max_epochs": 3}  # two steps an epoch
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run_command(videos, whole, training=training).returncode == 0
    arguments = command(videos, killed, "--save-seconds", "0", training=training)
    process = subprocess.Popen([*map(str, arguments)], env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    run, deadline = RunFolder(killed), time.monotonic() + 120
    while time.monotonic() < deadline:
        state = run.read_resume().get("state", {}) if run.resume.exists() else {}
        if state.get("step", 0) or process.poll() is not None:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    done = run_command(videos, killed, training=training)
    assert done.returncode == 0
    assert "resuming" in done.stderr
    assert RunFolder(whole).weights.read_bytes() == run.weights.read_bytes()
    assert RunFolder(whole).history.read_text() == run.history.read_text()


class Broken:
    """A reader of videos that cannot be decoded, but for those with the numbers `good`."""

    def __init__(self, good, reason=Status.CRASHED):
        self._good, self._reason = good, reason

    def read(self, wanted):
        for _, media, clips in wanted:
            clip = clips[0]
            shape = (len(clip.times), clip.side, clip.side, 3)
            good = int(media.video.split(".")[0]) in self._good
            yield [np.ones(shape, np.uint8)] if good else Failure(self._reason, "died")


def wanted_of(data, options):
    from mafnet.video.sampling import training_clip

    media = data.subset("train").videos[0]
    return [(replace(media, video=f"{number}.mp4"), [training_clip(media, options, 2, "")])
            for number in range(8)]  # fmt: skip


def test_a_video_that_cannot_be_decoded_does_not_count_but_many_are_an_error(videos, caplog):
    data, options = data_of(videos), video_spec("mars").parse(SMALL)
    wanted = wanted_of(data, options)
    frames = Frames(Broken(range(5)), videos, options)
    clips = list(frames.read(wanted))
    assert clips[7][0].shape == (8, 24, 24, 3)
    assert frames.unreadable == {"5.mp4", "6.mp4", "7.mp4"}
    assert "5.mp4: crashed (died)" in caplog.text
    with pytest.raises(MafnetError, match=r"crashed \(died\), as 4 of"):
        list(Frames(Broken(()), videos, options).read(wanted))


@pytest.mark.parametrize(
    ("reason", "required", "message"),
    [
        (Status.TIMEOUT, True, "remove its rows from the manifest"),
        (Status.INTERRUPTED, True, "twice; check the disk"),
        (Status.INTERRUPTED, False, "twice; check the disk"),
    ],
)
def test_black_clips_are_no_predictions(videos, reason, required, message):
    data, options = data_of(videos), video_spec("mars").parse(SMALL)
    frames = Frames(Broken(range(7), reason), videos, options, required)
    with pytest.raises(MafnetError, match=rf"^7\.mp4: {reason}.*{message}"):
        list(frames.read(wanted_of(data, options)))


def test_labels_of_black_clips_do_not_count(videos):
    data, options = data_of(videos), video_spec("mars").parse(SMALL)
    settings, network = settings_for(videos, "mars", None, {}), video_spec("mars").build(2)
    subset = data.subset("train")
    frames = Frames(Broken(()), videos, options)
    tuner = Tuner(settings, network, frames, CPU, World())
    frames.unreadable = {subset.videos[1].video}
    labels = tuner._labels(subset, np.array([0, 1])).tolist()
    assert labels == [subset.labels[0], IGNORED]


def test_a_loss_that_is_not_finite_is_an_error(videos, reader, tmp_path, one_thread):
    settings = settings_for(videos, "r2plus1d", None, {"learning_rate": 1e30})
    data = data_of(videos)
    frames = Frames(reader, videos, video_spec("r2plus1d").parse(SMALL))
    tuner = Tuner(settings, video_spec("r2plus1d").build(2), frames, CPU, World())
    with pytest.raises(MafnetError, match=r"lower training\.learning_rate"):
        tuner.fit(data.subset("train"), data.subset("val"), Resume(RunFolder(tmp_path), "", 99))
