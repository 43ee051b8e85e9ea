"""Equality of DenseNet-201 and VGGish with the originals, and properties of every backbone."""

import re

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file
from support import network_parity
from support.network_parity import DATA, FLOAT16_TOLERANCE, noise_clips, relative_error, small_clips
from torchvision.models import densenet201

from mafnet.common.errors import MafnetError
from mafnet.features.backbones import BACKBONES, backbone_spec, frozen_network
from mafnet.features.backbones.inference import TorchBackbone, check_device
from mafnet.features.backbones.logmel import log_mel
from mafnet.features.backbones.network import CALIBRATION_ITEMS, calibration_items, normalised
from mafnet.features.backbones.zoo.torchvision_network import TorchvisionNetwork
from mafnet.features.backbones.zoo.vggish import PORT_LAYERS, VGGishNetwork, port_weights
from mafnet.features.backbones.zoo.vggish_pca import PORT_LAYERS as DENSE_LAYERS
from mafnet.features.config import FeatureSettings
from mafnet.features.fingerprint import fingerprint_of
from mafnet.features.parallel import in_parallel
from mafnet.features.weights.fetch import fetch
from mafnet.features.weights.published import Published
from mafnet.video.config import VideoSettings

pytestmark = pytest.mark.usefixtures("one_thread")

# Relative L2 to the float32 run of the original, which itself has 6e-7 to 1e-6 of rounding error.
FLOAT32_TOLERANCE = 1e-5
FLOAT64_TOLERANCE = 1e-10

DENSENET, VGGISH = frozen_network("densenet201"), frozen_network("vggish")


@pytest.fixture(scope="module")
def recipe():
    return network_parity.load_recipe()


@pytest.fixture(scope="module")
def densenet_reference():
    return network_parity.densenet_reference()


@pytest.fixture(scope="module")
def densenet_weights():
    return network_parity.densenet_weights()


@pytest.fixture(scope="module")
def vggish_weights():
    return network_parity.vggish_weights()


@pytest.fixture(scope="module")
def random_densenet():
    return TorchBackbone("densenet201", DENSENET.random_weights(0), "cpu", "float32")


def test_densenet_maps_equal_the_original(recipe, densenet_reference, densenet_weights):
    frames = recipe.densenet_image(2)
    network = frozen_network("densenet201").build(densenet_weights)
    with torch.no_grad():
        maps = network(torch.from_numpy(frames)).permute(0, 2, 3, 1)
    assert relative_error(maps, densenet_reference["map_f32"]) < FLOAT32_TOLERANCE


def test_densenet_clip_is_the_mean_of_its_frames(recipe, densenet_reference, densenet_weights):
    clip = recipe.densenet_image(2)[None]
    maps = TorchBackbone("densenet201", densenet_weights, "cpu", "float32")(clip)
    assert (maps.dtype, maps.shape) == (np.float16, (1, 7, 7, 1920))
    assert relative_error(maps[0], densenet_reference["map_f32"].mean(axis=0)) < FLOAT16_TOLERANCE


def test_vggish_maps_equal_the_original_in_float32(vggish_weights):
    reference = np.load(DATA / "parity_features" / "vggish.npz")
    maps = vggish_maps(vggish_weights, reference["input"], torch.float32)
    assert relative_error(maps, reference["conv4_2"]) < FLOAT32_TOLERANCE


def test_vggish_maps_equal_the_original_in_float64(vggish_weights):
    patches = np.load(DATA / "parity_features" / "vggish.npz")["input"][:1]
    maps = vggish_maps(vggish_weights, patches, torch.float64)
    expected = np.load(DATA / "parity_features" / "vggish_float64.npz")["conv4_2"]
    assert relative_error(maps, expected) < FLOAT64_TOLERANCE


def vggish_maps(weights, patches, dtype):
    """Maps (N, 12, 8, 512) of log-mel patches (N, 96, 64, 1)."""
    network = VGGishNetwork().to(dtype)
    network.load_state_dict(weights)
    with torch.no_grad():
        maps = network(torch.from_numpy(patches).permute(0, 3, 1, 2).to(dtype))
    return maps.permute(0, 2, 3, 1)


