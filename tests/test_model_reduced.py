"""The residual block in bfloat16 on a CPU, and its parts."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.nn import functional

from mafnet.model.networks import reduced, spatial
from mafnet.model.networks.blocks import BatchNorm, ResidualBlock
from mafnet.model.networks.spatial import mean, modulated_mean, moments
from mafnet.model.networks.winograd import conv3x3, plan

pytestmark = pytest.mark.usefixtures("one_thread")

EXACT = {"rtol": 1e-10, "atol": 1e-11}  # float64; the transforms' numbers go up to 64
SIZES = [(12, 8), (7, 7), (1, 1), (3, 5), (4, 9), (2, 13)]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def small_chunks(monkeypatch):
    """Several chunks also for small maps."""
    monkeypatch.setattr(spatial, "CHUNK", 40)


def random(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


def plain_conv3x3(maps, weight, size):
    """torch's convolution of maps (PQ, N, C)."""
    images = maps.unflatten(0, size).permute(2, 3, 0, 1)
    return functional.conv2d(images, weight, padding=1).permute(2, 3, 0, 1).flatten(0, 1)


def relative_error(found, expected):
    return ((found.double() - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("size", SIZES)
def test_convolution_and_its_gradients_are_the_plain_ones(size):
    maps, weight = random(size[0] * size[1], 3, 5), random(6, 5, 3, 3)
    found, expected = conv3x3(maps, weight, size), plain_conv3x3(maps, weight, size)
    torch.testing.assert_close(found, expected, **EXACT)
    upstream = torch.randn_like(found)
    ours = torch.autograd.grad(found, (maps, weight), upstream)
    plain = torch.autograd.grad(expected, (maps, weight), upstream)
    torch.testing.assert_close(ours, plain, **EXACT)


def test_convolution_of_maps_without_a_gradient_gives_the_weights():
    maps, weight = torch.randn(15, 2, 4).double(), random(3, 4, 3, 3)
    found = torch.autograd.grad(conv3x3(maps, weight, (3, 5)).sum(), weight)
    expected = torch.autograd.grad(plain_conv3x3(maps, weight, (3, 5)).sum(), weight)
    torch.testing.assert_close(found, expected, **EXACT)


@pytest.mark.parametrize("size", SIZES)
def test_transforms_are_exact_in_bfloat16(size):
    """Otherwise they would add a rounding error that is the same everywhere."""
    short, long = (
        plan(size, dtype, torch.float32).bands for dtype in (torch.bfloat16, torch.double)
    )
    for found, exact in zip(short, long, strict=True):
        assert torch.equal(found.spread.double(), exact.spread)
        assert torch.equal(found.gather.double(), exact.gather)


def test_convolution_in_bfloat16_is_off_by_less_than_three_percent():
    """Measured: 1.8 % forward, 2.1 % for the maps, 1.5 % for the weights; plain bfloat16 0.4 %."""
    maps = torch.randn(96, 4, 64).relu().requires_grad_()
    weight = random(64, 64, 3, 3, dtype=torch.float32)
    upstream = torch.randn(96, 4, 64)
    expected = plain_conv3x3(maps.double(), weight.double(), (12, 8))
    exact = torch.autograd.grad(expected, (maps, weight), upstream.double())
    found = conv3x3(maps.bfloat16(), weight, (12, 8))
    ours = torch.autograd.grad(found, (maps, weight), upstream.bfloat16())
    assert ours[1].dtype == torch.float32
    errors = [
        relative_error(*pair) for pair in zip((found, *ours), (expected, *exact), strict=True)
    ]
    assert 0.001 < max(errors) < 0.03


def test_sums_over_positions_have_correct_gradients(small_chunks):
    maps, gain, shift = random(11, 3, 5), random(3, 5), random(3, 5)
    assert gradcheck(modulated_mean, (maps, gain, shift))
    assert gradcheck(moments, (maps,))
    assert gradcheck(mean, (maps,))


def test_sums_over_positions_are_those_of_plain_torch(small_chunks):
    maps, gain, shift = random(11, 3, 5), random(3, 5), random(3, 5)
    kept, average, variance = moments(maps)
    assert torch.equal(kept, maps)
    found = (average, variance, modulated_mean(maps, gain, shift), mean(maps))
    rows = maps.flatten(0, 1)
    expected = (
        rows.mean(0),
        rows.var(0, correction=0),
        (gain * maps + shift).relu().mean(0),
        maps.mean(0),
    )
    torch.testing.assert_close(found, expected, **EXACT)


def test_variance_of_bfloat16_maps_far_from_zero_does_not_cancel():
    """bfloat16 itself cannot tell 1000 from 1001, so the values are multiples of 8."""
    maps = (1000 + 8 * torch.randint(0, 2, (96, 8, 4))).bfloat16()
    _, average, variance = moments(maps)
    exact = maps.double().flatten(0, 1)
    torch.testing.assert_close(average.double(), exact.mean(0), rtol=1e-6, atol=0)
    torch.testing.assert_close(variance.double(), exact.var(0, correction=0), rtol=1e-4, atol=0)


@pytest.fixture(params=[7, None], ids=["film", "no film"])
def block(request):
    """A block whose running statistics have seen a few batches."""
    block = ResidualBlock(16, 32, lambda channels: BatchNorm(channels, momentum=0.3), request.param)
    nn.init.normal_(block.conv3x3.bias)
    nn.init.normal_(block.norm.weight)
    for _ in range(3):
        block(*inputs())
    reduced.install(block)
    return block


def inputs(dtype=torch.float32):
    """Maps with as many positions as audio maps have, and a condition."""
    return torch.rand(4, 2, 12, 8, 16, dtype=dtype), torch.rand(4, 2, 7, dtype=dtype)


def run(function, block, maps, condition):
    """Vectors, the gradients of the parameters, and the buffers afterwards; the block stays."""
    state = {name: value.clone() for name, value in block.state_dict().items()}
    block.zero_grad()
    vectors = function(maps, None if block.film is None else condition)
    (
        vectors * torch.linspace(-1, 1, vectors.numel(), dtype=vectors.dtype).view_as(vectors)
    ).sum().backward()
    gradients = {name: parameter.grad.clone() for name, parameter in block.named_parameters()}
    buffers = {name: value.clone() for name, value in block.named_buffers()}
    block.load_state_dict(state)
    return vectors, gradients, buffers


def reduced_run(block, maps, condition):
    with torch.autocast("cpu", torch.bfloat16):
        return run(block, block, maps, condition)


@pytest.mark.parametrize("training", [True, False])
def test_block_equals_the_plain_block_in_float64(block, training, monkeypatch):
    """Vectors, gradients, running statistics, in training and in inference."""
    block.double().train(training)
    maps, condition = inputs(torch.float64)
    expected = run(block, block, maps, condition)
    monkeypatch.setattr(reduced, "DTYPE", torch.float64)
    found = run(partial(reduced.residual_block, block), block, maps, condition)
    torch.testing.assert_close(found, expected, **EXACT)


@pytest.mark.parametrize("training", [True, False])
def test_block_in_bfloat16_is_near(block, training):
    """Measured: vectors 0.5 %; gradients up to 15 %, because ReLUs of values near zero switch."""
    block.train(training)
    maps, condition = inputs()
    vectors, gradients, buffers = run(block, block, maps, condition)
    short, short_gradients, short_buffers = reduced_run(block, maps, condition)
    assert short.dtype == torch.float32
    assert 1e-6 < relative_error(short, vectors.double()) < 0.02
    torch.testing.assert_close(short_buffers, buffers, rtol=0.02, atol=0.005)
    for name in gradients.keys() - {"conv3x3.bias"} if training else gradients:
        assert relative_error(short_gradients[name], gradients[name].double()) < 0.2, name


def test_block_accepts_features_as_they_are_stored(block):
    maps, condition = (tensor.half() for tensor in inputs())
    short, _, _ = reduced_run(block, maps, condition)
    long, _, _ = reduced_run(block, maps.float(), condition.float())
    assert torch.equal(short, long)


def test_networks_that_are_trained_compute_this_way_and_others_do_not(monkeypatch):
    """`install` changes the blocks of one network, under autocast only."""
    used = []
    monkeypatch.setattr(
        reduced, "residual_block", lambda *_: used.append(1) or torch.zeros(4, 2, 32)
    )
    maps, condition = inputs()
    norm = lambda channels: BatchNorm(channels)  # noqa: E731 - as networks pass it
    plain, swapped = ResidualBlock(16, 32, norm, 7), ResidualBlock(16, 32, norm, 7)
    reduced.install(swapped)
    with torch.autocast("cpu", torch.bfloat16):
        plain(maps, condition)
        assert not used
        swapped(maps, condition)
    assert len(used) == 1
    swapped(maps, condition)  # in float32 the plain way
    assert len(used) == 1
    assert plain.state_dict().keys() == swapped.state_dict().keys()
