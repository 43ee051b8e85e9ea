"""Fusions (paper, table 2) against their formulas, term by term."""

import numpy as np
import pytest
import torch

from mafnet.model.networks.fusions import (
    CompactBilinear,
    ResidualFusion,
    addition,
    concatenation,
)

BATCH = 6
ROUNDING = {"rtol": 1e-10, "atol": 1e-12}  # float64, sums of a few terms in another order


def test_concatenation_has_the_visual_vector_first():
    vectors = torch.rand(BATCH, 2, 16)
    fused = concatenation(vectors)
    assert torch.equal(fused, torch.cat((vectors[:, 0], vectors[:, 1]), dim=1))


def test_addition_is_the_sum():
    vectors = torch.rand(BATCH, 2, 16)
    assert torch.equal(addition(vectors), vectors[:, 0] + vectors[:, 1])


def sketched_outer_product(fusion, visual, audio):
    """The count sketch of the outer product, term by term."""
    one, two = fusion.visual_sketch, fusion.audio_sketch
    sums = np.zeros(fusion.size)
    for i, v in enumerate(visual.numpy()):
        for j, a in enumerate(audio.numpy()):
            index = (one.places[i] + two.places[j]) % fusion.size
            sums[index] += one.signs[i] * two.signs[j] * v * a
    return sums


@pytest.mark.parametrize("size", [64, 65])
def test_compact_bilinear_pooling_is_a_sketch_of_the_outer_product(size):
    torch.manual_seed(0)
    fusion = CompactBilinear(10, size).double()
    vectors = torch.randn(3, 2, 10, dtype=torch.float64)
    sums = np.stack([sketched_outer_product(fusion, *pair) for pair in vectors])
    roots = np.sign(sums) * np.sqrt(np.abs(sums))
    expected = roots / np.linalg.norm(roots, axis=1, keepdims=True)
    # The root's epsilon of 1e-8 moves a sum of size s by less than sqrt(1e-8).
    np.testing.assert_allclose(fusion(vectors).numpy(), expected, rtol=0, atol=1e-4)


def test_compact_bilinear_pooling_is_exact_under_autocast():
    torch.manual_seed(0)
    fusion, vectors = CompactBilinear(16), torch.randn(BATCH, 2, 16)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = fusion(vectors)
    assert torch.equal(mixed, fusion(vectors))


def test_compact_bilinear_pooling_of_nothing_has_a_finite_gradient():
    torch.manual_seed(0)
    vectors = torch.zeros(BATCH, 2, 16, requires_grad=True)
    fused = CompactBilinear(16)(vectors)
    fused.sum().backward()
    assert torch.equal(fused, torch.zeros_like(fused))
    assert vectors.grad.isfinite().all()


def test_residual_fusion_follows_its_formula():
    torch.manual_seed(0)
    fusion = ResidualFusion(4).double()
    vectors = torch.randn(BATCH, 2, 4, dtype=torch.float64)
    visual, audio = vectors[:, 0], vectors[:, 1]

    def inner(layers, x):
        hidden = (x @ layers[0].weight.T + layers[0].bias).tanh()
        return hidden @ layers[2].weight.T + layers[2].bias

    common = (inner(fusion.visual, visual) + inner(fusion.audio, audio)) / 2
    expected = ((visual + common).tanh() + (audio + common).tanh()) / 2
    torch.testing.assert_close(fusion(vectors), expected, **ROUNDING)
