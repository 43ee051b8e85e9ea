"""The networks of the paper's tables: sizes, and what makes each the one that it is."""

from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from made_features import made_samples, write_features
from safetensors.torch import load, save

from mafnet.dataset.manifest import write_manifest
from mafnet.dataset.samples import Data
from mafnet.errors import MafnetError
from mafnet.files import read_json
from mafnet.model.evaluate import evaluate
from mafnet.model.networks import COMMON_OPTIONS, NETWORKS, build_network, network_spec
from mafnet.model.networks.attention_cluster import Cluster
from mafnet.model.networks.blocks import Features
from mafnet.model.networks.dmrn import AudioGuidedAttention
from mafnet.model.networks.fusions import FUSIONS, CompactBilinear, ResidualFusion
from mafnet.model.settings import RunSettings, Training
from mafnet.model.train import train
from mafnet.names import unknown_names

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


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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


def test_every_option_is_known_without_torch():
    for spec in NETWORKS.values():
        module, _, attribute = spec.location.partition(":")
        options = getattr(import_module(module), attribute).Options
        assert tuple(field.name for field in fields(options)) == (
            *COMMON_OPTIONS,
            *spec.own_options,
        )


def test_option_of_another_network_is_refused_before_any_work():
    model = CONFIG["model"] | {
        "variants": {"mafnet": {"network": "mafnet", "options": {"fusion": "mcb"}}},
        "network": {"film": True},
    }
    report = {"studies": {}}
    sections = {"features": CONFIG["features"], "model": model, "report": report}
    first, second = unknown_names(sections, ROOT / "resources/weights.tsv")
    assert "model.variants.mafnet.options.fusion: network mafnet has no such option" in first
    assert "model.network.film: is not for all networks" in second


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


# Fusion: table 2


@pytest.mark.parametrize("name", FUSIONS)
def test_fusion_gives_the_size_that_it_says(name):
    torch.manual_seed(0)
    fusion = FUSIONS[name](16)
    assert fusion(torch.rand(BATCH, 2, 16)).shape == (BATCH, fusion.features)


def test_concatenation_has_the_visual_vector_first():
    vectors = torch.rand(BATCH, 2, 16)
    fused = FUSIONS["concatenation"](16)(vectors)
    assert torch.equal(fused, torch.cat((vectors[:, 0], vectors[:, 1]), dim=1))


def test_addition_is_the_sum():
    vectors = torch.rand(BATCH, 2, 16)
    assert torch.equal(FUSIONS["addition"](16)(vectors), vectors[:, 0] + vectors[:, 1])


def sketched_outer_product(fusion, visual, audio):
    """The count sketch of the outer product, term by term."""
    one, two = fusion.visual_sketch, fusion.audio_sketch
    sums = np.zeros(fusion.features)
    for i, v in enumerate(visual.numpy()):
        for j, a in enumerate(audio.numpy()):
            place = (one.places[i] + two.places[j]) % fusion.features
            sums[place] += one.signs[i] * two.signs[j] * v * a
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


# The visual maps, from the feature file to a run


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Manifest and feature files of a few made-up videos, the visual ones with and without maps."""
    root = tmp_path_factory.mktemp("maps")
    samples = made_samples({"train": 2, "val": 1, "test": 1})
    write_manifest(samples, root / "manifest.csv")
    for name in ("visual", "visual_maps", "audio"):
        write_features(root, samples, name.removesuffix("_maps"), name=name)
    return root


def test_maps_are_packed_beside_their_means(packed):
    data = Data(packed / "manifest.csv", [packed / "visual_maps.h5"], None)
    found = data.read(np.array([0, 3]), ["visual", "visual_maps"])
    assert found["visual_maps"].shape == (2, 2, 7, 7, 1920)
    means = found["visual_maps"].mean(axis=(2, 3), dtype=np.float32)
    np.testing.assert_allclose(found["visual"], means, rtol=1e-3)  # float16


def test_file_without_maps_says_which_to_give(packed):
    data = Data(packed / "manifest.csv", [packed / "visual.h5"], None)
    with pytest.raises(
        MafnetError, match=r"visual.h5: holds no maps; give the file visual_maps.h5"
    ):
        data.read(np.array([0]), ["visual_maps"])


def test_network_on_visual_maps_trains_and_is_evaluated(packed, tmp_path):
    data = Data(packed / "manifest.csv", [packed / "visual_maps.h5", packed / "audio.h5"], None)
    settings = RunSettings(
        variant="dmrn", network="dmrn", options={"hidden": 8}, seed=0, classes=data.classes,
        training=replace(Training(), max_epochs=1), clips=data.clips,
        features={name: file.fingerprint for name, file in data.files.items()},
    )  # fmt: skip
    train(settings, data, tmp_path, torch.device("cpu"))
    evaluate(tmp_path, data, 4, 2, "main", torch.device("cpu"))
    assert read_json(tmp_path / "metrics.json")["samples"] == 3
    with np.load(tmp_path / "attention.npz") as found:
        assert list(found["modality"]) == list(network_spec("dmrn").modalities)
        assert found["attention"].shape == found["valid"].shape == (3, 2, 2)