def test_vggish_reads_int16_audio(vggish_weights):
    clips = noise_clips(2)
    patches = log_mel(clips / 32768.0)[..., None]
    expected = vggish_maps(vggish_weights, patches, torch.float64)
    maps = TorchBackbone("vggish", vggish_weights, "cpu", "float32")(clips)
    assert (maps.dtype, maps.shape) == (np.float16, (2, 12, 8, 512))
    assert relative_error(maps, expected) < FLOAT16_TOLERANCE


def test_vggish_reads_the_state_dict_of_the_pytorch_port(vggish_weights):
    port = {
        f"features.{index}.{part}": vggish_weights[f"{name}.{part}"]
        for name, index in PORT_LAYERS.items()
        for part in ("weight", "bias")
    }
    port["embeddings.0.weight"] = torch.zeros(2, 2)
    clips = noise_clips(1)
    ours = TorchBackbone("vggish", vggish_weights, "cpu", "float32")(clips)
    assert np.array_equal(TorchBackbone("vggish", port, "cpu", "float32")(clips), ours)


def test_missing_keys_of_the_port_are_listed():
    state = {f"features.{index}.weight": None for index in (0, 3, 6, 8, 11, 13)}
    with pytest.raises(MafnetError, match=r"features\.0\.bias.*features\.13\.bias"):
        port_weights(state)


def test_densenet_reads_the_published_state_dict_of_torchvision(random_densenet):
    weights = DENSENET.random_weights(0)
    # The published file has the classifier, `norm.1` instead of `norm1`, and no batch counts.
    published = {
        "features." + key.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): value
        for key, value in weights.items()
        if "num_batches" not in key
    }
    published["classifier.weight"] = torch.zeros(1000, 1920)
    clips = small_clips(1)
    assert np.array_equal(
        TorchBackbone("densenet201", published, "cpu", "float32")(clips), random_densenet(clips)
    )


def test_weights_of_another_network_are_refused_by_name(vggish_weights):
    with pytest.raises(MafnetError, match=r"densenet201: missing conv0\.weight"):
        TorchBackbone("densenet201", vggish_weights, "cpu", "float32")
    wrong = vggish_weights | {"conv1.weight": torch.zeros(64, 3, 3, 3)}
    with pytest.raises(MafnetError, match=r"wrong shape conv1\.weight \(64, 3, 3, 3\)"):
        TorchBackbone("vggish", wrong, "cpu", "float32")


@pytest.mark.parametrize("name", BACKBONES)
def test_random_weights_follow_the_seed_and_do_not_use_the_global_generator(name):
    network = frozen_network(name)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (network.random_weights(seed) for seed in (1, 1, 2))
    TorchBackbone(name, first, "cpu", "float32")
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(first[key], again[key]) for key in first)
    key = next(key for key in first if first[key].ndim == 4)
    assert not torch.equal(first[key], other[key])


@pytest.mark.parametrize("batch", [1, 4])  # as on a CPU, and as on a GPU
def test_other_clips_of_the_batch_do_not_change_a_visual_clip(batch):
    network = TorchBackbone("densenet201", DENSENET.random_weights(0), "cpu", "float32")
    network.batch = batch
    clip, others = small_clips(1), small_clips(5, seed=1)
    alone = network(clip)
    for position in (0, 2, 3, 5):  # in a batch of 4: first, inside, last; in the partial batch
        clips = np.concatenate([others[:position], clip, others[position:]])
        assert network(clips)[position].tobytes() == alone[0].tobytes()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_other_clips_of_the_batch_do_not_change_an_audio_clip(vggish_weights, precision):
    network = TorchBackbone("vggish", vggish_weights, "cpu", precision)
    clip, others = noise_clips(1), noise_clips(10, seed=1)
    alone = network(clip)
    for position in (0, 3, 7, 10):  # in a batch of 8: first, inside, last; in the partial batch
        clips = np.concatenate([others[:position], clip, others[position:]])
        assert network(clips)[position].tobytes() == alone[0].tobytes()


def test_workers_do_not_change_an_audio_clip():
    network = TorchBackbone("vggish", VGGISH.random_weights(0), "cpu", "float32")
    clips = noise_clips(5)
    alone = [network(clip[None]).tobytes() for clip in clips]
    computed = in_parallel(network, [clip[None] for clip in clips], network, 3)
    assert [maps.tobytes() for _, maps in computed] == alone


