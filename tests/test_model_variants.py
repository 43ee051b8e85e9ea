"""The variants of the paper's tables: sizes and characteristic properties."""

import pytest
import torch
from support.small_networks import (
    AUDIO,
    BATCH,
    CLIPS,
    CONFIG,
    ROUNDING,
    VARIANTS,
    VISUAL,
    batch,
    build,
    spec_of,
)

from mafnet.model.networks import build_network
from mafnet.model.networks.attention_cluster import Cluster
from mafnet.model.networks.dmrn import AudioGuidedAttention

pytestmark = pytest.mark.usefixtures("one_thread")

NO_FILM_BLOCK = 6_130_773 - 1_967_104  # MAFnet without its FiLM generator
AUDIO_BLOCK = 262_656 + 2_359_808 + 1_024
NO_FILM = NO_FILM_BLOCK - AUDIO_BLOCK
VISUAL_BLOCK = (1_920 * 512 + 512) + 2_359_808 + 1_024
VISUAL_FILM = 512 * 1_024 + 1_024
DENSE = 262_656 + 1_024  # 512 to 512 with its BN
TOP = (262_656 + 513) + (1_024 * 28 + 28) + 56  # attention, classifier, BN of the logits
LSTMS = sum(2 * 4 * 128 * (size + 128 + 2) for size in (1_920, 512))


@pytest.mark.parametrize(
    ("variant", "count"),
    [
        ("mafnet", 6_130_773),
        ("mafnet_plus", 4 * (983_552 + 262_656 + 2 * (1_024 + 1_025) + 2 * (512 * 28 + 28))),
        ("visual_only", 1_920 * 512 + 512 + 1_024 + TOP - 512 * 28),
        ("audio_only", DENSE + TOP - 512 * 28),
        ("audio_only_block", AUDIO_BLOCK + DENSE + TOP - 512 * 28),
        ("no_film", NO_FILM),
        ("fusion_addition", NO_FILM - 512 * 28),
        ("fusion_mcb", NO_FILM + (16_000 - 1_024) * 28),
        ("fusion_dmr", NO_FILM - 512 * 28 + 4 * 262_656),
        ("attention_temporal", NO_FILM),
        ("attention_modality", NO_FILM),
        ("attention_none", NO_FILM - 262_656 - 513),
        ("no_film_block", NO_FILM_BLOCK),
        ("fusion_mcb_block", NO_FILM_BLOCK + (16_000 - 1_024) * 28),
        ("fusion_dmr_block", NO_FILM_BLOCK - 512 * 28 + 4 * 262_656),
        ("attention_none_block", NO_FILM_BLOCK - 262_656 - 513),
        ("film_none", VISUAL_BLOCK + AUDIO_BLOCK + 2 * DENSE + TOP),
        ("film_both", VISUAL_BLOCK + VISUAL_FILM + AUDIO_BLOCK + 1_967_104 + 2 * DENSE + TOP),
        ("film_visual", VISUAL_BLOCK + VISUAL_FILM + 2 * DENSE + TOP),
        ("attention_cluster", 32 * 2_432 + 64 + 2 * 64 + 32 * 2_432 * 28 + 28),
        ("dmrn", 983_552 + 262_656 + 2 * 512 * 49 + 49 + LSTMS + 4 * 65_792 + 256 * 28 + 28),
    ],
)
def test_networks_have_as_many_parameters_as_their_equations(variant, count):
    network = build_network(
        spec_of(variant).name,
        classes=28,
        visual_features=1920,
        audio_features=512,
        options=VARIANTS[variant].get("options", {}),
    )
    assert sum(parameter.numel() for parameter in network.parameters()) == count


# Attention: table 3


@pytest.mark.parametrize(
    ("variant", "axis", "total"),
    [("attention_temporal", 1, 1 / 2), ("attention_modality", 2, 1 / CLIPS)],
)
def test_attention_along_one_axis_has_equal_weights_along_the_other(variant, axis, total):
    attention = build(variant)(batch()).attention
    sums = attention.sum(axis)
    torch.testing.assert_close(sums, torch.full_like(sums, total), **ROUNDING)
    assert attention.std(axis).min() > 0
    other = attention.sum(3 - axis)
    assert other.std(1).min() > 0  # along both axes it would sum to one constant


