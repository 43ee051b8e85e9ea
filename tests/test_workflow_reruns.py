"""Which jobs a change reruns: each row of the table in workflow/README.md is a test here."""

import os
import shutil

import pytest
from support.tiny_run import METRICS, Workflow, add_video, planned_jobs

pytestmark = pytest.mark.workflow

METRICS_ON = {"metrics": 1}
EVALUATION_ON = {"evaluate": 2} | METRICS_ON
TRAINING_ON = {"train": 2} | EVALUATION_ON
PACKING_ON = {"pack": 2} | TRAINING_ON
MEDIA_ON = {"media": 1} | PACKING_ON
ONE_MODALITY_ON = {"extract": 1} | MEDIA_ON
PROBING_ON = {"probe": 1, "screen": 1, "extract": 2} | MEDIA_ON


def test_without_a_change_nothing_reruns(run):
    assert run.planned() == {}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model": {"training": {"learning_rate": 0.01}}}, TRAINING_ON),
        ({"model": {"seeds": [0, 1, 2]}}, {"train": 1, "evaluate": 1} | METRICS_ON),
        ({"model": {"evaluation": {"top_k": 1}}}, EVALUATION_ON),
        ({"model": {"main": "audio_only"}}, TRAINING_ON),
        ({"video": {"silent": "drop"}}, MEDIA_ON),
        ({"video": {"max_failed_fraction": 0.5}}, {"screen": 1} | MEDIA_ON),
        ({"video": {"clips": 2}}, {"calibrate": 2, "extract": 2} | MEDIA_ON),
    ],
    ids=str,
)
def test_a_changed_setting_reruns_the_jobs_that_depend_on_it(run, change, expected):
    assert run.planned(change=change) == expected


@pytest.mark.parametrize(
    ("modality", "other", "change"),
    [
        ("audio", "visual", {"features": {"audio": {"precision": "bfloat16"}}}),
        ("visual", "audio", {"video": {"interpolation": "area"}}),
        ("visual", "audio", {"features": {"visual": {"backend": "torch"}}}),
    ],
)
def test_a_changed_extraction_setting_reruns_one_modality(run, modality, other, change):
    output = run.run(METRICS, "-n", change=change).stdout
    assert planned_jobs(output) == {"calibrate": 1} | ONE_MODALITY_ON
    assert f"Extracting {modality}" in output
    assert f"Extracting {other}" not in output


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("PROBE", PROBING_ON),
        ("SCREEN", {"screen": 1} | METRICS_ON),
        ("DECODE_VISUAL", {"calibrate": 1} | ONE_MODALITY_ON),
        ("DECODE_AUDIO", {"calibrate": 1} | ONE_MODALITY_ON),
        ("CALIBRATE", {"calibrate": 2, "extract": 2} | MEDIA_ON),
        ("MEDIA", MEDIA_ON),
        ("PACK", PACKING_ON),
        ("TRAIN", TRAINING_ON),
        ("EVALUATE", EVALUATION_ON),
        ("METRICS", METRICS_ON),
    ],
)
def test_a_raised_version_reruns_its_step(run, edited, step, expected):
    edited("mafnet/common/versions.py", f"\n{step} = ", f"\n{step} = 1000 + ")
    assert run.planned() == expected


def test_a_raised_version_of_a_backbone_reruns_its_extraction(run, edited):
    location = '            location="densenet201:DenseNet201",\n'
    raised = f"{location}            version=9,\n"
    edited("mafnet/features/backbones/__init__.py", location, raised)
    assert run.planned() == {"calibrate": 1} | ONE_MODALITY_ON


def test_a_raised_version_of_a_network_trains_it_again(run, edited):
    spec = 'NetworkSpec("mafnet", "mafnet:MAFnet", MAFnetOptions'
    edited("mafnet/model/networks/__init__.py", spec, f"{spec}, version=9")
    assert run.planned() == TRAINING_ON


def test_an_added_video_is_extracted_alone(run):
    add_video(run.folder)
    assert run.planned() == PROBING_ON
    run.run("results/tiny/media.tsv")
    for modality in ("visual", "audio"):
        log = run.log(f"features/extract/tiny-{modality}-0000.log")
        assert "8 videos in the cache, 1 to extract" in log
    assert run.planned("results/tiny/media.tsv") == {}


