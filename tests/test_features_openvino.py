"""Stage 2, features: the networks by OpenVINO against torch's, and which backend is taken."""

import os
import subprocess
import sys
from itertools import chain

import numpy as np
import pytest
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
from mafnet.features.backbones import backbone_class, backbone_spec, openvino_class
from mafnet.features.backends import build_backbone, choose_backend
from mafnet.features.config import FeatureSettings
from mafnet.features.fingerprint import fingerprint_of
from mafnet.features.parallel import in_parallel
from mafnet.video.config import VideoSettings

pytest.importorskip("openvino")

from mafnet.features.backbones.openvino_runtime import check, suits

WEIGHTS = {"densenet201": densenet_weights, "vggish": vggish_weights}
CLIPS = {"densenet201": small_clips, "vggish": noise_clips}

# float32 in another order differs by 1e-6; one value in some hundred then rounds to the float16
# next to the other's, 1e-3 away: 2e-5 altogether.
SAME_FLOAT32 = 1e-4
# bfloat16 has 8 bits: 0.4 % a layer; measured: 5 % after DenseNet's 200, 0.5 % after VGGish's 6.
BFLOAT16 = {"densenet201": 0.2, "vggish": 0.02}

DENSENET = FeatureSettings(backbone="densenet201", weights="random")


def network(name, precision="float32", threads=1, weights=None):
    own = weights or backbone_class(name).own_weights(WEIGHTS[name]())
    arrays = {key: value.numpy() for key, value in own.items()}
    return openvino_class(name)(arrays, precision, threads)


@pytest.mark.parametrize("name", WEIGHTS)
def test_features_are_torchs(name):
    clips = CLIPS[name](3)
    expected = backbone_class(name)(WEIGHTS[name](), "cpu", "float32")(clips)
    found = network(name)(clips)
    assert (found.dtype, found.shape) == (np.float16, expected.shape)
    assert relative_error(found, expected) < SAME_FLOAT32


def test_a_clip_of_full_size_is_the_originals():
    frames = load_recipe().densenet_image(2)
    maps = network("densenet201")(frames[None])
    expected = densenet_reference()["map_f32"].mean(axis=0)
    assert relative_error(maps[0], expected) < FLOAT16_TOLERANCE


@pytest.mark.parametrize("frames", [1, 3, 6])
def test_any_number_of_frames_is_averaged(frames):
    clip = np.concatenate(small_clips(2))[None, :frames]
    expected = backbone_class("densenet201")(densenet_weights(), "cpu", "float32")(clip)
    assert relative_error(network("densenet201")(clip), expected) < SAME_FLOAT32


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", WEIGHTS)
def test_company_workers_and_threads_do_not_change_a_clip(name, precision):
    if not suits(precision):
        pytest.skip(f"this processor has no {precision}")
    clips = CLIPS[name](4)
    narrow = network(name, precision)
    alone = [narrow(clip[None])[0].tobytes() for clip in clips]
    wide = network(name, precision, threads=3)
    assert [maps.tobytes() for maps in wide(clips)] == alone
    batches = [clips[at : at + 1] for at in (3, 1, 0, 2)]
    computed = [maps for _, maps in in_parallel(wide, batches, wide, 3)]
    assert [maps.tobytes() for maps in chain(*computed)] == [alone[at] for at in (3, 1, 0, 2)]


@pytest.mark.parametrize("name", WEIGHTS)
def test_reduced_precision_stays_near(name):
    if not suits("bfloat16"):
        pytest.skip("this processor has no bfloat16")
    clips = CLIPS[name](1)
    exact = network(name)(clips)
    assert 0 < relative_error(network(name, "bfloat16")(clips), exact) < BFLOAT16[name]


@pytest.mark.parametrize("name", WEIGHTS)
def test_no_clips_give_no_features_and_others_are_refused(name):
    maps = network(name)
    assert maps(CLIPS[name](0)).shape == (0, *backbone_spec(name).feature_shape)
    with pytest.raises(ValueError, match="float32"):
        maps(CLIPS[name](1).astype(np.float32))


def test_weights_of_another_network_are_refused_by_name():
    with pytest.raises(MafnetError, match=r"^these are no weights of densenet201: missing [^\n]*$"):
        network("densenet201", weights=vggish_weights())(small_clips(1))
    wrong = vggish_weights() | {"conv2.weight": vggish_weights()["conv1.weight"]}
    with pytest.raises(MafnetError, match=r"wrong shape conv2\.weight \(64, 1, 3, 3\)"):
        network("vggish", weights=wrong)(noise_clips(1))


@pytest.mark.parametrize(
    ("backend", "device", "precision", "expected"),
    [
        ("auto", "cpu", "float32", "openvino"),
        ("auto", "cpu", "float16", "torch"),  # which then says that it needs a GPU
        ("auto", "cuda", "float32", "torch"),
        ("torch", "cpu", "float32", "torch"),
        ("openvino", "auto", "float32", "openvino"),
    ],
)
def test_the_backend_suits_the_device(backend, device, precision, expected):
    assert (
        choose_backend(
            DENSENET.model_copy(update={"backend": backend, "precision": precision}), device
        )
        == expected
    )


def test_without_the_package_torch_computes(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)  # as an import that fails leaves it
    assert choose_backend(DENSENET, "cpu") == "torch"
    with pytest.raises(MafnetError, match="cannot be imported; run `pip install openvino`, or"):
        check("float32")


def test_impossible_backends_are_the_users_error(tmp_path):
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

settings = FeatureSettings(backbone="vggish", weights="random")
backbone = build_backbone(settings, Path(sys.argv[1]), "cpu", 1)
assert backbone(np.zeros((1, 16_000), np.int16)).shape == (1, 12, 8, 512)
found = {"torch", "openvino", "openvino_telemetry", "openvino.tools.ovc"} & set(sys.modules)
print(sorted(found))
"""


def test_neither_torch_nor_what_sends_statistics_is_loaded(tmp_path):
    """OpenVINO's own import would leave an identifier in the home folder and call its makers."""
    save_file(vggish_weights(), tmp_path / "weights")
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-c", ALONE, str(tmp_path / "weights")]
    environment = os.environ | {"HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "['openvino']\n"
    assert list(home.iterdir()) == []
