"""Scores of a backbone's own classes: YAMNet's sounds."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from support.made_videos import AAC, H264, counting_frames, ffmpeg, tone
from support.network_parity import DATA

import mafnet
from mafnet.cli import main
from mafnet.common.errors import MafnetError
from mafnet.features.backbones import backbone_spec, frozen_network
from mafnet.features.class_scores import read_classifier

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "yamnet.safetensors"
    save_file(frozen_network("yamnet").random_weights(0), path)
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A video of two seconds with sound."""
    path = tmp_path_factory.mktemp("videos") / "tone.mp4"
    ffmpeg(*counting_frames(2, 10, "96x64"), *tone(2), *H264, *AAC, path)
    return path


def test_names_are_in_the_order_of_the_scores(weights):
    """The stored scores are those of the original, of the sounds in support/pretrained_inputs."""
    names = read_classifier(backbone_spec("yamnet"), weights).names
    scores = np.load(DATA / "pretrained.npz")["scores"]
    assert len(names) == scores.shape[1] == 521
    tone, _, noise, _, chord, silence = [names[row.argmax()] for row in scores]
    assert (tone, noise, chord, silence) == ("Telephone", "Waterfall", "Music", "Silence")


def test_scores_are_those_of_the_network(weights, video, tmp_path):
    output = tmp_path / "features.npz"
    command = ["features", video, "--output", output, "--visual", "none", "--clips", 3, "--scores",
               "--audio", f"yamnet:{weights}", "--maps", "--cache", tmp_path / "cache",
               "--threads", 1, "--device", "cpu"]  # fmt: skip
    result = CliRunner().invoke(main, list(map(str, command)))
    assert result.exit_code == 0, result.output
    found = np.load(output)
    maps = torch.from_numpy(found["audio"][0].astype(np.float32)).permute(0, 3, 1, 2)
    network = frozen_network("yamnet").loaded(frozen_network("yamnet").random_weights(0))
    with torch.no_grad():
        expected = network.scores(maps[:2]).numpy()
    assert found["audio_scores"].shape == (1, 3, 521)
    # float32, summed in another order
    np.testing.assert_allclose(found["audio_scores"][0, :2], expected, rtol=1e-5)
    assert not found["audio_scores"][0, 2].any()  # padding
    assert found["audio_classes"][0] == "Speech"


def test_scores_are_refused_before_the_work(weights, video, tmp_path):
    files = {"visual": None, "cache": tmp_path / "cache", "device": "cpu", "scores": True}
    with pytest.raises(MafnetError, match=r"^no scores come from vggish; choose yamnet$"):
        mafnet.extract([video], audio="vggish:none.safetensors", **files)
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, other)
    with pytest.raises(MafnetError, match=r"other.safetensors: has no classifier of yamnet"):
        mafnet.extract([video], audio=f"yamnet:{other}", **files)
    assert not (tmp_path / "cache").exists()
