"""`mafnet export`: the graph, the file with its description, and predictions by it."""

import json
import re
from contextlib import suppress

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from onnx import helper
from support.made_videos import AAC, H264, counting_frames, ffmpeg, tone
from support.tiny_run import REPOSITORY
from support.trained_runs import CLASSES, untrained_run, write_weights

import mafnet
from mafnet.cli import main
from mafnet.common.errors import MafnetError
from mafnet.common.files import write_json
from mafnet.model.export import run_export
from mafnet.model.export.contents import KEY
from mafnet.model.export.run_export import TOLERANCE, export_run
from mafnet.model.model_source import model_source
from mafnet.model.networks import NETWORKS
from mafnet.model.networks.options import ATTENTIONS, FUSIONS
from mafnet.model.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")

# Probabilities of small networks. A head differs by rounding of float32; in a whole, features that
# are near the middle of two float16 numbers are rounded to the other one.
HEAD = {"rtol": 1e-4, "atol": 1e-5}
WHOLE = {"rtol": 1e-2, "atol": 1e-3}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A run with weights, both files that are made of it, and two videos."""
    root = tmp_path_factory.mktemp("project")
    weights = root / "results/made/weights"
    write_weights(weights)
    run = untrained_run(root, weights=weights)
    for name, options in (("head", []), ("whole", ["--whole"])):
        result = command("export", run, "--output", root / name, "--threads", 1, *options)
        assert not result.exit_code, result.output
        assert "Largest difference" in result.output
    ffmpeg(*counting_frames(2, 10), *tone(2, 300), *H264, *AAC, root / "long.mp4")
    ffmpeg(*counting_frames(1, 10), *tone(1, 900), *H264, *AAC, root / "short.mp4")
    return root


def command(*words):
    return CliRunner().invoke(main, ["--quiet", *map(str, words)])


def run_of(root):
    return root / "results/made/main/mafnet/seed0"


def onnx_of(root, name="head"):
    return root / name / "model.onnx"


def loaded(path, root, **more):
    more = {"weights": root / "results/made/weights", "cache": root / "cache"} | more
    return mafnet.load(path, device="cpu", threads=1, **more)


@pytest.mark.parametrize(("name", "tolerance"), [("head", HEAD), ("whole", WHOLE)])
def test_the_file_predicts_as_the_run_folder(project, name, tolerance):
    """One of the videos is shorter than T, so that its second clip is padding."""
    videos = [project / "long.mp4", project / "short.mp4"]
    expected = list(loaded(run_of(project), project).predict_many(videos))
    model = loaded(onnx_of(project, name), project)
    assert model.notes == loaded(run_of(project), project).notes
    for found, known in zip(model.predict_many(videos), expected, strict=True):
        assert found.classes == CLASSES
        np.testing.assert_allclose(found.probabilities, known.probabilities, **tolerance)
        np.testing.assert_allclose(found.attention, known.attention, **tolerance)
        np.testing.assert_array_equal(found.valid, known.valid)
    assert expected[1].valid.tolist() == [[True, True], [False, False]]
    scores = [loaded(path, project).windows(videos[0]).scores for path in
              (run_of(project), onnx_of(project, name))]  # fmt: skip
    np.testing.assert_allclose(*scores, **tolerance)


def test_a_whole_needs_no_weights_and_does_not_touch_their_cache(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    video, cache = project / "long.mp4", tmp_path / "cache"
    with pytest.raises(MafnetError, match=r"visual\.safetensors is not in"):
        mafnet.load(onnx_of(project), device="cpu")
    result = command("predict", video, "--model", onnx_of(project, "whole"), "--json",
                     "--cache", cache, "--device", "cpu", "--threads", 1)  # fmt: skip
    assert not result.exit_code, result.output
    assert json.loads(result.stdout)["videos"][0]["label"] in CLASSES
    kept = {path.relative_to(cache).parent for path in cache.rglob("*.clips")}
    loaded(run_of(project), project, cache=cache).predict(video)
    both = {path.relative_to(cache).parent for path in cache.rglob("*.clips")}
    assert len(kept) == 2
    assert len(both) == 4


def test_the_graph_takes_any_number_of_videos(project):
    """The outputs of two videos together are those of each alone."""
    from mafnet.model.export.runtime import Session

    session = Session(onnx_of(project, "whole").read_bytes(), "whole", 1)
    generator = np.random.default_rng(1)
    frames = generator.integers(0, 256, (4, 2, 224, 224, 3), np.uint8)
    sound = generator.normal(size=(4, 1, 1, 96, 64)).astype(np.float32)
    valid = np.ones((2, 2, 2), bool)
    both = session({"frames": frames, "log_mel": sound, "valid": valid})
    for video in range(2):
        clips = slice(2 * video, 2 * video + 2)
        one = session({"frames": frames[clips], "log_mel": sound[clips], "valid": valid[:1]})
        for found, each in zip(both, one, strict=True):
            np.testing.assert_allclose(found[video], each[0], **WHOLE)
    np.testing.assert_allclose(both[1].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(both[2].sum(axis=(1, 2)), 1, rtol=1e-5)


MEMBERS = {
    name: {"network": "mafnet", "options": {
        "modalities": name, "film": "none", "blocks": "none", "hidden": 8,
    }}
    for name in ("visual", "audio")
}  # fmt: skip
PLAIN = {"film": "none", "blocks": "none", "hidden": 8}
CASES = {
    "mafnet": ("mafnet", {"hidden": 8}),
    "mafnet_plus": ("mafnet_plus", {"hidden": 8}),
    "attention_cluster": ("attention_cluster", {"logits_bn": False, "units": 4}),
    "dmrn": ("dmrn", {"hidden": 8}),
    "logistic_regression": ("logistic_regression", {"c": [1.0]}),
    "late_fusion": ("late_fusion", {"members": MEMBERS}),
    "visual": ("mafnet", MEMBERS["visual"]["options"]),
    "film_both": ("mafnet", {"film": "both", "blocks": "both", "hidden": 8}),
    "one_layer": ("mafnet", PLAIN | {"attention_score": "one_layer"}),
} | {name: ("mafnet", PLAIN | {"fusion": name}) for name in FUSIONS} | {
    f"attention_{name}": ("mafnet", PLAIN | {"attention": name}) for name in ATTENTIONS
}  # fmt: skip
INEXACT = {"mcb"}
"""A signed square root near zero makes the rounding of the transforms large."""


def test_every_network_has_a_case():
    assert {network for network, _ in CASES.values()} == set(NETWORKS)


QUICK = {*NETWORKS, "dmr", "mcb"}
"""One case of each network; the others are variants of mafnet."""


@pytest.mark.parametrize(
    "case",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES],
)
def test_each_network_gives_the_same_by_onnx_runtime_or_is_refused(case, tmp_path):
    run = RunFolder(untrained_run(tmp_path, *CASES[case], clips=3))
    if case in INEXACT:
        with pytest.raises(MafnetError, match="ONNX Runtime computes other"):
            export_run(run, run.read_settings(), {})
        return
    found = export_run(run, run.read_settings(), {})
    assert max(found.differences[name] for name in ("probabilities", "attention")) < TOLERANCE / 10


def test_what_differs_too_much_is_not_written(project, tmp_path, monkeypatch):
    monkeypatch.setattr(run_export, "TOLERANCE", -1.0)
    result = command("export", run_of(project), "--output", tmp_path / "new")
    assert result.exit_code == 1
    assert "ONNX Runtime computes other probabilities than torch" in result.output
    assert not (tmp_path / "new").exists()


def test_no_file_of_others_is_replaced(project, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    result = command("export", run_of(project), "--output", tmp_path)
    assert "has other files (notes.txt); give a new folder" in result.output
    assert (tmp_path / "README.md").read_text() == "mine"


def test_the_lines_of_the_readme_run(project, tmp_path, monkeypatch):
    """With the run above in place of `mine`."""
    text = (REPOSITORY / "README.md").read_text().split("### One file to pass on\n")[1]
    lines = re.findall(r"^    mafnet (.*)$", text.split("\n##")[0], re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/mine").symlink_to(project / "results/made")
    (tmp_path / "weights").symlink_to(project / "results/made/weights")
    (tmp_path / "new").mkdir()
    (tmp_path / "new/one.mp4").symlink_to(project / "long.mp4")
    assert [line.split()[0] for line in lines] == ["export", "predict"]
    for line in lines:
        result = command(*line.split())
        assert not result.exit_code, result.output
    assert "one.mp4" in result.stdout


# Files from anywhere


def changed(project, path, change=None, description=None, name="head"):
    """The exported file after a change of its model or of its description."""
    model = onnx.load(onnx_of(project, name))
    values = json.loads(model.metadata_props[0].value)
    if description:
        description(values)
        model.metadata_props[0].value = json.dumps(values)
    if change:
        change(model)
    path.write_bytes(model.SerializeToString())
    return path


def outside(model):
    model.graph.initializer[0].ClearField("raw_data")
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")


def hidden_outside(model):
    value = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL)
    value.external_data.add(key="location", value="../secret")
    model.graph.node.append(helper.make_node("Constant", [], ["secret"], value=value))


def loop(model):
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", ""], ["x"], body=body))


def custom(model):
    model.graph.node[0].domain = "evil"


def function(model):
    body = [helper.make_node("Relu", ["x"], ["y"])]
    model.functions.append(helper.make_function("own", "F", ["x"], ["y"], body, model.opset_import))


def no_description(model):
    del model.metadata_props[:]


def broken(model):
    del model.graph.node[2:4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (outside, "has values in other files"),
        (hidden_outside, "has values in other files"),
        (loop, r"has loops or branches \(Loop\)"),
        (custom, r"operations that are not ONNX's own \(evil\)"),
        (function, "operations that are not ONNX's own"),
        (no_description, "was not written by `mafnet export`"),
        (lambda model: model.graph.input.pop(), "its graph has the inputs visual, audio"),
        (broken, "ONNX Runtime cannot load it"),
    ],
)
def test_a_file_that_is_not_safe_or_not_ours_is_refused(project, tmp_path, change, message):
    path = changed(project, tmp_path / "x.onnx", change)
    with pytest.raises(MafnetError, match=message) as error:
        loaded(path, project)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def set_in(*keys):
    """A change of one value of the description, named by its keys."""
    *inner, last, value = keys

    def change(values):
        for key in inner:
            values = values[key]
        values[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_in("format", 2), "in format 2, but this mafnet .* reads format 1; export the run"),
        (set_in("more", 1), "more"),
        (set_in("temperature", 0.0), "temperature"),
        (set_in("part", "all"), "part"),
        (set_in("settings", "more", 1), "more"),
        (set_in("settings", "clips", 5), "its graph reads .* clips and modalities, but it says 5"),
        (set_in("settings", "clips", "x"), "its number of clips"),
        (set_in("settings", "classes", ["a"]), "does not have the 1 classes"),
        (set_in("settings", "classes", ["a", "a", "b"]), "not different names"),
        (set_in("settings", "network", "other"), "network 'other' is unknown"),
        (set_in("settings", "options", {"hiden": 8}), "hiden"),
        (set_in("settings", "features", {}), "does not read the features"),
        (set_in("settings", "features", "audio", "backbone", "../x"), "is unknown"),
        (set_in("settings", "features", "audio", "weights", "../x"), "has the weights"),
        (set_in("settings", "features", "audio", "weights_sha256", "1" * 64), "other values"),
        (
            set_in("settings", "features", "audio", "backbone_version", 7),
            "another version of mafnet",
        ),
    ],
)
def test_a_description_that_does_not_fit_is_an_error(project, tmp_path, change, message):
    path = changed(project, tmp_path / "x.onnx", description=change)
    with pytest.raises(MafnetError, match=message) as error:
        loaded(path, project)
    assert "\n" not in str(error.value)


def test_damaged_files_are_one_line(project, tmp_path):
    path, content = tmp_path / "x.onnx", onnx_of(project).read_bytes()
    for damaged in (
        b"",
        content[: len(content) // 2],
        content[:-1],
        b"no model at all",
        b"\0" * 99,
    ):
        path.write_bytes(damaged)
        result = command("predict", project / "long.mp4", "--model", path)
        assert result.exit_code == 1
        (line,) = result.stderr.strip().splitlines()
        assert line.startswith(f"mafnet predict: {path}: ")
    path.unlink()
    with path.open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(MafnetError, match="has 2147483648 bytes, but"):
        model_source(path)


def test_random_damage_never_is_a_traceback(project, tmp_path):
    """A flipped bit may be in a weight, where no format can see it."""
    content, generator = bytearray(onnx_of(project).read_bytes()), np.random.default_rng(0)
    path = tmp_path / "x.onnx"
    for place in generator.integers(0, len(content), 60):
        damaged = content.copy()
        damaged[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(damaged)
        with suppress(MafnetError):
            model_source(path).network(None, 1)


def test_runs_that_cannot_be_exported_are_refused_before_the_work(tmp_path):
    run = RunFolder(untrained_run(tmp_path))
    metrics, settings = run.read_metrics(), run.read_settings().as_dict()
    run.metrics.unlink()
    run.metrics.with_name(f".{run.metrics.name}.sha256").unlink()
    words = ("export", run.path, "--output", tmp_path / "out")
    assert f"{run.metrics}: cannot be read" in command(*words).output
    run.write_metrics(metrics)
    assert "visual.safetensors is not in" in command(*words, "--whole").output
    write_json(settings | {"network": "i3d"}, run.settings)
    assert "is a run of the video network i3d" in command(*words).output
    write_json(settings, run.settings)
    run.weights.unlink()
    assert "is not trained yet" in command(*words).output
    assert not (tmp_path / "out").exists()


def test_nothing_of_this_machine_is_in_the_file(project):
    content = onnx_of(project, "whole").read_bytes()
    assert str(project).encode() not in content
    assert b"site-packages" not in content
    assert KEY.encode() in content
    assert torch.__version__.encode() not in content.split(b"pytorch")[0]
