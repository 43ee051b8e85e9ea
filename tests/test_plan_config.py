"""The config: each mistake gives one line with the fix; settings that results record."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pytest
import yaml
from pydantic import Field

from mafnet.common import versions
from mafnet.common.config import LATER, Settings
from mafnet.common.errors import MafnetError
from mafnet.features.backbones import BACKBONES
from mafnet.model.config import Training
from mafnet.plan import results
from mafnet.plan.config import check_config, dataset_sections, merge, read_config
from mafnet.plan.stages import Plan

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())


def messages(change):
    """The lines of the error for config.yaml with a change."""
    with pytest.raises(MafnetError) as error:
        check_config(merge(CONFIG, change))
    first, *lines = str(error.value).splitlines()
    assert first == "config: fix these keys:"
    return [line.strip() for line in lines]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"video": {"clip": 3}}, "video.clip: is unknown; did you mean clips?"),
        (
            {"model": {"training": {"x": 1}}},
            f"model.training.x: is unknown; known are {', '.join(Training.model_fields)}",
        ),
        (
            {"model": {"training": {"min_gain": "1e-3"}}},
            "model.training.min_gain: '1e-3' is a text; write a number, without quotes, as in "
            "1.0e-3",
        ),
        (
            {"model": {"training": {"drop_rate": 1}}},
            "model.training.drop_rate: 1 is wrong; it must be less than 1",
        ),
        (
            {"model": {"training": {"batch_size": True}}},
            "model.training.batch_size: True is wrong; it must be a valid integer",
        ),
        (
            {"video": {"silent": "drob"}},
            "video.silent: 'drob' is wrong; it must be 'zero', 'drop' or 'fail'",
        ),
        (
            {"model": {"training": {"learning_rate": float("nan")}}},
            "model.training.learning_rate: nan is wrong; it must be a finite number",
        ),
        (
            {"datasets": {"mine": {"root": "v", "splits": {"main": "m{n}.csv"}}}},
            "datasets.mine.splits.main: 'm{n}.csv' contains a brace, which Snakemake takes for a "
            "wildcard; rename the file",
        ),
        ({"video": None}, "video: None is wrong; it must be a mapping of keys"),
        ({"model": {"seeds": [1, 1]}}, "model.seeds: names an entry twice; name each once"),
        ({"model": {"variants": {"m": {}}}}, "model.variants.m.network: is missing"),
        ({"report": {"studies": {"s": []}}}, "report.studies.s: [] is wrong; list must have at"),
        (
            {"datasets": {"a b": {"source": "demo"}}},
            "datasets.a b: 'a b' is wrong; a name begins with ",
        ),
        (
            {"datasets": {"mine": {"root": "r"}}},
            "datasets.mine.splits: is missing; a data set without `source` needs it",
        ),
        (
            {"datasets": {"mine": {"source": "avee", "folder": "f"}}},
            "datasets.mine.source: 'avee' is wrong; it must be 'ave', ",
        ),
        (
            {"datasets": {"demo": {"root": "r"}}},
            "datasets.demo.root: does not go with `source: demo`; delete the key",
        ),
        (
            {"datasets": {"demo": {"demo": {"tran": 3}}}},
            "datasets.demo.demo.tran: is unknown; did you mean train?",
        ),
        (
            {"datasets": {"demo": {"video": {"frame_size": 224}}}},
            "datasets.demo.video.frame_size: was removed, because frames are always 224 x 224 "
            "pixels; delete the key",
        ),
        ({"video": {"frame_size": 224}}, "video.frame_size: was removed, because frames"),
    ],
)
def test_each_mistake_gives_one_line_with_the_full_key(change, line):
    (found,) = messages(change)
    assert found.startswith(line)


def test_all_mistakes_are_reported_together():
    found = messages(
        {
            "datasets": {
                "demo": {"video": {"clips": 0, "clip": 1}, "folder": "f"},
                "mine": {"source": "ave", "folder": "f", "val_share": 2},
            },
            "features": {"visual": {"precision": "float8"}},
            "modell": {},
        }
    )
    assert {line.split(":")[0] for line in found} == {
        "datasets.demo.video.clips", "datasets.demo.video.clip", "datasets.demo.folder",
        "datasets.mine.val_share", "features.visual.precision", "modell",
    }  # fmt: skip


def test_names_are_checked_in_the_merged_settings_of_each_data_set():
    change = {"datasets": {"demo": {"model": {"main": "mine"}}}}
    (found,) = messages(change)
    assert found.startswith("model.main: variant 'mine' is not in model.variants; did you mean")
    own = {"variants": {"mine": {"network": "mafnet"}}}
    check_config(merge(CONFIG, merge(change, {"datasets": {"demo": {"model": own}}})))


# Snakemake compares these texts. They must not change, because a change reruns finished results.
EXTRACTION = (
    '{"features":{"backbone":"densenet201","precision":"float32","weights":"random"},'
    '"video":{"clips":3,"frame_size":224,"frames_per_clip":16,"interpolation":"bilinear",'
    '"timeout_seconds":300}}'
)
RECORDED = {
    "extraction": EXTRACTION,
    "calibration": EXTRACTION.replace(
        ',"video"', ',"random":{"calibration_videos":16,"seed":0},"video"'
    ),
    "policies": '{"clips":3,"max_failed_fraction":0.05,"max_lost_fraction":0.5,"silent":"zero"}',
    "training": '{"network":"mafnet","options":{"attention_score":"two_layer","bn_eps":0.001,'
    '"bn_momentum":0.05,"bn_warmup":true,"hidden":128,"logits_bn":true},'
    '"training":{"batch_size":12,"drop_rate":0,"learning_rate":0.001,"max_epochs":40,'
    '"min_gain":0.0001,"patience":15,"patience_steps":60,"precision":"auto"},'
    '"variant":"drop_00"}',
    "evaluation": '{"batch_size":32,"top_k":5}',
    "demo_settings": '{"seconds":3}',
    "holdout": '{"seed":0,"share":0.1}',
}
ARGUMENTS = {"dataset": "demo", "modality": "visual", "variant": "drop_00"}


@pytest.mark.parametrize(("name", "text"), RECORDED.items(), ids=RECORDED)
def test_recorded_settings_do_not_change(name, text):
    method = getattr(Plan(CONFIG), name)
    names = [name for name in ARGUMENTS if name in method.__code__.co_varnames]
    assert method(**{name: ARGUMENTS[name] for name in names}) == text


def test_audio_records_only_settings_that_audio_depends_on():
    found = json.loads(Plan(CONFIG).extraction("demo", "audio"))
    assert found["video"] == {"clips": 3, "timeout_seconds": 300}


def test_missing_keys_have_the_same_values_as_in_config_yaml():
    """A user's config.yaml may leave out keys that have a default."""
    short = {"datasets": CONFIG["datasets"], "model": {"variants": CONFIG["model"]["variants"]}}
    for name in ("evaluation", "policies"):
        assert getattr(Plan(short), name)("demo") == RECORDED[name]
    assert Plan(short).training("demo", "drop_00") == RECORDED["training"]


