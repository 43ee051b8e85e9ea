"""Backbones of the hubs, from models that these tests write in its layout; none is reached."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.network_parity import FLOAT16_TOLERANCE, noise_clips, relative_error, small_clips
from support.tiny_run import METRICS, REPOSITORY, Workflow, make_data

from mafnet.common.errors import MafnetError
from mafnet.features.backbones import backbone_spec, hub
from mafnet.features.backbones.inference import TorchBackbone
from mafnet.features.weights.fetch import fetch
from mafnet.features.weights.published import TABLE, published
from mafnet.video.config import VideoSection

pytestmark = pytest.mark.usefixtures("one_thread", "offline")


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """The folder of the run; the hub's cache is empty, and its address answers nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def made_vit(folder, **given):
    """A vision transformer of two blocks as timm saves it; returns its network."""
    timm = pytest.importorskip("timm", reason="extra timm is not installed")
    options = {"depth": 2, "img_size": 32} | given
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model("vit_tiny_patch16_224", **options).eval()
    network.pretrained_cfg["input_size"] = (3, 32, 32)
    timm.models.save_for_hf(network, folder, model_args=options, safe_serialization=True)
    return network


def made_ast(folder):
    """An audio spectrogram transformer with a classifier as transformers saves it."""
    transformers = pytest.importorskip("transformers", reason="extra hf is not installed")
    sizes = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.ASTConfig(num_hidden_layers=2, max_length=128, **sizes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = transformers.ASTForAudioClassification(config).eval()
    network.save_pretrained(folder)
    transformers.ASTFeatureExtractor(max_length=128).save_pretrained(folder)
    return network


def fetched(name):
    """The state dict of the safetensors file that `mafnet fetch` writes."""
    output = hub.FOLDER / f"{name}-pretrained.safetensors"
    fetch(published(TABLE, name, "pretrained"), hub.FOLDER, output)
    return load_file(output)


def test_a_vit_of_timm_gives_the_map_of_its_tokens():
    network = made_vit(hub.FOLDER / "timm" / "tiny")
    spec = backbone_spec("timm/tiny")
    assert (spec.modality, spec.side, spec.feature_shape) == ("visual", 32, (2, 2, 192))
    assert spec.decoding(VideoSection(interpolation="auto")) == {
        "interpolation": "bicubic", "frame_size": 32,
    }  # fmt: skip
    clip = small_clips(1)[:, :2, :32, :32].copy()
    found = TorchBackbone("timm/tiny", fetched("timm/tiny"), "cpu", "float32")(clip)
    pixels = (torch.from_numpy(clip[0]).movedim(-1, 1) / 255 - 0.5) / 0.5
    with torch.no_grad():
        tokens = network.forward_features(pixels)[:, 1:].mean(dim=0)
    assert relative_error(found.reshape(4, 192), tokens) < FLOAT16_TOLERANCE


def test_an_ast_of_transformers_gives_its_pooled_vector_of_a_longer_window():
    network = made_ast(hub.FOLDER / "hf" / "made" / "ast")
    spec = backbone_spec("hf/made/ast")
    assert (spec.modality, spec.feature_shape) == ("audio", (1, 1, 32))
    assert spec.decoding(VideoSection()) == {"window_seconds": 1.28}
    clips = np.tile(noise_clips(2), 2)[:, : round(1.28 * 16_000)]
    found = TorchBackbone("hf/made/ast", fetched("hf/made/ast"), "cpu", "float32")(clips)
    with torch.no_grad():
        inputs = torch.from_numpy(spec.inputs(clips))[:, 0]
        expected = network.audio_spectrogram_transformer(inputs).pooler_output
    assert relative_error(found[:, 0, 0], expected) < FLOAT16_TOLERANCE
    assert not np.array_equal(found[0], found[1])


def test_another_config_makes_other_features_and_another_version():
    made_vit(hub.FOLDER / "timm" / "tiny")
    first = backbone_spec("timm/tiny").version
    path = hub.FOLDER / "timm" / "tiny" / "config.json"
    config = json.loads(path.read_text())
    config["pretrained_cfg"]["mean"] = [0.4, 0.4, 0.4]
    path.write_text(json.dumps(config))
    hub._spec.cache_clear()  # as in a new process
    assert backbone_spec("timm/tiny").version != first


def test_a_model_in_the_hubs_cache_is_found(tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub", reason="no extra").constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    entry = tmp_path / "cache" / "models--timm--tiny"
    made_vit(entry / "snapshots" / ("0" * 40))
    (entry / "refs").mkdir()
    (entry / "refs" / "main").write_text("0" * 40)
    assert backbone_spec("timm/tiny").feature_shape == (2, 2, 192)


def test_weights_that_do_not_fit_are_refused():
    made_vit(hub.FOLDER / "timm" / "tiny")
    path = hub.FOLDER / "timm" / "tiny" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(MafnetError, match="timm cannot read the weights"):
        fetched("timm/tiny")


def test_missing_tensors_are_not_drawn():
    from safetensors.torch import save_file

    made_ast(hub.FOLDER / "hf" / "made" / "ast")
    path = hub.FOLDER / "hf" / "made" / "ast" / "model.safetensors"
    state = {key: value for key, value in load_file(path).items() if "layernorm" not in key}
    save_file(state, path, {"format": "pt"})
    with pytest.raises(MafnetError, match="transformers cannot read the weights"):
        fetched("hf/made/ast")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("timm/../../etc", "is no name of a model"),
        ("hf/alone", "is no name of a model"),
        ("timm/none", "is not on this machine; run `hf download timm/none`"),
    ],
)
def test_names_that_are_no_models(name, says):
    pytest.importorskip("huggingface_hub", reason="neither extra is installed")
    with pytest.raises(MafnetError, match=says):
        backbone_spec(name)


@pytest.mark.parametrize(("name", "extra"), [("timm/tiny", "timm"), ("hf/made/ast", "hf")])
def test_without_its_package_the_error_names_the_extra(name, extra, monkeypatch):
    monkeypatch.setattr(hub, "find_spec", lambda package: None)
    with pytest.raises(MafnetError, match=rf"pip install 'mafnet\[{extra}\]'"):
        backbone_spec(name)


@pytest.mark.workflow
@pytest.mark.slow
def test_a_timm_and_an_hf_model_to_the_metrics(checkout, tmp_path):
    tiny = Workflow(checkout, tmp_path)
    shutil.copy(REPOSITORY / "tests/tiny.yaml", tmp_path)
    make_data(tmp_path)
    made_vit(tiny.folder / "weights" / "timm" / "tiny")
    made_ast(tiny.folder / "weights" / "hf" / "made" / "ast")
    features = {
        "visual": {"backbone": "timm/tiny", "weights": "pretrained"},
        "audio": {"backbone": "hf/made/ast", "weights": "pretrained"},
    }
    tiny.run(METRICS, change={"features": features})
    found = json.loads((tiny.folder / METRICS).read_text())
    weights = found["provenance"]["weights"]
    assert {name: weights[name]["backbone"] for name in weights} == {
        "visual": "timm/tiny", "audio": "hf/made/ast",
    }  # fmt: skip
    assert not any(entry["random"] for entry in weights.values())
