"""The networks of all variants: equality with stored references, and common properties."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from support.small_networks import (
    AUDIO,
    BATCH,
    CLASSES,
    CLIPS,
    DIFFERENT,
    ROUNDING,
    VISUAL,
    batch,
    build,
    options_of,
    spec_of,
    warmed,
)
from torch import nn
from torch.nn import functional

from mafnet.model.networks.blocks import BatchNorm, Features, Film, ResidualBlock

pytestmark = pytest.mark.usefixtures("one_thread")

DATA = Path(__file__).parent / "data"
# Sums of some hundred terms in float32 in another order, amplified by the normalisations of a small
# batch. A changed formula moves logits by 1e-3 at least.
ANOTHER_ORDER = {"rtol": 1e-4, "atol": 1e-4}
# MCB takes a signed square root. Near zero it turns a rounding error of 1e-8 in the Fourier
# transform into 1e-4, and the normalisations amplify that: up to 7e-4 between two processors. A
# change of the fusion's formula moves logits by 1e-2 at least.
AFTER_SQUARE_ROOT = {"rtol": 3e-3, "atol": 3e-3}
UNIFORM = ("dmrn", "attention_none", "attention_none_block")
"""Variants whose attention over clips is constant."""


def load_generator():
    spec = importlib.util.spec_from_file_location("make_networks", DATA / "make_networks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_networks = load_generator()
REFERENCES = make_networks.load()


@pytest.fixture(params=DIFFERENT)
def name(request):
    return request.param


@pytest.fixture(params=["two_layer", "one_layer"])
def score(request):
    """A score to set, for the variants that have one."""
    return request.param


def with_score(name, score):
    fields = spec_of(name).options.model_fields
    return {"attention_score": score} if "attention_score" in fields else {}


def each(function, features):
    """The features with a function applied to each tensor."""
    return Features(*(None if tensor is None else function(tensor) for tensor in features))


# References


@pytest.mark.parametrize("case", make_networks.cases())
def test_network_equals_its_reference(case):
    """Weights by name, shape and order; how many numbers were drawn; logits and attention."""
    found, stored = make_networks.measure(*make_networks.cases()[case]), REFERENCES[case]
    tolerance = AFTER_SQUARE_ROOT if "mcb" in case else ANOTHER_ORDER
    assert list(found["shapes"].items()) == list(stored["shapes"].items())
    for exact in ("drawn", "visual_path"):
        assert found[exact] == stored[exact]
    for mode in ("train", "eval"):
        for output in ("logits", "attention"):
            key = f"{mode} {output}"
            np.testing.assert_allclose(found[key], stored[key], **tolerance, err_msg=key)


def test_every_variant_has_a_reference():
    assert set(DIFFERENT) <= set(REFERENCES) == set(make_networks.cases()), (
        "run python tests/data/make_networks.py and commit networks.npz"
    )


# Properties of every network


def test_output_shapes(name):
    output = build(name)(batch())
    assert output.logits.shape == (BATCH, CLASSES)
    modalities = spec_of(name).modalities(options_of(name))
    assert output.attention.shape == (BATCH, CLIPS, len(modalities))


def test_network_reads_its_inputs_and_no_others(name):
    network, features = warmed(name).eval(), batch()
    needed = {key: getattr(features, key) for key in spec_of(name).inputs(options_of(name))}
    torch.testing.assert_close(network(Features(**needed)).logits, network(features).logits)
    for key, values in needed.items():
        changed = network(features._replace(**{key: values.flip(-1)})).logits
        assert (changed - network(features).logits).abs().max() > 1e-3


def test_attention_is_a_distribution_over_clips_and_modalities(name, score):
    attention = build(name, seed=1, **with_score(name, score))(batch()).attention
    assert (attention >= 0).all()
    torch.testing.assert_close(attention.sum((1, 2)), torch.ones(BATCH).double(), **ROUNDING)
    # The scores differ, so this is not the sum of constants.
    assert (attention.std() < 1e-12) if name in UNIFORM else (attention.std() > 1e-4)


def test_order_of_clips_matters_only_to_dmrn(name, score):
    network, features = warmed(name, **with_score(name, score)).eval(), batch()
    order = torch.tensor([2, 0, 1])
    output = network(features)
    permuted = network(each(lambda tensor: tensor[:, order], features))
    if name == "dmrn":
        assert (permuted.logits - output.logits).abs().max() > 1e-3
        return
    torch.testing.assert_close(permuted.logits, output.logits, **ROUNDING)
    torch.testing.assert_close(permuted.attention, output.attention[:, order], **ROUNDING)


def test_videos_do_not_affect_each_other_in_inference(name):
    network, features = warmed(name).eval(), batch()
    alone = network(each(lambda tensor: tensor[:1], features))
    torch.testing.assert_close(alone.logits, network(features).logits[:1], **ROUNDING)


@pytest.fixture
def with_norm(name):
    """A variant whose network has batch normalisation."""
    if "logits_bn" not in spec_of(name).options.model_fields:
        pytest.skip("has no batch normalisation")
    return name


def test_videos_affect_each_other_in_training(with_norm):
    network, features = build(with_norm, logits_bn=True), batch()
    part = network(each(lambda tensor: tensor[:2], features))
    assert (part.logits - network(features).logits[:2]).abs().max() > 1e-3


def test_logits_are_normalised_over_the_batch_only_with_logits_bn(with_norm):
    normalised = build(with_norm, logits_bn=True)(batch()).logits.mean(0)
    torch.testing.assert_close(normalised, torch.zeros_like(normalised), **ROUNDING)
    assert build(with_norm, logits_bn=False)(batch()).logits.mean(0).abs().max() > 1e-3


def test_weights_start_glorot_uniform_and_biases_at_zero(name):
    network = build(name)
    layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert layers
    for layer in layers:
        positions = layer.weight[0, 0].numel()
        limit = (6 / (positions * sum(layer.weight.shape[:2]))) ** 0.5
        assert layer.bias is None or (layer.bias == 0).all()
        # The largest of n uniform values is within 10 / n of the limit, except once in 20,000.
        largest = layer.weight.abs().max().item()
        assert limit * (1 - 10 / layer.weight.numel()) <= largest <= limit * (1 + 1e-6)


def test_every_parameter_has_a_gradient(name):
    """The gradient of a bias before a normalisation or a softmax is zero."""
    network = build(name).train()
    if name == "attention_cluster":  # alpha is only a length while beta is zero
        nn.init.constant_(network.visual_cluster.beta, 0.1)
        nn.init.constant_(network.audio_cluster.beta, 0.1)
    functional.cross_entropy(network(batch()).logits, torch.arange(BATCH) % CLASSES).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert key.endswith("bias") or parameter.grad.abs().max() > 0, key


def test_saved_weights_are_the_whole_network(name):
    """Fixed random projections are buffers: another seed draws others, loading restores them."""
    features = batch()
    network, other = build(name, seed=1).eval(), build(name, seed=2).eval()
    expected = network(features).logits
    assert (other(features).logits - expected).abs().max() > 1e-6
    other.load_state_dict(load(save(network.state_dict())))
    assert torch.equal(other(features).logits, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_mixed_precision_keeps_attention_logits_and_statistics_in_float32(name, dtype):
    """Features may be float16, as they are stored. bfloat16 has 8 bits: 0.4 % an operation."""
    network, features = warmed(name).float(), each(lambda tensor: tensor.to(dtype), batch())
    with torch.autocast("cpu", torch.bfloat16):
        network(features).logits.sum().backward()
        output = network.eval()(features)
    exact = network(each(torch.Tensor.float, features))
    assert {output.logits.dtype, output.attention.dtype} == {torch.float32}
    assert {value.dtype for value in network.buffers()} <= {torch.float32, torch.int64}
    torch.testing.assert_close(output.attention.sum((1, 2)), torch.ones(BATCH))
    torch.testing.assert_close(output.attention, exact.attention, rtol=0.05, atol=0)
    torch.testing.assert_close(output.logits, exact.logits, rtol=0.05, atol=0.05)


# Update dropping


def trained_step(network, dropped):
    """One step of Adam as in training: a dropped step skips the visual path."""
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    functional.cross_entropy(network(batch()).logits, torch.arange(BATCH) % CLASSES).backward()
    if dropped:
        for parameter in network.visual_path():
            parameter.grad = None
    optimiser.step()
    return optimiser


def test_dropped_step_updates_only_the_running_statistics_of_the_visual_path():
    network = warmed("mafnet")
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

    Two steps, because Attention Cluster's alpha is only a length before its beta has moved.
    """
    network = warmed(name)
    before = [parameter.clone() for parameter in network.parameters()]
    trained_step(network, dropped=False)
    trained_step(network, dropped=False)
    for (key, parameter), old in zip(network.named_parameters(), before, strict=True):
        assert key.endswith("bias") or not torch.equal(parameter, old), key