def test_reduced_precision_is_close_to_float32(random_densenet, vggish_weights):
    precision = "bfloat16"
    clips = small_clips(1)
    reduced = TorchBackbone("densenet201", DENSENET.random_weights(0), "cpu", precision)(clips)
    # bfloat16 has 8 bits; its errors of 0.4 % add up over 200 layers (measured: 8 %).
    assert 0 < relative_error(reduced, random_densenet(clips)) < 0.2
    sound = noise_clips(1)
    exact = TorchBackbone("vggish", vggish_weights, "cpu", "float32")(sound)
    # Six layers (measured: 0.5 %).
    assert (
        0
        < relative_error(TorchBackbone("vggish", vggish_weights, "cpu", precision)(sound), exact)
        < 0.02
    )


def test_no_clips_give_no_features(random_densenet, vggish_weights):
    assert random_densenet(small_clips(0)).shape == (0, 7, 7, 1920)
    assert TorchBackbone("vggish", vggish_weights, "cpu", "float32")(noise_clips(0)).shape == (
        0,
        12,
        8,
        512,
    )


def test_read_only_clips_are_accepted(random_densenet):
    clips = small_clips(1)
    expected = random_densenet(clips)
    clips.flags.writeable = False
    assert np.array_equal(random_densenet(clips), expected)


def test_clips_of_a_wrong_shape_are_refused_with_their_shape(random_densenet, vggish_weights):
    with pytest.raises(ValueError, match="float32 "):
        random_densenet(small_clips(1).astype(np.float32))
    with pytest.raises(ValueError, match=r"\(16000,\)"):
        TorchBackbone("vggish", vggish_weights, "cpu", "float32")(noise_clips(1)[0])


def test_calibration_gives_the_statistics_of_the_frames():
    weights = DENSENET.random_weights(0)
    before = {key: value.clone() for key, value in weights.items()}
    batches = [small_clips(2, seed=seed, side=64) for seed in (1, 2)]
    calibrated = DENSENET.calibrate(weights, batches)
    assert all(torch.equal(weights[key], before[key]) for key in weights)
    # The input of the first BN is the first convolution of the normalised frames.
    maps = first_convolution(weights, np.concatenate(batches)[:, ::2])
    # float32 sums over 8,000 values in another order.
    tolerance = {"rtol": 1e-4, "atol": 1e-5}
    assert torch.allclose(calibrated["norm0.running_mean"], maps.mean((0, 2, 3)), **tolerance)
    assert torch.allclose(calibrated["norm0.running_var"], maps.var((0, 2, 3)), **tolerance)
    assert torch.equal(calibrated["conv0.weight"], weights["conv0.weight"])


def test_calibrated_features_of_the_same_frames_are_standardised():
    clips = small_clips(8, side=64)[:, :2]
    calibrated = DENSENET.calibrate(DENSENET.random_weights(0), [clips[:3], clips[3:]])
    features = TorchBackbone("densenet201", calibrated, "cpu", "float32")(clips).astype(np.float64)
    # A ReLU of N(0, 1) has the mean 0.3989, for all weights. After 200 layers this is true only if
    # every layer has the statistics of its input. The spread over 1,920 channels leaves 0.02.
    assert abs(features.mean() - 0.399) < 0.04


def test_calibration_takes_frames_evenly_from_many_clips():
    clips = np.arange(200, dtype=np.uint8)[:, None, None, None, None] * np.ones((5, 2, 2, 3), "u1")
    frames = calibration_items([clips[:50], clips[50:]])
    assert frames.shape == (CALIBRATION_ITEMS, 2, 2, 3)
    numbers = frames[:, 0, 0, 0].astype(int)
    assert (numbers[0], numbers[-1]) == (0, 197)
    assert set(np.diff(numbers)) == {2, 3}


def first_convolution(weights, clips):
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    frames = (clips.reshape(-1, *clips.shape[2:]) / 255.0 - mean) / std
    frames = torch.from_numpy(frames).float().permute(0, 3, 1, 2)
    return torch.nn.functional.conv2d(frames, weights["conv0.weight"], stride=2, padding=3)


