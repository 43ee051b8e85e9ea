"""The networks of the paper's tables: sizes, and what makes each the one that it is."""

from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load, save

from mafnet.common.errors import MafnetError
from mafnet.features.config import FeaturesSection
from mafnet.model.config import ModelSection, Variant, VariantOptions
from mafnet.model.networks import COMMON_OPTIONS, NETWORKS, build_network
from mafnet.model.networks.attention_cluster import Cluster
from mafnet.model.networks.attentions import ATTENTIONS
from mafnet.model.networks.blocks import Features
from mafnet.model.networks.dmrn import AudioGuidedAttention
from mafnet.model.networks.fusions import FUSIONS
from mafnet.plan.names import unknown_names
from mafnet.report.config import ReportSection

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
VARIANTS = CONFIG["model"]["variants"]
BATCH, CLIPS, CLASSES, VISUAL, AUDIO = 6, 3, 5, 20, 8
ROUNDING = {"rtol": 1e-10, "atol": 1e-12}  # float64, sums of some thousand terms in another order

NO_FILM = 6_130_773 - 1_967_104  # MAFnet without its FiLM generator
AUDIO_BLOCK = 262_656 + 2_359_808 + 1_024
VISUAL_BLOCK = (1_920 * 512 + 512) + 2_359_808 + 1_024
VISUAL_FILM = 512 * 1_024 + 1_024
DENSE = 262_656 + 1_024  # 512 to 512 with its BN
TOP = (262_656 + 513) + (1_024 * 28 + 28) + 56  # attention, classifier, BN of the logits
LSTMS = sum(2 * 4 * 128 * (size + 128 + 2) for size in (1_920, 512))


def build(variant, seed=0, **options):
    """A small float64 network of a variant of config.yaml, not yet trained."""
    torch.manual_seed(seed)
    own = {"hidden": 16, "bn_momentum": 0.3} | VARIANTS[variant].get("options", {}) | options
    network = build_network(
        VARIANTS[variant]["network"],
        classes=CLASSES,
        visual_features=VISUAL,
        audio_features=AUDIO,
        options=own,
    )
    return network.double()


def batch():
    """Random features, nonnegative as those of the backbones."""
    return Features(
        visual=torch.rand(BATCH, CLIPS, VISUAL, dtype=torch.float64),
        audio=torch.rand(BATCH, CLIPS, 4, 3, AUDIO, dtype=torch.float64),
        visual_maps=torch.rand(BATCH, CLIPS, 2, 3, VISUAL, dtype=torch.float64),
    )


@pytest.mark.parametrize(
    ("variant", "count"),
    [
        ("mafnet", 6_130_773),
        ("mafnet_plus", 6_130_773 - 56),
        ("no_film", NO_FILM),
        ("fusion_addition", NO_FILM - 512 * 28),
        ("fusion_mcb", NO_FILM + (16_000 - 1_024) * 28),
        ("fusion_dmr", NO_FILM - 512 * 28 + 4 * 262_656),
        ("attention_temporal", NO_FILM),
        ("attention_modality", NO_FILM),
        ("attention_none", NO_FILM - 262_656 - 513),
        ("film_none", VISUAL_BLOCK + AUDIO_BLOCK + 2 * DENSE + TOP),
        ("film_both", VISUAL_BLOCK + VISUAL_FILM + AUDIO_BLOCK + 1_967_104 + 2 * DENSE + TOP),
        ("film_visual", VISUAL_BLOCK + VISUAL_FILM + 2 * DENSE + TOP),
        ("attention_cluster", 32 * 2_432 + 64 + 2 * 64 + 32 * 2_432 * 28 + 28),
        ("dmrn", 983_552 + 262_656 + 2 * 512 * 49 + 49 + LSTMS + 4 * 65_792 + 256 * 28 + 28),
    ],
)
def test_networks_have_as_many_parameters_as_their_equations(variant, count):
    network = build_network(
        VARIANTS[variant]["network"],
        classes=28,
        visual_features=1920,
        audio_features=512,
        options=VARIANTS[variant].get("options", {}),
    )
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_of_every_variant_has_a_gradient(variant):
    """Before a normalisation or in a softmax that of a bias is zero; alpha's is while beta is."""
    network = build(variant).train()
    if VARIANTS[variant]["network"] == "attention_cluster":
        torch.nn.init.constant_(network.visual_cluster.beta, 0.1)
        torch.nn.init.constant_(network.audio_cluster.beta, 0.1)
    output = network(batch())
    assert output.logits.shape == (BATCH, CLASSES)
    torch.nn.functional.cross_entropy(output.logits, torch.arange(BATCH) % CLASSES).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert name.endswith("bias") or parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("variant", VARIANTS)
