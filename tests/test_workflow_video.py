"""The video networks in the workflow: asked for by one key, from config to study."""

import json

import pytest
import yaml
from support.miniature_runs import ROOT, planned, snakemake
from support.tiny_run import REPOSITORY, make_data

from mafnet.common.errors import MafnetError
from mafnet.plan.config import check_config
from mafnet.plan.stages import Plan
from mafnet.report.pretraining import MARK, pretraining_columns
from mafnet.report.reference_rows import marked

VIDEO = ("i3d", "r2plus1d", "slowfast", "mars")


def config_with(**model):
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    config["datasets"]["demo"].setdefault("model", {}).update(model)
    return config


def test_studies_have_video_networks_only_if_the_config_asks_for_them():
    without, with_them = Plan(config_with()), Plan(config_with(video_networks=True))
    assert set(VIDEO) <= set(with_them.studies("demo")["baselines"])
    assert not set(VIDEO) & set(without.studies("demo")["baselines"])
    assert without.studies("demo")["modalities"] == with_them.studies("demo")["modalities"]


def test_a_study_of_video_networks_alone_is_left_out_too():
    config = config_with()
    config["report"]["studies"]["video"] = list(VIDEO)
    assert "video" not in Plan(config).studies("demo")


def test_a_run_has_the_whole_recipe_with_the_changes_of_the_variant():
    own = {"network": "slowfast", "options": {"crop": 64}, "training": {"learning_rate": 0.5}}
    config = config_with(training={"learning_rate": 0.125, "batch_size": 2})
    config["datasets"]["demo"]["model"]["variants"] = {"slowfast": own}
    settings = json.loads(Plan(config).finetuning("demo", "slowfast"))
    assert settings["options"]["crop"] == 64
    assert settings["options"]["stride"] == 2
    assert settings["options"]["deviation"] == [0.225] * 3
    training = settings["training"]
    assert (training["learning_rate"], training["batch_size"]) == (0.5, 16)
    assert settings["clips"] == 3


WRONG = {
    "unknown": ({"options": {"crops": 3}}, "crops"),
    "range": ({"options": {"frozen_stages": 6}}, "frozen_stages"),
    "unused": ({"training": {"drop_rate": 0.5}}, "changes nothing with a video network"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_options_are_named(case):
    change, message = WRONG[case]
    config = config_with()
    config["model"]["variants"]["i3d"] = {"network": "i3d"} | change
    with pytest.raises(MafnetError, match=message):
        check_config(config)


def test_a_video_network_cannot_be_the_main_variant():
    with pytest.raises(MafnetError, match="i3d is a video network, without attention"):
        check_config(config_with(main="i3d"))


class Made:
    """A run of which only the metrics are read."""

    def __init__(self, **metrics):
        self.metrics = metrics


def test_only_pretrained_networks_on_kinetics_sounds_are_marked():
    protocol = {"source": "kinetics_sounds"}
    kinetics = [Made(pretrained="kinetics400", clip_accuracy=50.0)]
    other = [Made(pretrained="random", clip_accuracy=50.0)]
    for runs, source, mark in (
        (kinetics, "kinetics_sounds", True), (kinetics, "ave", False),
        (other, "kinetics_sounds", False), ([Made()], "kinetics_sounds", False),
    ):  # fmt: skip
        row = {"variant": "mars", "seen_in_pretraining": "", "reference": ""}
        row |= pretraining_columns("mine", runs, protocol | {"source": source})
        assert marked(row) == (f"mars {MARK}" if mark else "mars")


@pytest.mark.workflow
@pytest.mark.slow
def test_one_video_network_from_videos_to_the_study(tmp_path):
    make_data(tmp_path)
    small = yaml.safe_load((ROOT / "benchmarks/demo_video.yaml").read_text())
    variant = small["datasets"]["demo"]["model"]["variants"]["r2plus1d"]
    variant["training"]["max_epochs"] = 1
    model = {
        "video_networks": True, "seeds": [0], "variants": {"r2plus1d": variant},
        "network": {"hidden": 16}, "training": {"max_epochs": 1, "batch_size": 4},
    }  # fmt: skip
    random = {"weights": "random"}
    own = {
        "root": "videos", "splits": {"main": "manifest.csv"}, "video": {"clips": 1},
        "features": {"visual": random, "audio": random, "random": {"calibration_videos": 2}},
        "model": model, "report": {"studies": {"both": ["mafnet", "r2plus1d"]}},
    }  # fmt: skip
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"datasets": {"mine": own}}))
    target = "results/mine/studies/both.csv"
    dry = snakemake(tmp_path, path, target, "-n", "--quiet", "rules")
    jobs = planned(dry.stdout)
    assert (jobs["train"], jobs["finetune"], jobs["evaluate_video"]) == (1, 1, 1), dry.stdout
    assert "fetch_network" not in jobs
    done = snakemake(tmp_path, path, target, "results/mine/figures/study-both.svg")
    assert done.returncode == 0, done.stdout[-6000:]
    assert "clips %" in done.stdout
    again = snakemake(tmp_path, path, target, "-n", "--quiet", "rules")
    assert "Nothing to be done" in again.stdout
