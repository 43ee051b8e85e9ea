"""Options of the networks: valid combinations, the record of a run, and messages."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch
import yaml
from support.made_features import made_data, made_samples
from support.small_networks import BATCH, CLASSES, CLIPS, CONFIG, SIZES, batch

from mafnet.common.errors import MafnetError
from mafnet.common.files import read_json
from mafnet.model.config import Evaluation, Training
from mafnet.model.evaluate import evaluate
from mafnet.model.networks import FORMER, NETWORKS, build_network, network_spec
from mafnet.model.networks.attentions import ATTENTION_SCORES
from mafnet.model.networks.options import MAFnetOptions
from mafnet.model.settings import RunSettings
from mafnet.model.train import train
from mafnet.plan.config import check_config
from mafnet.plan.stages import Plan

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
COMPLETE = [name for name in NETWORKS if name != "late_fusion"]
"""Networks whose options all have defaults; tests/test_model_closed_form.py has the other."""
CHOICES = {
    name: get_args(MAFnetOptions.model_fields[name].annotation)
    for name in ("modalities", "film", "blocks", "fusion", "attention")
}
COMBINATION = {"film": "audio", "fusion": "dmr", "attention": "temporal"}


def faults(network, common=None, **own):
    return [": ".join(fault) for fault in NETWORKS[network].faults(common or {}, own)]


# Combinations


@pytest.mark.parametrize("chosen", list(itertools.product(*CHOICES.values())), ids="-".join)
def test_every_combination_is_refused_in_one_line_or_works(chosen):
    options = dict(zip(CHOICES, chosen, strict=True))
    torch.manual_seed(0)
    if found := faults("mafnet", **options):
        (fault,) = found
        assert "\n" not in fault
        assert "; write " in fault
        return
    network = build_network("mafnet", options=options | {"hidden": 4}, **SIZES).double()
    needed = NETWORKS["mafnet"].inputs(options)
    output = network(batch()._replace(**dict.fromkeys({*batch()._fields} - {*needed})))
    assert output.logits.shape == (BATCH, CLASSES)
    assert output.logits.isfinite().all()
    assert output.attention.shape == (BATCH, CLIPS, len(needed))
    assert (output.attention >= 0).all()
    torch.testing.assert_close(output.attention.sum((1, 2)), torch.ones(BATCH).double())


@pytest.mark.parametrize(
    ("own", "advice"),
    [
        ({"modalities": "visual"}, "write film: none, blocks: none"),
        ({"modalities": "audio"}, "write film: none"),
        ({"modalities": "audio", "film": "none", "fusion": "mcb"}, "write fusion: concatenation"),
        (
            {"modalities": "audio", "film": "none", "attention": "modality"},
            "write attention: temporal",
        ),
        ({"film": "visual"}, "write blocks: visual or both"),
        ({"film": "both"}, "write blocks: both"),
        ({"blocks": "none"}, "write blocks: audio or both"),
    ],
)
def test_choices_that_do_not_fit_together_name_the_fix(own, advice):
    (fault,) = faults("mafnet", **own)
    assert fault.endswith(advice)


def test_own_combination_learns_and_is_evaluated(tmp_path):
    """FiLM in audio with DMR fusion and temporal attention is in no table of the paper."""
    data = made_data(tmp_path, made_samples({"train": 6, "val": 2, "test": 2}), ("visual", "audio"))
    settings = RunSettings(
        variant="own", network="mafnet", options=COMBINATION | {"hidden": 8, "bn_momentum": 0.1},
        training=Training(learning_rate=1e-2, batch_size=8, max_epochs=20), seed=1,
        classes=data.classes, clips=data.clips,
        features={name: file.fingerprint for name, file in data.files.items()},
    )  # fmt: skip
    train(settings, data, tmp_path / "run", torch.device("cpu"))
    evaluate(tmp_path / "run", data, Evaluation(batch_size=4), "main", torch.device("cpu"))
    # The classes differ in 640 channels; chance is 33 %.
    assert read_json(tmp_path / "run/metrics.json")["accuracy"] == 100
    network = build_network("mafnet", options=COMBINATION, **SIZES).double()
    network(batch()).logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


# Messages


@pytest.mark.parametrize(
    ("network", "option", "value"),
    [
        *itertools.product(COMPLETE, ["hiden"], [16]),
        *itertools.product(COMPLETE, ["bn_momentum"], [0, 1.5]),
        *itertools.product(COMPLETE, ["bn_eps"], [0]),
        *itertools.product(["mafnet", "mafnet_plus", "dmrn"], ["hidden"], [0, 1.5, "16"]),
        ("mafnet", "attention_score", "three_layer"),
        ("mafnet_plus", "attention_score", "one_layer"),
        ("mafnet", "fusion", "sum"),
        ("mafnet", "attention", "space"),
        ("mafnet_plus", "fusion", "mcb"),
        ("attention_cluster", "hidden", 16),
        ("attention_cluster", "units", 0),
        ("attention_cluster", "dropout", 1),
        ("dmrn", "attention_score", "one_layer"),
    ],
)
def test_wrong_option_is_named(network, option, value):
    (fault,) = faults(network, **{option: value})
    assert fault.startswith(f"{option}: ")
    with pytest.raises(MafnetError, match=f"network {network}: option {option}: "):
        build_network(network, options={option: value}, **SIZES)


def test_option_without_effect_is_refused_in_a_variant_and_not_in_the_section():
    one_layer = {"attention_score": "one_layer"}
    assert faults("mafnet", one_layer, attention="none") == []
    assert faults("mafnet", attention="none", attention_score="two_layer") == []
    (fault,) = faults("mafnet", attention="none", **one_layer)
    assert fault == "attention_score: changes nothing with attention: none; leave it out"
    assert faults("dmrn", one_layer | {"bn_eps": 0.1}, logits_bn=False) == []
    (fault,) = faults("dmrn", logits_bn=False, bn_eps=0.1)
    assert fault == "bn_eps: changes nothing with logits_bn: false; leave it out"


def checked(variant):
    """The faults of config.yaml with one more variant."""
    model = CONFIG["model"] | {"variants": CONFIG["model"]["variants"] | {"own": variant}}
    try:
        check_config(CONFIG | {"model": model})
    except MafnetError as error:
        return str(error).splitlines()[1:]
    return []


def test_options_are_checked_before_any_work():
    assert checked({"network": "mafnet", "options": COMBINATION}) == []
    (fault,) = checked({"network": "mafnet", "options": {"units": 8}})
    assert fault.startswith(
        "  model.variants.own.options.units: network mafnet has no such option; choose among hidden"
    )
    (fault,) = checked({"network": "mafnet", "options": {"modalities": "audio"}})
    assert fault.startswith("  model.variants.own.options: modalities: audio does not go with film")


@pytest.mark.parametrize("name", FORMER)
def test_former_network_names_the_options_to_write(name):
    (fault,) = checked({"network": name})
    start = f"  model.variants.own.network: network {name} is now `network: mafnet` with options `"
    assert fault.startswith(start)
    advice = fault.removeprefix(start).partition("`")[0]
    assert checked({"network": "mafnet", "options": yaml.safe_load(advice)}) == []


@pytest.mark.parametrize("value", [True, False])
def test_former_value_of_film_names_the_value_to_write(value):
    (fault,) = checked({"network": "mafnet", "options": {"film": value}})
    assert fault.startswith("  model.variants.own.options.film: is no longer true or false")
    advice = "{" + fault.partition("`")[2].rstrip("`") + "}"
    assert checked({"network": "mafnet", "options": yaml.safe_load(advice)}) == []


def test_unknown_network_names_the_known_ones():
    with pytest.raises(MafnetError, match=r"'mafnett' is unknown.*mafnet, mafnet_plus, attention"):
        network_spec("mafnett")


# The registry without torch, and the record of a run


def test_registry_and_options_are_read_without_torch():
    code = (
        "import sys; from mafnet.model.networks import network_spec;"
        "network_spec('mafnet').inputs({'blocks': 'both'}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("options", "inputs", "film"),
    [
        ({}, ("visual", "audio"), True),
        ({"film": "none", "blocks": "none"}, ("visual", "audio"), False),
        ({"blocks": "both"}, ("visual_maps", "audio"), True),
        ({"film": "visual", "blocks": "visual"}, ("visual_maps", "audio"), True),
        ({"modalities": "audio", "film": "none"}, ("audio",), False),
        ({"modalities": "visual", "film": "none", "blocks": "visual"}, ("visual_maps",), False),
    ],
)
def test_inputs_and_film_follow_from_the_options(options, inputs, film):
    spec = NETWORKS["mafnet"]
    assert spec.inputs(options) == inputs
    assert spec.modalities(options) == tuple(name.removesuffix("_maps") for name in inputs)
    assert spec.has_film(options) == film


def test_run_records_the_options_that_matter():
    common = CONFIG["model"]["network"]
    resolved = NETWORKS["mafnet"].resolved
    assert resolved(common, {}) == common
    assert resolved(common, {"fusion": "concatenation"}) == common  # the default
    assert resolved(common, {"hidden": 8, "fusion": "mcb"}) == common | {
        "hidden": 8,
        "fusion": "mcb",
    }
    assert "attention_score" not in resolved(common, {"attention": "none"})
    assert NETWORKS["dmrn"].resolved(common, {"logits_bn": False}) == {
        "hidden": 512,
        "logits_bn": False,
    }


def test_text_of_a_run_of_mafnet_stays():
    """Snakemake compares this text. If it changes, finished runs are trained again."""
    assert Plan(CONFIG).training("demo", "mafnet") == (
        '{"network":"mafnet","options":{"attention_score":"two_layer","bn_eps":0.001,'
        '"bn_momentum":0.05,"bn_warmup":true,"hidden":128,"logits_bn":true},"training":{"batch_size":12,'
        '"drop_rate":0.1,"learning_rate":0.001,"max_epochs":40,"min_gain":0.0001,"patience":15,'
        '"patience_steps":60,'
        '"precision":"auto"},"variant":"mafnet"}'
    )


def test_every_score_can_be_chosen():
    assert get_args(MAFnetOptions.model_fields["attention_score"].annotation) == tuple(
        ATTENTION_SCORES
    )