class TrainingWithLaterKey(Training):
    """The section `training` with a key that was added after version 0.1."""

    warmup: Annotated[int, LATER] = Field(0, ge=0)


def test_a_later_key_is_recorded_only_if_it_differs_from_its_default():
    assert TrainingWithLaterKey().recorded() == Training().recorded()
    assert TrainingWithLaterKey(warmup=0).recorded() == Training().recorded()
    assert TrainingWithLaterKey(warmup=5).recorded() == Training().recorded() | {"warmup": 5}


def test_a_later_key_with_its_default_changes_no_digest():
    """Here decoder_memory_mb, which config.yaml has, in the section of a data set too."""
    without = merge(CONFIG, {"video": {}})
    del without["video"]["decoder_memory_mb"]
    default = CONFIG["video"]["decoder_memory_mb"]
    own = [{"datasets": {"demo": {"video": {"decoder_memory_mb": mb}}}} for mb in (default, 500)]
    for answer in ("config_digest", "shown_settings"):
        first, *same, other = (
            getattr(Plan(config), answer)("demo")
            for config in (CONFIG, without, *(merge(CONFIG, change) for change in own))
        )
        assert set(same) == {first}, answer
        assert other != first, answer


def test_a_new_metric_evaluates_finished_runs_again(tmp_path, monkeypatch):
    schema = tmp_path / "run.schema.json"
    monkeypatch.setattr(results, "RUN_SCHEMA", schema)
    number = versions.EVALUATE
    for new, version in (set(), number), ({"mine"}, f"{number} mine"):
        schema.write_text(json.dumps({"required": sorted(versions.EVALUATED | new)}))
        assert Plan(CONFIG).evaluation_version() == version


def test_numbers_are_recorded_as_written():
    """1 and 1.0 are different texts, so a conversion would rerun finished runs."""
    for value in (0, 0.0, 0.5):
        assert json.dumps(Training(drop_rate=value).recorded()["drop_rate"]) == json.dumps(value)


def test_mafnet_help_does_not_import_pydantic():
    """Pydantic takes as long to import as everything else that `mafnet --help` needs."""
    command = "import sys, mafnet.cli; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0


def test_settings_are_immutable():
    with pytest.raises(ValueError, match="frozen"):
        Training().patience = 1
    assert issubclass(Training, Settings)


@pytest.mark.parametrize("text", ["a: " + "[" * 5000, "a: " + "{b: " * 5000 + "1" + "}" * 5000])
def test_deeply_nested_file_is_one_line(text, tmp_path):
    (tmp_path / "deep.yaml").write_text(text)
    with pytest.raises(MafnetError, match=r"deep.yaml: cannot be read as YAML \(maximum recursion"):
        read_config([tmp_path / "deep.yaml"])