def test_no_attention_has_equal_weights():
    attention = build("attention_none")(batch()).attention
    torch.testing.assert_close(attention, torch.full_like(attention, 1 / (2 * CLIPS)), **ROUNDING)


@pytest.mark.parametrize(
    ("variant", "matters"),
    [
        ("no_film", False),
        ("attention_none", False),
        ("attention_temporal", False),
        ("attention_modality", True),
        ("attention_cluster", False),
        ("mafnet", True),
        ("film_none", False),
        ("film_visual", True),
        ("film_both", True),
    ],
)
def test_only_film_and_modality_attention_depend_on_the_pairs_of_clips(variant, matters):
    network, features = build(variant).eval(), batch()
    shifted = network(features._replace(audio=features.audio.roll(1, dims=1)))
    change = (shifted.logits - network(features).logits).abs().max()
    assert (change > 1e-6) if matters else (change < 1e-12)


# FiLM: table 4, and the update that is dropped: figure 6


@pytest.mark.parametrize("variant", ["film_visual", "film_both", "film_none"])
def test_film_with_zero_weights_is_a_residual_block_without(variant):
    network, features = build(variant).eval(), batch()
    before = network(features).logits
    for name, parameter in network.named_parameters():
        if ".film." in name:
            torch.nn.init.zeros_(parameter)
    changed = (network(features).logits - before).abs().max()
    assert (changed > 1e-6) == (variant != "film_none")


def test_drop_rates_are_those_of_figure_6():
    rates = [
        VARIANTS[name]
        .get("training", {})
        .get("drop_rate", CONFIG["model"]["training"]["drop_rate"])
        for name in CONFIG["report"]["studies"]["drop_rate"]
    ]
    assert rates == [n / 10 for n in range(10)]


# Baselines: table 1


def test_cluster_follows_its_formula():
    torch.manual_seed(0)
    cluster, vectors = Cluster(7, 4).double(), torch.rand(BATCH, CLIPS, 7, dtype=torch.float64)
    torch.nn.init.normal_(cluster.alpha)
    torch.nn.init.normal_(cluster.beta)
    fused, attention = cluster(vectors)
    torch.testing.assert_close(attention.sum(1), torch.ones(BATCH, 4).double(), **ROUNDING)
    for k in range(4):
        weights = (vectors @ cluster.score.weight[k] + cluster.score.bias[k]).softmax(1)
        attended = torch.einsum("bt,btd->bd", weights, vectors)
        shifted = cluster.alpha[k] * attended + cluster.beta[k]
        expected = shifted / (2 * shifted.norm(dim=1, keepdim=True))
        torch.testing.assert_close(fused[:, 7 * k : 7 * k + 7], expected, **ROUNDING)


def test_attention_cluster_has_dropout_only_in_training():
    network, features = build("attention_cluster"), batch()
    assert not torch.equal(network(features).logits, network(features).logits)
    network.eval()
    assert torch.equal(network(features).logits, network(features).logits)


def test_audio_guides_the_attention_of_dmrn_to_positions():
    torch.manual_seed(0)
    guide = AudioGuidedAttention(VISUAL, AUDIO, 16).double()
    maps = torch.rand(BATCH, CLIPS, 6, VISUAL, dtype=torch.float64)
    audio = torch.rand(BATCH, CLIPS, AUDIO, dtype=torch.float64)
    attention = guide(maps, audio)
    torch.testing.assert_close(attention.sum(2), torch.ones(BATCH, CLIPS).double(), **ROUNDING)
    order = torch.randperm(6)
    torch.testing.assert_close(guide(maps[:, :, order], audio), attention[:, :, order], **ROUNDING)
    assert (guide(maps, audio + 1) - attention).abs().max() > 1e-3
