"""The files of a run: reading returns what was written; damage is one line with the fix."""

import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.made_runs import made_run, made_test_samples
from support.seals import flipped, seal_of, unsealed

from mafnet.common.errors import MafnetError
from mafnet.model.config import Training
from mafnet.model.predictions import PredictionTable
from mafnet.model.run_folder import Epoch, RunFolder
from mafnet.model.settings import RunSettings
from mafnet.report.statistics.runs import read_run

HOSTILE = ("cat", "p(dog)", 'a "b", c', "'", "NA", "1.0", "バス")
SETTINGS = RunSettings("tried", "mafnet", {"hidden": 8}, Training(), 3, ["cat"], 2, {})

# A manifest refuses names with control characters.
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)


@pytest.fixture
def made(tmp_path):
    return RunFolder(made_run(tmp_path, made_test_samples(HOSTILE), HOSTILE))


def test_reading_and_writing_again_gives_the_same_bytes(made, tmp_path):
    again = RunFolder(tmp_path / "again")
    settings = made.read_settings()
    made.write_weights({"layer.weight": torch.arange(6.0).view(2, 3)}, settings)
    again.write_settings(settings)
    again.write_history(made.read_history())
    again.write_weights(made.read_weights(), settings)
    again.write_predictions(made.read_predictions())
    again.write_predictions(made.read_predictions("val"), "val")
    again.write_attention(made.read_attention())
    again.write_metrics(made.read_metrics())
    files = sorted(made.path.iterdir())
    assert [path.name for path in sorted(again.path.iterdir())] == [path.name for path in files]
    for path in files:
        assert (again.path / path.name).read_bytes() == path.read_bytes(), path.name


@given(st.lists(names, min_size=1, max_size=4, unique=True), st.lists(names, max_size=4))
def test_any_names_of_classes_and_samples_come_back(tmp_path_factory, classes, samples):
    run = RunFolder(tmp_path_factory.mktemp("run"))
    generator = np.random.default_rng(0)
    probabilities = generator.random((len(samples), len(classes)))
    labels, predicted = generator.integers(len(classes), size=(2, len(samples)))
    groups = samples[::-1]
    table = PredictionTable(classes, samples, groups, labels, predicted, probabilities)
    run.write_predictions(table)
    found = run.read_predictions()
    assert (found.classes, found.samples, found.groups) == (classes, samples, groups)
    assert np.array_equal(found.labels, labels)
    assert np.array_equal(found.predicted, predicted)
    assert found.probabilities.shape == probabilities.shape
    assert found.probabilities == pytest.approx(probabilities, rel=1e-5)  # six digits


def test_prediction_and_attention_of_one_sample(made):
    predictions, attention = made.read_predictions(), made.read_attention()
    found = predictions.of("s005")
    assert found.label == HOSTILE[5]
    assert found.predicted == HOSTILE[predictions.predicted[5]]
    assert found.probability == predictions.probabilities[5].max()
    scores, valid = attention.of("s005")
    assert np.array_equal(scores, attention.weights[5])
    assert valid.shape == scores.shape == (3, 2)


def test_history_has_its_numbers_exactly(tmp_path):
    run = RunFolder(tmp_path)
    history = [Epoch(1, 0.1 + 0.2, 2 / 3, 1 / 3, 1), Epoch(2, 1e-17, 1e3, 1.0, 0)]
    run.write_history(history)
    assert run.read_history() == history


@pytest.mark.parametrize(
    ("name", "step"),
    [("settings", ""), ("metrics", ""), ("history", "train"), ("weights", "train"),
     ("predictions", "evaluate"), ("attention", "evaluate")],
)  # fmt: skip
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "other"])
def test_a_damaged_file_is_one_line_that_names_it(name, step, damage, made):
    made.write_weights({"w": torch.zeros(9)}, SETTINGS)
    path = unsealed(getattr(made, name))
    content = {
        "empty": b"",
        "half": path.read_bytes()[: path.stat().st_size // 2],
        "other": b"PK\1",
    }
    if damage == "half" and name in ("history", "predictions"):
        content["half"] += b',"'  # a table that ends after a whole row is a table
    path.unlink() if damage == "missing" else path.write_bytes(content[damage])
    with pytest.raises(MafnetError, match="cannot be read") as caught:
        getattr(made, f"read_{name}")()
    assert str(path) in str(caught.value)
    assert f"{step} the run again" in str(caught.value) or not step
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["settings", "metrics", "history", "weights", "predictions", "attention"]
)
def test_a_flipped_bit_is_one_line_that_names_the_file(name, made):
    made.write_weights({"w": torch.zeros(9)}, made.read_settings())
    path = getattr(made, name)
    content = path.read_bytes()
    for position in range(0, len(content), 1 + len(content) // 20):
        path.write_bytes(flipped(content, position))
        with pytest.raises(MafnetError, match="is damaged or was changed after") as caught:
            getattr(made, f"read_{name}")()
        assert f"{path}: " in str(caught.value)


def test_weights_and_metrics_of_another_run_are_refused(made, tmp_path):
    """They are whole, and copied with their seals."""
    other = RunFolder(tmp_path / "other")
    other.write_settings(replace(made.read_settings(), seed=8))
    for name in ("weights", "metrics"):
        if name == "weights":
            made.write_weights({"w": torch.zeros(9)}, made.read_settings())
        for path in (getattr(made, name), seal_of(getattr(made, name))):
            shutil.copy(path, other.path)
    with pytest.raises(MafnetError, match="safetensors: belongs to another run than"):
        other.read_weights()
    with pytest.raises(MafnetError, match=r"metrics\.json: belongs to another run than"):
        read_run(copied(made, other))


def copied(run, target):
    """The folder of `target` with the predictions of `run`."""
    shutil.copy(run.predictions, target.path)
    return target.path


def test_settings_of_another_version_name_the_file(made):
    unsealed(made.settings).write_text(made.settings.read_text().replace('"clips"', '"clip"'))
    with pytest.raises(MafnetError, match=r"settings\.json: .*clip.*; train the run again"):
        made.read_settings()


def test_a_run_is_evaluated_when_all_its_files_are_there(made):
    assert made.is_evaluated
    made.predictions_val.unlink()
    assert not made.is_evaluated


def test_a_folder_names_its_run(made):
    assert (made.split, made.variant, made.seed) == ("main", "mafnet", "0")


def test_torch_is_imported_only_for_weights(made):
    code = (
        "import sys; from pathlib import Path; from mafnet.model.run_folder import RunFolder;"
        "run = RunFolder(Path(sys.argv[1]));"
        "run.read_settings(), run.read_history(), run.read_predictions(), run.read_attention();"
        "assert not {'torch', 'pandas', 'safetensors'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(made.path)], check=True)