def test_saved_weights_are_the_whole_network(variant):
    """Fixed random projections are buffers: another seed draws others, and loading mends it."""
    features = batch()
    network, other = build(variant, seed=1).eval(), build(variant, seed=2).eval()
    expected = network(features).logits
    assert (other(features).logits - expected).abs().max() > 1e-6
    other.load_state_dict(load(save(network.state_dict())))
    assert torch.equal(other(features).logits, expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_keeps_its_numbers_in_mixed_precision(variant):
    """bfloat16 has 8 bits: 0.4 % an operation, of attention scores and logits of about 1."""
    network = build(variant).eval().float()
    features = Features(*(x if x is None else x.float() for x in batch()))
    exact = network(features)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = network(features)
    assert {mixed.logits.dtype, mixed.attention.dtype} == {torch.float32}
    torch.testing.assert_close(mixed.attention, exact.attention, rtol=0.05, atol=0)
    torch.testing.assert_close(mixed.logits, exact.logits, rtol=0.05, atol=0.05)


def test_every_option_is_known_without_torch():
    for spec in NETWORKS.values():
        module, _, attribute = spec.location.partition(":")
        options = getattr(import_module(module), attribute).Options
        assert tuple(field.name for field in fields(options)) == (
            *COMMON_OPTIONS,
            *spec.own_options,
        )


def test_every_option_is_explained_by_the_schema():
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    assert set(schema["$defs"]["NetworkOptions"]["properties"]) == set(COMMON_OPTIONS)
    explained = schema["$defs"]["VariantOptions"]["properties"]
    own = {option for spec in NETWORKS.values() for option in spec.own_options}
    assert set(explained) == {*COMMON_OPTIONS, *own}
    assert explained["fusion"]["enum"] == list(FUSIONS)
    assert explained["attention"]["enum"] == list(ATTENTIONS)


def test_option_of_another_network_is_refused_before_any_work():
    options = VariantOptions(fusion="mcb")
    model = ModelSection(variants={"mafnet": Variant(network="mafnet", options=options)})
    table = ROOT / "resources/weights.tsv"
    (fault,) = unknown_names(FeaturesSection(), model, ReportSection(), table)
    assert "model.variants.mafnet.options.fusion: network mafnet has no such option" in fault


@pytest.mark.parametrize(
    ("variant", "option", "value"),
    [
        ("no_film", "fusion", "sum"),
        ("no_film", "attention", "space"),
        ("attention_cluster", "units", 0),
        ("attention_cluster", "dropout", 1),
    ],
)
def test_wrong_value_of_an_option_is_named(variant, option, value):
    with pytest.raises(MafnetError, match=f"network option {option} is"):
        build(variant, **{option: value})


# Attention: table 3


@pytest.mark.parametrize(
    ("variant", "axis", "total"),
    [("attention_temporal", 1, 1 / 2), ("attention_modality", 2, 1 / CLIPS)],
)
def test_attention_along_one_axis_weighs_the_other_alike(variant, axis, total):
    attention = build(variant)(batch()).attention
    sums = attention.sum(axis)
    torch.testing.assert_close(sums, torch.full_like(sums, total), **ROUNDING)
    assert attention.std(axis).min() > 0
    other = attention.sum(3 - axis)
    assert other.std(1).min() > 0  # along both axes it would sum to one constant


def test_no_attention_weighs_all_alike():
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
def test_only_film_and_modality_attention_see_which_clips_go_together(variant, matters):
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


@pytest.mark.parametrize("variant", ["no_film", "film_none", "film_visual", "film_both"])
def test_visual_path_is_what_shapes_the_visual_vectors(variant):
    network = build(variant)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    path = {names[id(parameter)] for parameter in network.visual_path()}
    assert path == {name for name in names.values() if name.startswith("visual_")}


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


def test_attention_cluster_drops_out_in_training_alone():
    network, features = build("attention_cluster"), batch()
    assert not torch.equal(network(features).logits, network(features).logits)
    network.eval()
    assert torch.equal(network(features).logits, network(features).logits)


def test_sound_guides_the_attention_of_dmrn_to_places():
    torch.manual_seed(0)
    guide = AudioGuidedAttention(VISUAL, AUDIO, 16).double()
    maps = torch.rand(BATCH, CLIPS, 6, VISUAL, dtype=torch.float64)
    sound = torch.rand(BATCH, CLIPS, AUDIO, dtype=torch.float64)
    attention = guide(maps, sound)
    torch.testing.assert_close(attention.sum(2), torch.ones(BATCH, CLIPS).double(), **ROUNDING)
    order = torch.randperm(6)
    torch.testing.assert_close(guide(maps[:, :, order], sound), attention[:, :, order], **ROUNDING)
    assert (guide(maps, sound + 1) - attention).abs().max() > 1e-3