def test_an_added_video_reruns_one_of_two_shards(run):
    """140 videos are two shards; 132 are links to the eight others, so the cache has them all."""
    for number in range(132):
        name = f"link{number}.mp4"
        os.link(run.folder / f"videos/{number % 8}.mp4", run.folder / "videos" / name)
        with (run.folder / "manifest.csv").open("a") as file:
            file.write(f"l{number},{name},low,{('train', 'val', 'test')[number % 3]}\n")
    table = "results/tiny/media.tsv"
    assert run.planned(table) == {"probe": 2, "extract": 4, "media": 1}
    run.run(table)
    assert run.planned(table) == {}
    add_video(run.folder)
    assert run.planned(table) == {"probe": 1, "extract": 2, "media": 1}


def test_a_touched_video_or_manifest_reruns_nothing(run):
    for path in (run.folder / "videos/0.mp4", run.folder / "videos/7.mp4"):
        os.utime(path)
    os.utime(run.folder / "manifest.csv")
    assert run.planned() == {}
    assert run.planned() == {}, "the second dry run must not differ from the first"


@pytest.mark.parametrize(
    ("video", "expected"),
    [("7.mp4", PROBING_ON), ("0.mp4", {"calibrate": 2} | PROBING_ON)],
    ids=["not in the calibration", "in the calibration"],
)
def test_a_replaced_video_reruns_its_shard(run, video, expected):
    path = run.folder / "videos" / video
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # the size stays the same
    path.write_bytes(content)
    assert run.planned() == expected
    run.run("results/tiny/media/0000.tsv")
    assert "probe" not in run.planned()


def test_a_video_that_is_restored_unchanged_reruns_nothing(run):
    path = run.folder / "videos/7.mp4"
    shutil.copyfile(path, run.folder / "kept.mp4")
    path.unlink()
    assert run.planned() == PROBING_ON
    shutil.copyfile(run.folder / "kept.mp4", path)
    assert run.planned() == {}


def test_a_changed_label_reruns_training(run):
    manifest = run.folder / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("s0,0.mp4,high", "s0,0.mp4,low"))
    assert run.planned() == {"screen": 1} | TRAINING_ON


def test_comments_rerun_nothing(run, edited):
    for path in ("mafnet/model/train.py", "mafnet/features/extract.py", "mafnet/video/decode.py"):
        edited(path, "\nimport ", "\n# a comment\nimport ")
    for path in ("workflow/rules/features.smk", "workflow/rules/model.smk"):
        edited(path, "    shell:\n", "    # a comment\n    shell:\n")
    assert run.planned() == {}


def test_a_deleted_cache_reruns_nothing(run):
    shutil.rmtree(run.folder / "cache")
    assert run.planned() == {}


def test_target_rules_stop_before_later_stages(run):
    planned = run.planned("features", "--forcerun", "media")
    assert planned["pack"] == 2
    assert "train" not in planned
    assert "demo" not in planned
    planned = run.planned("models", "--forcerun", "media")
    assert planned["evaluate"] == 2
    assert "metrics" not in planned


def test_the_demo_can_be_planned_before_its_manifest_exists(run):
    """A rule writes its manifest, so its shards are not known yet."""
    planned = run.planned("results/demo/metrics.json", "results/demo/studies/modalities.csv")
    assert planned["demo"] == 1
    assert planned["train"] == 9


@pytest.mark.slow
def test_the_demo_reruns_nothing_after_its_manifest_is_written(run):
    targets = ("results/demo/media/0000.tsv", "results/demo/weights/audio.safetensors")
    run.run(*targets)
    assert run.planned(*targets) == {}


def test_a_checkout_that_is_moved_with_its_results_reruns_nothing(run, tmp_path):
    """If a user runs Snakemake in the checkout, the results are in it."""
    before, after = tmp_path / "before", tmp_path / "after"
    shutil.copytree(run.checkout, before)
    shutil.copytree(run.folder, before, dirs_exist_ok=True)
    # The results come from another checkout, so the path of resources/paper.tsv has changed.
    Workflow(before, before).run(METRICS)
    before.rename(after)
    assert Workflow(after, after).planned() == {}