def test_calibration_is_repeatable_and_makes_clips_differ():
    weights = DENSENET.random_weights(0)
    batches = [small_clips(2, seed=seed, side=64) for seed in (1, 2)]
    first, again = (DENSENET.calibrate(weights, batches) for _ in range(2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    clips = np.zeros((2, 4, 64, 64, 3), np.uint8)
    clips[1, ..., 0] = 255  # a black and a red clip
    assert contrast(first, clips) > contrast(weights, clips)


def contrast(weights, clips):
    """Distance between the features of two clips, relative to their norm."""
    black, red = TorchBackbone("densenet201", weights, "cpu", "float32")(clips).astype(np.float64)
    return np.linalg.norm(black - red) / np.linalg.norm(black + red)


def test_calibration_without_clips_is_an_error():
    with pytest.raises(MafnetError, match="at least one clip"):
        DENSENET.calibrate(DENSENET.random_weights(0), [])


def test_impossible_devices_and_precisions_are_user_errors():
    with pytest.raises(MafnetError, match="float16 needs a GPU"):
        check_device("cpu", "float16")
    with pytest.raises(MafnetError, match="choose one of float32, bfloat16, float16"):
        check_device("cpu", "int8")
    if not torch.cuda.is_available():
        with pytest.raises(MafnetError, match="finds no GPU"):
            check_device("cuda", "float32")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("efficientnet_lite", "did you mean efficientnet_lite0?"),
        ("vgish", "did you mean vggish?"),
        ("resnet", "known are densenet201, efficientnet_lite0, "),
    ],
)
def test_an_unknown_backbone_gives_similar_names(name, says):
    with pytest.raises(MafnetError, match=re.escape(f"{name!r} is unknown; {says}")):
        backbone_spec(name)


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_gives_the_shape_of_its_spec_from_random_weights(name):
    spec, network = backbone_spec(name), frozen_network(name)
    visual = spec.modality == "visual"
    clips = small_clips(2, side=spec.side)[:, :1] if visual else noise_clips(2)
    calibrated = network.calibrate(network.random_weights(0), [clips])
    features = TorchBackbone(name, calibrated, "cpu", "float32")(clips)
    assert features.shape == (2, *spec.feature_shape)
    assert np.isfinite(features).all()
    assert features.astype(float).std() > 0.01
    assert spec.pooled(features).shape == (2, spec.feature_shape[-1])


@pytest.mark.parametrize("name", BACKBONES)
def test_weights_survive_a_file(name, tmp_path):
    """What `fetch` and `calibrate` write is read again as it is."""
    network = frozen_network(name)
    weights = network.random_weights(0)
    save_file(network.own_weights(weights), tmp_path / "weights")
    again = network.own_weights(load_file(tmp_path / "weights"))
    assert weights.keys() == again.keys()
    assert all(torch.equal(weights[key], again[key]) for key in weights)


# Results that must not be made again: the digests of these settings. That of audio contains
# DECODE_AUDIO, which was raised twice.
FINISHED = {
    "densenet201": "20528dceaa297f4175c799c9ba6f3d5e4b667768076fae2ddd229b2a79d83d5f",
    "vggish": "8fb518e6517b05affd01ecebbbf8b74f2d8c70e06543f7fb6088c8fc1f8ae023",
}


@pytest.mark.parametrize("name", FINISHED)
def test_features_that_are_in_a_cache_are_still_found(name):
    features = FeatureSettings(backbone=name, weights="random")
    assert fingerprint_of(features, VideoSettings(), "0" * 64).digest == FINISHED[name]


def test_random_weights_are_those_of_earlier_versions():
    """Their sha256 is part of the fingerprint. (VGGish's are in versions.json.)"""
    torch.manual_seed(3)
    expected = densenet201(weights=None).features.state_dict()
    found = DENSENET.random_weights(3)
    assert list(found) == list(expected)
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.needs_cuda
@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_gpu_features_equal_cpu_features_in_any_batch(precision, random_densenet, vggish_weights):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    # float32 without TF32 sums in another order. The others are as in the test on the CPU.
    tolerance = {"float32": 1e-3, "float16": 0.05, "bfloat16": 0.2}[precision]
    gpu = TorchBackbone("densenet201", DENSENET.random_weights(0), "cuda", precision)
    clips = small_clips(gpu.batch + 3)
    maps = gpu(clips)
    assert relative_error(maps[:2], random_densenet(clips[:2])) < tolerance
    assert np.array_equal(gpu(clips[::-1].copy())[::-1], maps)
    in_two_streams = in_parallel(gpu, [clips] * 4, gpu, 2)
    assert all(np.array_equal(found, maps) for _, found in in_two_streams)
    sound = noise_clips(9)
    audio = TorchBackbone("vggish", vggish_weights, "cuda", precision)
    exact = TorchBackbone("vggish", vggish_weights, "cpu", "float32")(sound)
    assert relative_error(audio(sound), exact) < tolerance
    assert np.array_equal(audio(sound[4:5])[0], audio(sound)[4])


