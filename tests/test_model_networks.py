"""The registry of networks, and what holds for each of them whatever its weights."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from mafnet.common.errors import MafnetError
from mafnet.model.networks import NETWORKS, build_network, network_spec
from mafnet.model.networks.blocks import BatchNorm, Features, Film, ResidualBlock

pytestmark = pytest.mark.usefixtures("one_thread")

BATCH, CLIPS, CLASSES, VISUAL, AUDIO = 6, 3, 5, 20, 8
ROUNDING = {"rtol": 1e-10, "atol": 1e-12}  # float64, sums of some thousand terms in another order


def build(name="mafnet", seed=0, **options):
    """A small float64 network whose running statistics have seen a few batches."""
    torch.manual_seed(seed)
    network = build_network(
        name,
        classes=CLASSES,
        visual_features=VISUAL,
        audio_features=AUDIO,
        options={"hidden": 16, "bn_momentum": 0.3} | options,
    ).double()
    for _ in range(3):
        network(batch())
    return network


def batch(size=BATCH):
    """Random features, nonnegative as those of the backbones."""
    visual = torch.rand(size, CLIPS, VISUAL, dtype=torch.float64)
    audio = torch.rand(size, CLIPS, 4, 3, AUDIO, dtype=torch.float64)
    maps = torch.rand(size, CLIPS, 2, 3, VISUAL, dtype=torch.float64)
    return Features(visual, audio, visual_maps=maps)


def each(function, features):
    """The features with a function applied to each tensor."""
    return Features(*(None if tensor is None else function(tensor) for tensor in features))


@pytest.fixture(params=NETWORKS)
def name(request):
    return request.param


@pytest.fixture(params=["two_layer", "one_layer"])
def score(request):
    return request.param


def test_paper_network_has_the_paper_count_of_parameters():
    network = build_network(
        "mafnet", classes=28, visual_features=1920, audio_features=512, options={}
    )
    assert sum(parameter.numel() for parameter in network.parameters()) == 6_130_773


def test_registry_is_read_without_torch():
    code = (
        "import sys; from mafnet.model.networks import network_spec;"
        "network_spec('mafnet'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_unknown_network_names_the_known_ones():
    with pytest.raises(MafnetError, match=r"'mafnett' is unknown.*mafnet, visual_only, audio_only"):
        network_spec("mafnett")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("hiden", 16),
        ("hidden", 0),
        ("bn_momentum", 0),
        ("bn_momentum", 1.5),
        ("bn_eps", 0),
        ("attention_score", "three_layer"),
    ],
)
def test_wrong_option_is_named(name, option, value):
    with pytest.raises(MafnetError, match=option):
        build(name, **{option: value})


def test_output_shapes(name):
    output = build(name)(batch())
    assert output.logits.shape == (BATCH, CLASSES)
    assert output.attention.shape == (BATCH, CLIPS, len(network_spec(name).inputs))


def test_network_reads_its_inputs_and_no_others(name):
    network, features = build(name).eval(), batch()
    needed = {field: getattr(features, field) for field in network_spec(name).inputs}
    torch.testing.assert_close(network(Features(**needed)).logits, network(features).logits)
    for field, values in needed.items():
        changed = network(features._replace(**{field: values + 1})).logits
        assert (changed - network(features).logits).abs().max() > 1e-3


def test_attention_is_a_distribution_over_clips_and_modalities(name, score):
    attention = build(name, attention_score=score)(batch()).attention
    assert (attention >= 0).all()
    torch.testing.assert_close(attention.sum((1, 2)), torch.ones(BATCH).double(), **ROUNDING)
    if name != "dmrn":  # it attends to places
        assert attention.std() > 1e-4  # the scores differ, so the sum is not that of a constant


def test_order_of_clips_matters_to_none_but_dmrn(name, score):
    network, features = build(name, attention_score=score).eval(), batch()
    order = torch.tensor([2, 0, 1])
    output = network(features)
    permuted = network(each(lambda tensor: tensor[:, order], features))
    if name == "dmrn":
        assert (permuted.logits - output.logits).abs().max() > 1e-3
        return
    torch.testing.assert_close(permuted.logits, output.logits, **ROUNDING)
    torch.testing.assert_close(permuted.attention, output.attention[:, order], **ROUNDING)


def test_pairing_of_clips_matters_to_mafnet():
    network, features = build().eval(), batch()
    shifted = network(features._replace(audio=features.audio.roll(1, dims=1)))
    assert (shifted.logits - network(features).logits).abs().max() > 1e-4


def test_videos_do_not_touch_each_other_in_inference(name):
    network, features = build(name).eval(), batch()
    alone = network(each(lambda tensor: tensor[:1], features))
    torch.testing.assert_close(alone.logits, network(features).logits[:1], **ROUNDING)


def test_videos_touch_each_other_in_training(name):
    network, features = build(name), batch()
    part = network(each(lambda tensor: tensor[:2], features))
    assert (part.logits - network(features).logits[:2]).abs().max() > 1e-3


def test_logits_are_normalised_over_the_batch_unless_told_not_to(name):
    normalised = build(name)(batch()).logits.mean(0)
    torch.testing.assert_close(normalised, torch.zeros_like(normalised), **ROUNDING)
    assert build(name, logits_bn=False)(batch()).logits.mean(0).abs().max() > 1e-3


def test_same_seed_same_weights(name):
    one, same, other = (build(name, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_weights_start_glorot_uniform_and_biases_at_zero(name):
    network = build(name, hidden=64)
    layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert layers
    for layer in layers:
        places = layer.weight[0, 0].numel()
        limit = (6 / (places * sum(layer.weight.shape[:2]))) ** 0.5
        assert layer.bias is None or (layer.bias == 0).all()
        # The largest of n uniform values is within 10 / n of the limit but for 1 draw in 20,000.
        largest = layer.weight.abs().max().item()
        assert limit * (1 - 10 / layer.weight.numel()) <= largest <= limit * (1 + 1e-6)


def test_film_with_zero_weights_is_no_film():
    torch.manual_seed(0)

    def norm(channels):
        return BatchNorm(channels)

    with_film = ResidualBlock(AUDIO, 16, norm, condition_features=VISUAL).double()
    without = ResidualBlock(AUDIO, 16, norm).double()
    missing, unexpected = without.load_state_dict(with_film.state_dict(), strict=False)
    assert not missing
    assert all(key.startswith("film.") for key in unexpected)
    maps, condition = batch().audio, batch().visual
    plain = without(maps)
    assert (with_film(maps, condition) - plain).abs().max() > 1e-3
    for parameter in with_film.film.parameters():
        nn.init.zeros_(parameter)
    torch.testing.assert_close(with_film(maps, condition), plain, **ROUNDING)


def test_film_scales_and_shifts_each_channel():
    film, maps = Film(1, 2), torch.rand(1, 2, 3, 3)
    film.generator.weight.data = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    film.generator.bias.data.zero_()
    expected = torch.stack((2 * maps[0, 0] + 3, 3 * maps[0, 1] + 4))[None]
    torch.testing.assert_close(film(maps, torch.ones(1, 1)), expected)


def test_batch_norm_keeps_the_biased_variance():
    """PyTorch's own layer would keep 6 / 5 of it."""
    norm = BatchNorm(2, momentum=0.25).double()
    x = torch.randn(6, 2, dtype=torch.float64) * 3 + 1
    y = norm(x)
    variance, mean = torch.var_mean(x, dim=0, correction=0)
    torch.testing.assert_close(norm.running_mean, 0.25 * mean, **ROUNDING)
    torch.testing.assert_close(norm.running_var, 0.75 + 0.25 * variance, **ROUNDING)
    torch.testing.assert_close(y, (x - mean) / (variance + norm.eps).sqrt(), **ROUNDING)


