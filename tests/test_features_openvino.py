"""Every backbone by OpenVINO compared with torch, kept models, and the choice of backend."""

import logging
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from itertools import chain

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support.network_parity import (
    FLOAT16_TOLERANCE,
    densenet_reference,
    densenet_weights,
    load_recipe,
    noise_clips,
    relative_error,
    small_clips,
    vggish_weights,
)

from mafnet.common.config import parse
from mafnet.common.errors import MafnetError
from mafnet.features.backbones import BACKBONES, backbone_spec, frozen_network
from mafnet.features.backbones.inference import TorchBackbone
from mafnet.features.backends import build_backbone, choose_backend
from mafnet.features.config import FeatureSettings
from mafnet.features.fingerprint import fingerprint_of
from mafnet.features.parallel import in_parallel
from mafnet.video.config import VideoSettings

pytest.importorskip("openvino")

from mafnet.features.backbones.openvino_backbone import OpenVINOBackbone
from mafnet.features.backbones.openvino_convert import kept_path
from mafnet.features.backbones.openvino_runtime import check, suits

RECIPES = {"densenet201": densenet_weights, "vggish": vggish_weights}


def clips_of(name, count):
    """Clips of a backbone's modality."""
    return {"visual": small_clips, "audio": noise_clips}[backbone_spec(name).modality](count)


@cache
def weights_of(name):
    """The reference's weights; of other backbones He's initialisation.

    Calibrated random weights enlarge rounding errors, since all features here are much alike.
    """
    if name in RECIPES:
        return RECIPES[name]()
    generator = torch.Generator().manual_seed(0)
    weights = frozen_network(name).random_weights(0)
    kernels = {key: value for key, value in weights.items() if value.ndim == 4}
    return weights | {
        key: torch.randn(value.shape, generator=generator) * (2 / value[0].numel()) ** 0.5
        for key, value in kernels.items()
    }


# float32 in another order differs by 1e-6. Then one value in some hundred is rounded to the next
# float16, 1e-3 away: 2e-5 in total.
SAME_FLOAT32 = 1e-4
# bfloat16 has 8 bits: 0.4 % per layer. Measured: 5 % (DenseNet, 200 layers), 0.5 % (VGGish, 6).
BFLOAT16 = {name: 0.02 if name == "vggish" else 0.2 for name in BACKBONES}