# The features of DMRN's authors


OF_TORCHVISION = [
    name for name in BACKBONES if isinstance(frozen_network(name), TorchvisionNetwork)
]


@pytest.mark.parametrize("name", OF_TORCHVISION)
def test_a_network_of_torchvision_takes_its_file(name):
    network = frozen_network(name)
    clips = small_clips(1, side=backbone_spec(name).side)
    weights = network.calibrate(network.random_weights(0), [clips[:, :2]])
    theirs = getattr(torchvision.models, name)(weights=None).eval()
    theirs.features.load_state_dict(weights)
    frames = torch.from_numpy(clips[0, :2])
    with torch.no_grad():
        maps = network.build(theirs.state_dict())(frames)  # with the classifier
        expected = theirs.features(normalised(frames, backbone_spec(name).normalisation))
    assert relative_error(maps, expected) < FLOAT32_TOLERANCE


def published_vggish():
    """Made weights under the names of the PyTorch port and of the file of the PCA."""
    own = frozen_network("vggish_pca").random_weights(0)
    names = {f"{name}.": f"features.{index}." for name, index in PORT_LAYERS.items()}
    names |= {f"{name}.": f"embeddings.{index}." for name, index in DENSE_LAYERS.items()}
    state = {}
    for key, value in own.items():
        name, _, part = key.removeprefix("convolutions.").rpartition(".")
        state[names[f"{name}."] + part if name else key] = value
    generator = torch.Generator().manual_seed(1)
    rotation, _ = torch.linalg.qr(torch.randn(128, 128, generator=generator, dtype=torch.float64))
    state["pca_eigen_vectors"] = rotation
    state["pca_means"] = torch.rand(128, generator=generator, dtype=torch.float64)
    return state


def test_vggish_pca_equals_its_authors_formula():
    state = published_vggish()
    patches = torch.from_numpy(backbone_spec("vggish_pca").inputs(noise_clips(2))).flatten(0, 1)
    with torch.no_grad():
        found = frozen_network("vggish_pca").build(state)(patches)[..., 0, 0].numpy()
        maps = frozen_network("vggish").build(state)(patches).double()
    values = torch.nn.functional.max_pool2d(maps, 2).movedim(1, -1).flatten(1).numpy()
    for index in DENSE_LAYERS.values():
        kernel, bias = (state[f"embeddings.{index}.{part}"].numpy() for part in ("weight", "bias"))
        values = np.maximum(values @ kernel.T.astype(float) + bias, 0)
    whitened = (state["pca_eigen_vectors"].numpy() @ (values - state["pca_means"].numpy()).T).T
    expected = ((np.clip(whitened, -2, 2) + 2) * (255 / 4)).astype(np.uint8)
    assert len(np.unique(expected)) > 20
    # A component near a border may fall on its other side, by rounding.
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 0.01


def test_vggish_pca_is_fetched_from_two_files(tmp_path):
    state = published_vggish()
    torch.save({key: state[key] for key in state if "pca" not in key}, tmp_path / "vggish.pth")
    np.savez(tmp_path / "pca.npz", **{k: v.numpy() for k, v in state.items() if "pca" in k})
    pca = Published("vggish_pca", "tried", "1", "numpy", "pca.npz", "", ())
    dense = Published("vggish", "tried", "1", "torch", "vggish.pth", "", ())
    output = tmp_path / "weights.safetensors"
    with pytest.raises(MafnetError, match=r"the VGGish weights lack features\.0"):
        fetch(pca, tmp_path, output)
    fetch(pca, tmp_path, output, also=dense)
    assert torch.equal(load_file(output)["fc2.bias"], state["embeddings.4.bias"])