def splits_with(folder, labels):
    """A plan of a data set whose splits have these labels."""
    splits = {}
    for split, names in labels.items():
        rows = [f"{n},{n}.mp4,{name},train" for n, name in enumerate(names)]
        path = folder / f"{split}.csv"
        path.write_text("\n".join(["sample,video,label,subset", *rows, ""]))
        splits[split] = str(path)
    entry = {"root": str(folder), "splits": splits}
    return Plan(CONFIG | {"datasets": {"demo": entry}})


def test_runs_of_splits_with_different_labels_have_all_classes(tmp_path):
    plan = splits_with(tmp_path, {"one": ["dog", "cat"], "two": ["owl", "cat"]})
    assert json.loads(plan.training("demo", "mafnet"))["classes"] == ["cat", "dog", "owl"]


def test_classes_are_recorded_only_if_the_splits_differ(tmp_path):
    plan = splits_with(tmp_path, {"one": ["dog", "cat"], "two": ["cat", "dog"]})
    assert "classes" not in json.loads(plan.training("demo", "mafnet"))


def test_labels_of_different_splits_that_look_the_same_are_one_line(tmp_path):
    plan = splits_with(tmp_path, {"one": ["dog", "cat"], "two": ["Dog", "cat"]})
    with pytest.raises(MafnetError, match=r"datasets\.demo: the labels .* of different splits"):
        plan.training("demo", "mafnet")


@pytest.mark.parametrize(
    ("entry", "expected"), [({}, "float32"), ({"precision": "bfloat16"}, "bfloat16")]
)
def test_published_data_sets_are_trained_in_float32_unless_the_config_names_a_precision(
    entry, expected
):
    published = {"source": "ave", "folder": "/videos", "model": {"training": entry}}
    plan = Plan(CONFIG | {"datasets": CONFIG["datasets"] | {"ave": published}})
    assert json.loads(plan.training("ave", "mafnet"))["training"]["precision"] == expected
    assert json.loads(plan.training("demo", "mafnet"))["training"]["precision"] == "auto"


OWN_VIDEOS = {"root": "videos", "splits": {"main": "manifest.csv"}}


def networks(change, name):
    """The networks of a data set with their weights."""
    features = dataset_sections(merge(CONFIG, change), name).features
    return [f"{each.backbone}:{each.weights}" for each in (features.visual, features.audio)]


def test_own_videos_have_small_networks_and_published_data_sets_the_papers():
    own = {"datasets": {"mine": OWN_VIDEOS}}
    paper = ["densenet201:imagenet1k_v1", "vggish:audioset"]
    assert networks(own, "mine") == ["efficientnet_lite0:imagenet", "yamnet:audioset"]
    assert networks(own, "ave") == paper
    assert networks(own, "demo") == ["densenet201:random", "vggish:random"]


def test_a_named_network_is_kept_and_has_its_first_weights():
    named = {"visual": {"backbone": "vgg19"}, "audio": {"backbone": "vggish"}}
    expected = ["vgg19:imagenet1k_v1", "vggish:audioset"]
    own = {"datasets": {"mine": OWN_VIDEOS | {"features": named}}}
    assert networks(own, "mine") == expected
    # In the common section it holds for all data sets.
    common = {"datasets": {"mine": OWN_VIDEOS}, "features": named}
    assert networks(common, "mine") == networks(common, "ave") == expected


def test_variants_that_read_maps_are_refused_or_left_out_if_the_network_has_vectors(monkeypatch):
    vectors = replace(BACKBONES["densenet201"], feature_shape=(1, 1, 1920))
    monkeypatch.setitem(BACKBONES, "densenet201", vectors)
    plan = Plan(CONFIG)
    assert plan.inputs("demo", "mafnet") == ("visual", "audio")
    line = "dmrn reads visual maps, but densenet201 gives one vector for each clip; choose another"
    with pytest.raises(MafnetError, match=f"^{line}"):
        plan.inputs("demo", "dmrn")
    in_studies = {name for names in plan.studies("demo").values() for name in names}
    assert "mafnet" in in_studies
    assert "dmrn" not in in_studies
    (found,) = messages({"model": {"main": "dmrn"}})
    assert found.startswith(f"model.main: {line}")
    monkeypatch.undo()
    assert Plan(CONFIG).inputs("demo", "dmrn") == ("visual_maps", "audio")


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ({}, ["results/mine/features/audio.h5", "weights/yamnet-audioset.safetensors"]),
        ({"features": {"audio": {"weights": "random"}}}, []),
        ({"features": {"audio": {"backbone": "vggish"}}}, []),
        ({"model": {"main": "visual_only"}}, []),
    ],
)
def test_the_page_reads_the_sounds_of_yamnet_with_published_weights(change, read, tmp_path):
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("sample,video,label,subset\na,a.mp4,x,train\n")
    entry = {"root": str(tmp_path), "splits": {"main": str(manifest)}} | change
    assert Plan(merge(CONFIG, {"datasets": {"mine": entry}})).sounds("mine") == read