def test_networks_without_two_paths_have_no_visual_path_to_drop():
    for variant in ("visual_only", "audio_only", "attention_cluster", "dmrn"):
        assert build(variant).visual_path() == []


# FiLM and normalisation


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


def test_warm_running_statistics_are_the_mean_over_batches_until_the_momentum_is_larger():
    norm = BatchNorm(2, momentum=0.3, warmup=True).double()
    batches = [torch.randn(6, 2, dtype=torch.float64) + shift for shift in range(5)]
    means = [x.mean(0) for x in batches]
    for x in batches[:3]:  # shares 1, 1/2, 1/3
        norm(x)
    torch.testing.assert_close(norm.running_mean, sum(means[:3]) / 3, **ROUNDING)
    variances = [x.var(0, correction=0) for x in batches[:3]]
    torch.testing.assert_close(norm.running_var, sum(variances) / 3, **ROUNDING)
    warm = norm.running_mean.clone()
    norm(batches[3])  # the share 1/4 is below the momentum
    torch.testing.assert_close(norm.running_mean, 0.7 * warm + 0.3 * means[3], **ROUNDING)
    saved = BatchNorm(2, momentum=0.3, warmup=True).double()
    saved.load_state_dict(norm.state_dict())
    saved(batches[4])
    norm(batches[4])
    assert torch.equal(saved.running_mean, norm.running_mean)


def test_batch_norm_takes_maps_over_positions_too():
    norm, maps = BatchNorm(2).double(), torch.randn(4, 2, 3, 5, dtype=torch.float64)
    rows = maps.movedim(1, -1).reshape(-1, 2)
    torch.testing.assert_close(norm(maps).movedim(1, -1).reshape(-1, 2), norm(rows), **ROUNDING)


def test_audio_maps_are_read_without_a_copy_and_stay_channels_last():
    block, seen = build("mafnet").audio_block, []
    block.conv1x1.register_forward_hook(lambda _, inputs, output: seen.extend((*inputs, output)))
    block.film.register_forward_hook(lambda _, inputs, output: seen.append(output))
    features = batch()
    block(features.audio, features.visual)
    assert seen[0].data_ptr() == features.audio.data_ptr()
    assert all(maps.is_contiguous(memory_format=torch.channels_last) for maps in seen)
