"""The visual maps, from the feature file to a run."""

import numpy as np
import pytest
import torch
from support.made_features import made_samples, write_features

from mafnet.common.errors import MafnetError
from mafnet.common.files import read_json
from mafnet.dataset.manifest import write_manifest
from mafnet.model.config import Evaluation, Training
from mafnet.model.data import Data
from mafnet.model.evaluate import evaluate
from mafnet.model.settings import RunSettings
from mafnet.model.train import train


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Manifest and feature files of a few made-up videos; visual files with and without maps."""
    root = tmp_path_factory.mktemp("maps")
    samples = made_samples({"train": 2, "val": 1, "test": 1})
    write_manifest(samples, root / "manifest.csv")
    for name in ("visual", "visual_maps", "audio"):
        write_features(root, samples, name.removesuffix("_maps"), name=name)
    return root


def test_maps_are_packed_with_their_means(packed):
    data = Data(packed / "manifest.csv", [packed / "visual_maps.h5"], None)
    found = data.read(np.array([0, 3]), ["visual", "visual_maps"])
    assert found["visual_maps"].shape == (2, 2, 7, 7, 1920)
    means = found["visual_maps"].mean(axis=(2, 3), dtype=np.float32)
    np.testing.assert_allclose(found["visual"], means, rtol=1e-3)  # float16


def test_file_without_maps_names_the_file_to_give(packed):
    data = Data(packed / "manifest.csv", [packed / "visual.h5"], None)
    with pytest.raises(MafnetError, match=r"visual.h5: has no maps; give the file visual_maps.h5"):
        data.read(np.array([0]), ["visual_maps"])


@pytest.mark.parametrize(
    ("network", "options"), [("dmrn", {}), ("mafnet", {"film": "visual", "blocks": "visual"})]
)
def test_network_on_visual_maps_trains_and_is_evaluated(network, options, packed, tmp_path):
    data = Data(packed / "manifest.csv", [packed / "visual_maps.h5", packed / "audio.h5"], None)
    settings = RunSettings(
        variant="tried", network=network, options=options | {"hidden": 8}, seed=0,
        classes=data.classes, training=Training(max_epochs=1), clips=data.clips,
        features={name: file.fingerprint for name, file in data.files.items()},
    )  # fmt: skip
    train(settings, data, tmp_path, torch.device("cpu"))
    evaluate(tmp_path, data, Evaluation(batch_size=4, top_k=2), "main", torch.device("cpu"))
    assert read_json(tmp_path / "metrics.json")["samples"] == 3
    with np.load(tmp_path / "attention.npz") as found:
        assert list(found["modality"]) == ["visual", "audio"]
        assert found["attention"].shape == found["valid"].shape == (3, 2, 2)
