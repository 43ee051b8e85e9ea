"""Names in the config that no schema can judge: a registry, a table or another entry knows them."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.features.backbones import backbone_spec
from mafnet.features.fingerprint import MODALITIES
from mafnet.features.weights import published
from mafnet.model.networks import network_spec


def unknown_names(sections: Mapping, weights_table: Path) -> list[str]:
    """A line for every wrong name in the stage sections of one data set.

    weights_table: resources/weights.tsv.
    """
    return [
        *_backbones(sections["features"], weights_table),
        *_networks(sections["model"]),
        *_variants(sections["model"], sections["report"]),
    ]


def hint(name: str, known: Iterable[str]) -> str:
    """What may be meant by an unknown name: a near one, or any of those that are known."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(names) or 'none'}"


def _backbones(features: Mapping, weights_table: Path) -> Iterator[str]:
    """Backbones of the other modality or of none, and weights that the table does not have."""
    for modality in MODALITIES:
        name, weights = features[modality]["backbone"], features[modality]["weights"]
        key = f"features.{modality}"
        try:
            found = backbone_spec(name).modality
            if found != modality:
                yield f"{key}.backbone: {name} is for the {found} modality"
            elif weights != "random":
                published(weights_table, name, weights)
        except MafnetError as error:
            yield f"{key}: {error}"


def _networks(model: Mapping) -> Iterator[str]:
    """Networks that the registry does not have, and options that are wrong for a network."""
    for variant, settings in model["variants"].items():
        key = f"model.variants.{variant}"
        try:
            spec = network_spec(settings["network"])
        except MafnetError as error:
            yield f"{key}.network: {error}"
            continue
        for option, message in spec.faults(model["network"], settings.get("options", {})):
            yield f"{key}.options{'.' if option else ''}{option}: {message}"


def _variants(model: Mapping, report: Mapping) -> Iterator[str]:
    """Variants that main or a study names, and no entry defines."""
    studies = {f"report.studies.{study}": names for study, names in report["studies"].items()}
    known = list(model["variants"])
    for key, variants in ({"model.main": [model["main"]]} | studies).items():
        for variant in variants:
            if variant not in known:
                yield f"{key}: variant {variant!r} is not in model.variants; {hint(variant, known)}"
