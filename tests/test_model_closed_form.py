"""Late fusion and logistic regression: runs like any other, without gradient descent."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression as Reference
from support.made_features import made_data, made_samples

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import write_manifest
from mafnet.model.config import Evaluation, ModelSection, Training
from mafnet.model.data import Data
from mafnet.model.evaluate import evaluate
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import run_settings
from mafnet.model.train import train
from mafnet.plan.config import check_config, read_config

CPU = torch.device("cpu")
MODEL = ModelSection.model_validate(
    {
        "network": {"hidden": 8, "bn_momentum": 0.1},
        "variants": {
            "visual_only": {
                "network": "mafnet",
                "options": {"modalities": "visual", "film": "none", "blocks": "none"},
            },
            "audio_only": {
                "network": "mafnet",
                "options": {"modalities": "audio", "film": "none", "blocks": "none"},
            },
            "late_fusion": {
                "network": "late_fusion",
                "options": {"members": ["visual_only", "audio_only"]},
            },
            "logistic_regression": {"network": "logistic_regression"},
        },
    }
)
TRAINING = Training(learning_rate=1e-2, batch_size=6, max_epochs=5, patience=5, precision="float32")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    samples = made_samples({"train": 6, "val": 3, "test": 4})
    return made_data(tmp_path_factory.mktemp("data"), samples, ("visual", "audio"))


def settings_for(data, variant, seed=1):
    return run_settings(
        {
            "variant": variant,
            "network": MODEL.variants[variant].network,
            "options": MODEL.options_of(variant),
            "training": TRAINING.recorded(),
            "seed": seed,
            "classes": data.classes,
            "clips": data.clips,
            "features": {name: file.fingerprint for name, file in data.files.items()},
        }
    )


def evaluated(data, folder, variant, members=(), seed=1):
    """A finished run of a variant."""
    run = RunFolder(folder / variant / f"seed{seed}")
    train(settings_for(data, variant, seed), data, run.path, CPU, members=members)
    measured(run.path, data)
    return run


def measured(folder, data):
    evaluate(folder, data, Evaluation(batch_size=5, top_k=2), "main", CPU)


def vectors(data, subset):
    """The mean of each modality over positions and clips, (S, F) float64."""
    rows = data.subset(subset).rows
    read = data.read(rows, ("visual", "audio"))
    valid = data.valid(rows, ("visual", "audio")).astype(float)
    shares = valid / np.maximum(valid.sum(1, keepdims=True), 1)
    visual = np.einsum("std,st->sd", read["visual"].astype(float), shares[..., 0])
    audio = read["audio"].astype(float).mean((2, 3))
    return np.concatenate([visual, np.einsum("std,st->sd", audio, shares[..., 1])], axis=1)


def test_late_fusion_is_the_mean_of_its_members_probabilities(data, tmp_path):
    members = [evaluated(data, tmp_path, name) for name in ("visual_only", "audio_only")]
    run = evaluated(data, tmp_path, "late_fusion", members)
    parts = [member.read_predictions().probabilities for member in members]
    found = run.read_predictions().probabilities
    # predictions.csv has six digits.
    np.testing.assert_allclose(found, np.mean(parts, axis=0), rtol=1e-5, atol=1e-6)
    attention = run.read_attention()
    assert attention.modalities == ["visual", "audio"]
    expected = np.concatenate([member.read_attention().weights for member in members], axis=2) / 2
    np.testing.assert_allclose(attention.weights, expected, rtol=1e-5, atol=1e-7)


def test_late_fusion_refuses_members_of_other_settings(data, tmp_path):
    visual = evaluated(data, tmp_path, "visual_only")
    other = evaluated(data, tmp_path, "audio_only", seed=2)
    with pytest.raises(MafnetError, match=r"seed2/settings\.json: this run has other settings"):
        train(settings_for(data, "late_fusion"), data, tmp_path / "x", CPU, members=[visual, other])
    with pytest.raises(MafnetError, match="needs the run of audio_only"):
        train(settings_for(data, "late_fusion"), data, tmp_path / "x", CPU, members=[visual])
    assert not (tmp_path / "x").exists() or not list((tmp_path / "x").iterdir())


def test_logistic_regression_is_that_of_scikit_learn(data, tmp_path):
    run = evaluated(data, tmp_path, "logistic_regression")
    history = run.read_history()
    assert len(history) == len(MODEL.options_of("logistic_regression").get("c", [0] * 5))
    training, labels = vectors(data, "train"), data.subset("train").labels
    mean, scale = training.mean(0), training.std(0)
    scale[scale == 0] = 1
    best = [row.epoch for row in history if row.best][-1]
    c = sorted([1e-4, 1e-3, 1e-2, 1e-1, 1])[best - 1]
    model = Reference(C=c, max_iter=10_000).fit((training - mean) / scale, labels)
    expected = model.predict_proba((vectors(data, "test") - mean) / scale)
    # The network computes in float32.
    np.testing.assert_allclose(run.read_predictions().probabilities, expected, atol=1e-4)
    attention = run.read_attention()
    assert (attention.weights[~attention.valid] == 0).all()
    np.testing.assert_allclose(attention.weights.sum((1, 2)), 1, rtol=1e-6)


def test_logistic_regression_does_not_depend_on_the_seed(data, tmp_path):
    runs = [evaluated(data, tmp_path, "logistic_regression", seed=seed) for seed in (1, 2)]
    one, other = (run.read_predictions().probabilities for run in runs)
    assert np.array_equal(one, other)


@pytest.mark.parametrize("kept", [2, 3])
def test_a_class_without_training_videos_gets_no_probability(data, tmp_path, kept):
    """With two known classes scikit-learn has one row of coefficients."""
    chosen = sorted(data.classes)[:kept]
    samples = [
        sample
        for name in ("train", "val", "test")
        for sample in data.subset(name).samples
        if name != "train" or sample.label in chosen
    ]
    write_manifest(samples, tmp_path / "manifest.csv")
    files = [file.path for file in data.files.values()]
    fewer = Data(tmp_path / "manifest.csv", files, None)
    run = evaluated(fewer, tmp_path, "logistic_regression")
    found = run.read_predictions()
    absent = [name not in chosen for name in found.classes]
    assert (found.probabilities[:, absent] == 0).all()
    np.testing.assert_allclose(found.probabilities.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"members": ["visual_only", "audio_onyl"]}, "'audio_onyl' is not in model.variants; did"),
        ({"members": ["visual_only", "again"]}, "'again' is a late fusion itself"),
        ({"members": ["visual_only"]}, "members"),
        ({}, "members"),
    ],
)
def test_wrong_members_are_named(options, message):
    config = read_config([])
    again = {"network": "late_fusion", "options": {"members": ["visual_only", "audio_only"]}}
    variants = {"again": again, "tried": {"network": "late_fusion", "options": options}}
    config["model"]["variants"] |= variants
    with pytest.raises(MafnetError, match=message):
        check_config(config)
