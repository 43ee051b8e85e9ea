"""Small reference outputs of every network of config.yaml: writes networks.npz beside itself.

    python tests/data/make_networks.py            # store those that are missing
    python tests/data/make_networks.py --check    # compare all with what is stored, to the bit

Most stored values were made by the classes that the paper's tables had before they became options
of one class. Stored values stay, so the script cannot hide a change. If a network is meant to
change, delete networks.npz first. tests/test_model_networks.py compares within a tolerance, because
another processor adds in another order.
"""

import hashlib
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import torch
import yaml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from mafnet.model.networks import NETWORKS, build_network  # noqa: E402
from mafnet.model.networks.blocks import Features, Network  # noqa: E402

STORED = HERE / "networks.npz"
VARIANTS = yaml.safe_load((HERE.parents[1] / "config.yaml").read_text())["model"]["variants"]
FUSIONS = ("concatenation", "addition", "mcb", "dmr")
ATTENTIONS = ("none", "temporal", "modality", "modality_temporal")
BATCH, CLIPS, CLASSES, VISUAL, AUDIO = 4, 3, 5, 20, 12
SEED = 7


def cases() -> dict[str, tuple[str, dict]]:
    """By name: a variant of config.yaml, and the options that the case changes."""
    trained = [name for name, spec in NETWORKS.items() if not spec.fit]
    plain = {
        name: (name, {})
        for name, variant in VARIANTS.items()
        if not name.startswith(("drop_", "balance_")) and variant["network"] in trained
    }
    scores = {"mafnet one_layer": ("mafnet", {"attention_score": "one_layer", "logits_bn": False})}
    no_film = {
        f"no_film_block {fusion} {attention}": (
            "no_film_block",
            {"fusion": fusion, "attention": attention},
        )
        for fusion, attention in itertools.product(FUSIONS, ATTENTIONS)
    }
    return plain | scores | no_film


def built(variant: str, changes: dict) -> Network:
    """A small network of a variant with fresh weights."""
    torch.manual_seed(SEED)
    spec = NETWORKS[VARIANTS[variant]["network"]]
    common = {"hidden": 8, "bn_momentum": 0.25, "bn_warmup": False}
    options = {key: value for key, value in common.items() if key in spec.options.model_fields}
    options = options | VARIANTS[variant].get("options", {}) | changes
    sizes = {"classes": CLASSES, "visual_features": VISUAL, "audio_features": AUDIO}
    return build_network(spec.name, options=options, **sizes)


def batch() -> Features:
    """Features of all kinds, nonnegative as those of the backbones."""
    generator = torch.Generator().manual_seed(SEED)
    return Features(
        visual=torch.rand(BATCH, CLIPS, VISUAL, generator=generator),
        audio=torch.rand(BATCH, CLIPS, 4, 3, AUDIO, generator=generator),
        valid=torch.rand(BATCH, CLIPS, 2, generator=generator) < 0.9,
        visual_maps=torch.rand(BATCH, CLIPS, 2, 3, VISUAL, generator=generator),
    )


def measure(variant: str, changes: dict) -> dict:
    """What a network is and gives: first in training mode, then in evaluation mode.

    drawn: the next number of torch's generator after the network was built, so that a network that
    draws its weights in another number or order does not pass.
    """
    network = built(variant, changes)
    state = network.state_dict()
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = {
        "shapes": {name: list(value.shape) for name, value in state.items()},
        "digests": {name: digest(value) for name, value in state.items()},
        "visual_path": [names[id(parameter)] for parameter in network.visual_path()],
        "drawn": torch.randint(2**31, ()).item(),
    }
    with torch.no_grad():
        for mode in ("train", "eval"):
            output = network.train(mode == "train")(batch())
            found[f"{mode} logits"] = output.logits.numpy()
            found[f"{mode} attention"] = output.attention.numpy()
    return found


def digest(value: torch.Tensor) -> str:
    """A short digest of a tensor's bytes."""
    return hashlib.sha256(value.numpy().tobytes()).hexdigest()[:12]


def load() -> dict[str, dict]:
    """What is stored, by case."""
    if not STORED.exists():
        return {}
    with np.load(STORED) as file:
        found = json.loads(str(file["about"]))
        for key in file.files:
            case, _, name = key.partition("/")
            if name:
                found[case][name] = file[key]
    return found


def store(found: dict[str, dict]) -> None:
    """Write networks.npz."""
    arrays, about = {}, {}
    for case, values in found.items():
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                arrays[f"{case}/{name}"] = value
            else:
                about.setdefault(case, {})[name] = value
    np.savez_compressed(STORED, about=np.array(json.dumps(about)), **arrays)


def same(found: object, stored: object) -> bool:
    """Equal to the bit and in order."""
    if isinstance(found, np.ndarray):
        return np.array_equal(found, stored)
    return json.dumps(found) == json.dumps(stored)


def main() -> None:
    torch.set_num_threads(1)
    found = {case: measure(*given) for case, given in cases().items()}
    stored = load()
    if "--check" not in sys.argv:
        store({case: stored.get(case, values) for case, values in found.items()})
        return
    differing = [
        f"{case}: {name}"
        for case in found.keys() | stored.keys()
        for name in {**found.get(case, {}), **stored.get(case, {})}
        if not same(found.get(case, {}).get(name), stored.get(case, {}).get(name))
    ]
    sys.exit("\n".join(sorted(differing)) or None)


if __name__ == "__main__":
    main()