def test_batch_norm_takes_maps_over_places_too():
    norm, maps = BatchNorm(2).double(), torch.randn(4, 2, 3, 5, dtype=torch.float64)
    rows = maps.movedim(1, -1).reshape(-1, 2)
    torch.testing.assert_close(norm(maps).movedim(1, -1).reshape(-1, 2), norm(rows), **ROUNDING)


def trained_step(network, dropped):
    """One step of Adam as in training: a dropped step skips the visual path."""
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    functional.cross_entropy(network(batch()).logits, torch.arange(BATCH) % CLASSES).backward()
    if dropped:
        for parameter in network.visual_path():
            parameter.grad = None
    optimiser.step()
    return optimiser


def test_dropped_step_leaves_the_visual_path_and_moves_its_running_statistics():
    network = build()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    optimiser = trained_step(network, dropped=True)
    after = network.state_dict()
    kept = {key for key in before if torch.equal(before[key], after[key])}
    assert kept == {
        f"visual_dense.{key}"
        for key in ("linear.weight", "linear.bias", "norm.weight", "norm.bias")
    }
    assert all(parameter not in optimiser.state for parameter in network.visual_path())


def test_step_that_is_not_dropped_moves_every_layer(name):
    """Biases are left out: before a normalisation or the softmax their gradient is zero.

    Two steps, as Attention Cluster's alpha is only a length before its beta has moved.
    """
    network = build(name)
    before = [parameter.clone() for parameter in network.parameters()]
    trained_step(network, dropped=False)
    trained_step(network, dropped=False)
    for (key, parameter), old in zip(network.named_parameters(), before, strict=True):
        assert key.endswith("bias") or not torch.equal(parameter, old), key


@pytest.mark.parametrize("name", ["visual_only", "audio_only"])
def test_networks_of_one_modality_drop_nothing(name):
    assert build(name).visual_path() == []


def test_film_generator_learns_from_the_audio_path():
    network = build()
    network(batch()).logits.square().sum().backward()
    assert network.audio_block.film.generator.weight.grad.abs().max() > 0


def test_audio_maps_are_read_without_a_copy_and_stay_channels_last():
    block, seen = build().audio_block, []
    block.conv1x1.register_forward_hook(lambda _, inputs, output: seen.extend((*inputs, output)))
    block.film.register_forward_hook(lambda _, inputs, output: seen.append(output))
    features = batch()
    block(features.audio, features.visual)
    assert seen[0].data_ptr() == features.audio.data_ptr()
    assert all(maps.is_contiguous(memory_format=torch.channels_last) for maps in seen)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_mixed_precision_keeps_attention_logits_and_statistics_in_float32(name, dtype):
    """Features may be float16, as they are stored. bfloat16 has 8 bits: 0.4 % an operation."""
    network, features = build(name).float(), each(lambda tensor: tensor.to(dtype), batch())
    with torch.autocast("cpu", torch.bfloat16):
        network(features).logits.sum().backward()
        output = network.eval()(features)
    exact = network(each(torch.Tensor.float, features))
    assert {output.logits.dtype, output.attention.dtype} == {torch.float32}
    assert {value.dtype for value in network.buffers()} == {torch.float32, torch.int64}
    torch.testing.assert_close(output.attention.sum((1, 2)), torch.ones(BATCH))
    torch.testing.assert_close(output.attention, exact.attention, rtol=0.05, atol=0)
    torch.testing.assert_close(output.logits, exact.logits, rtol=0.05, atol=0.05)