DENSENET = FeatureSettings(backbone="densenet201", weights="random")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A weights file for each backbone; the converted models are kept beside it between tests."""
    folder = tmp_path_factory.mktemp("weights")
    for name in BACKBONES:
        save_file(frozen_network(name).own_weights(weights_of(name)), folder / name)
    return folder


@pytest.fixture
def network(files):
    """A backbone by OpenVINO."""

    def build(name, precision="float32", threads=1):
        return OpenVINOBackbone(name, files / name, precision, threads)

    return build


@pytest.mark.parametrize("name", BACKBONES)
def test_features_equal_those_of_torch(network, name):
    clips = clips_of(name, 3)
    expected = TorchBackbone(name, weights_of(name), "cpu", "float32")(clips)
    found = network(name)(clips)
    assert (found.dtype, found.shape) == (np.float16, expected.shape)
    assert relative_error(found, expected) < SAME_FLOAT32


def test_a_clip_of_full_size_equals_the_original(network):
    frames = load_recipe().densenet_image(2)
    maps = network("densenet201")(frames[None])
    expected = densenet_reference()["map_f32"].mean(axis=0)
    assert relative_error(maps[0], expected) < FLOAT16_TOLERANCE


@pytest.mark.parametrize("frames", [3, 8])
def test_any_number_of_frames_is_averaged(network, frames):
    clip = np.concatenate(small_clips(2))[None, :frames]  # one and four at a time
    expected = TorchBackbone("densenet201", densenet_weights(), "cpu", "float32")(clip)
    assert relative_error(network("densenet201")(clip), expected) < SAME_FLOAT32


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", BACKBONES)
def test_batch_workers_and_threads_do_not_change_a_clip(network, name, precision):
    if not suits(precision):
        pytest.skip(f"this processor has no {precision}")
    clips = clips_of(name, 4)
    narrow = network(name, precision)
    alone = [narrow(clip[None])[0].tobytes() for clip in clips]
    wide = network(name, precision, threads=3)
    assert [maps.tobytes() for maps in wide(clips)] == alone
    batches = [clips[at : at + 1] for at in (3, 1, 0, 2)]
    computed = [maps for _, maps in in_parallel(wide, batches, wide, 3)]
    assert [maps.tobytes() for maps in chain(*computed)] == [alone[at] for at in (3, 1, 0, 2)]


@pytest.mark.parametrize("name", BACKBONES)
def test_reduced_precision_is_close_to_float32(network, name):
    if not suits("bfloat16"):
        pytest.skip("this processor has no bfloat16")
    clips = clips_of(name, 1)
    exact = network(name)(clips)
    assert 0 < relative_error(network(name, "bfloat16")(clips), exact) < BFLOAT16[name]


@pytest.mark.parametrize("name", BACKBONES)
def test_no_clips_give_no_features_and_wrong_shapes_are_refused(network, name):
    maps = network(name)
    assert maps(clips_of(name, 0)).shape == (0, *backbone_spec(name).feature_shape)
    with pytest.raises(ValueError, match="float32"):
        maps(clips_of(name, 1).astype(np.float32))


def test_weights_of_another_network_are_refused_by_name(tmp_path):
    save_file(vggish_weights(), tmp_path / "weights")
    with pytest.raises(MafnetError, match=r"^these are no weights of densenet201: missing [^\n]*$"):
        OpenVINOBackbone("densenet201", tmp_path / "weights", "float32", 1)(small_clips(1))
    assert not (tmp_path / "openvino").exists()


# The kept models


@pytest.fixture
def kept(tmp_path):
    """Weights of VGGish, the model kept for them, and its features of one clip."""
    weights = tmp_path / "vggish.safetensors"
    save_file(vggish_weights(), weights)
    features = vggish_by_openvino(weights)
    (model,) = (tmp_path / "openvino").iterdir()
    return weights, model, features


def vggish_by_openvino(weights):
    return OpenVINOBackbone("vggish", weights, "float32", 1)(noise_clips(1)).tobytes()


def test_a_kept_model_is_used_as_it_is(kept, caplog):
    weights, model, features = kept
    before = model.stat().st_mtime_ns
    caplog.set_level(logging.INFO, "mafnet")
    assert vggish_by_openvino(weights) == features
    assert (model.stat().st_mtime_ns, caplog.text) == (before, "")


@pytest.mark.parametrize("place", [0.0, 0.9, "cut", "empty"])
def test_a_damaged_model_is_converted_again(kept, caplog, place):
    weights, model, features = kept
    content = bytearray(model.read_bytes())
    if isinstance(place, str):
        content = content[: len(content) // 2 if place == "cut" else 0]
    else:
        content[int(place * len(content))] ^= 1
    model.write_bytes(content)
    caplog.set_level(logging.INFO, "mafnet")
    assert vggish_by_openvino(weights) == features
    assert f"{model}: is damaged; converting again" in caplog.text
    caplog.clear()
    assert vggish_by_openvino(weights) == features
    assert caplog.text == ""


def test_other_weights_version_or_input_have_a_separate_model(kept, monkeypatch):
    weights, model, _ = kept
    patch = np.zeros((1, 1, 96, 64), np.float32)
    assert kept_path("vggish", weights, patch) == model
    spec = BACKBONES["vggish"]
    paths = {model, kept_path("vggish", weights, np.repeat(patch, 2, axis=0))}
    with monkeypatch.context() as patched:
        patched.setitem(BACKBONES, "vggish", replace(spec, version=spec.version + 1))
        paths.add(kept_path("vggish", weights, patch))
    save_file({name: tensor + 1 for name, tensor in vggish_weights().items()}, weights)
    paths.add(kept_path("vggish", weights, patch))
    assert len(paths) == 4


def test_features_are_the_same_if_models_cannot_be_kept(kept, caplog):
    weights, model, features = kept
    model.unlink()
    model.parent.rmdir()
    model.parent.write_text("in the way")  # works also if the tests run as root
    assert vggish_by_openvino(weights) == features
    assert "until then each job converts again" in caplog.text


def test_two_processes_may_convert_at_once(tmp_path):
    weights = tmp_path / "weights"
    save_file(vggish_weights(), weights)
    command = [sys.executable, "-c", ALONE, str(weights)]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert len(list((tmp_path / "openvino").iterdir())) == 1


# The choice of backend


@pytest.mark.parametrize(
    ("backend", "device", "precision", "expected"),
    [
        ("auto", "cpu", "float32", "openvino"),
        ("auto", "cpu", "float16", "torch"),  # torch then says that float16 needs a GPU
        ("auto", "cuda", "float32", "torch"),
        ("torch", "cpu", "float32", "torch"),
        ("openvino", "auto", "float32", "openvino"),
    ],
)
def test_the_backend_fits_the_device(backend, device, precision, expected):
    assert (
        choose_backend(
            DENSENET.model_copy(update={"backend": backend, "precision": precision}), device
        )
        == expected
    )


def test_without_the_package_torch_computes(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)  # as after a failed import
    assert choose_backend(DENSENET, "cpu") == "torch"
    with pytest.raises(MafnetError, match="cannot be imported; run `pip install openvino`, or"):
        check("float32")


def test_impossible_backends_are_user_errors(tmp_path):
    with pytest.raises(MafnetError, match=r"^backend openvino computes on CPUs, not on cuda"):
        choose_backend(DENSENET.model_copy(update={"backend": "openvino"}), "cuda")
    with pytest.raises(MafnetError, match="backend: 'tflite' is wrong; it must be 'auto', 'torch'"):
        parse(FeatureSettings, DENSENET.model_dump() | {"backend": "tflite"}, "--settings")
    save_file(vggish_weights(), tmp_path / "weights")
    half = FeatureSettings(
        backbone="vggish", weights="random", precision="float16", backend="openvino"
    )
    with pytest.raises(MafnetError, match="float16 needs a GPU"):
        build_backbone(half, tmp_path / "weights", "cpu", 1)


def test_a_named_backend_is_part_of_the_fingerprint():
    digests = {
        fingerprint_of(
            DENSENET.model_copy(update={"backend": backend}), VideoSettings(), "0"
        ).digest
        for backend in ("auto", "torch", "openvino")
    }
    assert len(digests) == 3


ALONE = """
import sys
from pathlib import Path
import numpy as np
from mafnet.features.backends import build_backbone
from mafnet.features.config import FeatureSettings

calls = []
local = "socket.gethostname"  # names of temporary files contain it; it sends nothing

def hook(event, _):
    if event.startswith("socket.") and event != local:
        calls.append(event)

sys.addaudithook(hook)
settings = FeatureSettings(backbone="vggish", weights="random")
backbone = build_backbone(settings, Path(sys.argv[1]), "cpu", 1)
assert backbone(np.zeros((1, 16_000), np.int16)).shape == (1, 12, 8, 512)
loaded = {name for name in ("torch", "openvino", "openvino_telemetry") if sys.modules.get(name)}
print(sorted(loaded), calls)
"""


def test_no_statistics_are_sent_and_a_kept_model_needs_no_torch(tmp_path):
    """By default, `import openvino` writes an identifier to the home folder and sends it."""
    save_file(vggish_weights(), tmp_path / "weights")
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-c", ALONE, str(tmp_path / "weights")]
    environment = os.environ | {"HOME": str(home)}
    said = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said == ["['openvino', 'torch'] []\n", "['openvino'] []\n"]
    assert list(home.iterdir()) == []
