"""Checks names in the config that a registry, a table or another part of the config defines."""

from collections.abc import Iterator
from pathlib import Path

from mafnet.common.errors import MafnetError, hint
from mafnet.features.backbones import backbone_spec
from mafnet.features.config import FeaturesSection
from mafnet.features.fingerprint import MODALITIES
from mafnet.features.weights.published import published
from mafnet.model.balance import fault
from mafnet.model.config import ModelSection
from mafnet.model.networks import network_spec
from mafnet.model.video import VIDEO_NETWORKS
from mafnet.model.video.options import NOT_USED
from mafnet.report.config import ReportSection


def unknown_names(
    features: FeaturesSection, model: ModelSection, report: ReportSection, weights_table: Path
) -> list[str]:
    """A message for each wrong name in the sections of one data set.

    weights_table: resources/weights.tsv.
    """
    faults = [*_backbones(features, weights_table), *_networks(model), *_variants(model, report)]
    return faults or list(_places(features, model))


def _backbones(features: FeaturesSection, weights_table: Path) -> Iterator[str]:
    """Unknown backbones, backbones of the other modality, and weights not in the table."""
    for modality in MODALITIES:
        chosen = getattr(features, modality)
        name, weights = chosen.backbone, chosen.weights
        key = f"features.{modality}"
        try:
            found = backbone_spec(name).modality
            if found != modality:
                yield f"{key}.backbone: {name} is for the {found} modality"
            elif weights != "random":
                published(weights_table, name, weights)
        except MafnetError as error:
            yield f"{key}: {error}"


def _networks(model: ModelSection) -> Iterator[str]:
    """Unknown networks; options and ways of training that a network does not accept."""
    for variant, settings in model.variants.items():
        key = f"model.variants.{variant}"
        if settings.network in VIDEO_NETWORKS:
            yield from _video_network(key, model, variant)
            continue
        try:
            spec = network_spec(settings.network)
        except MafnetError as error:
            yield f"{key}.network: {error}"
            continue
        common = model.network.recorded()
        wrong = spec.faults(common, settings.options)
        if not wrong:
            options = spec.parse(spec.resolved(common, settings.options))
            if found := fault(model.training_of(variant).balance, options):
                yield f"{key}.training.{found}"
        for option, message in wrong:
            yield f"{key}.options{'.' if option else ''}{option}: {message}"


def _places(features: FeaturesSection, model: ModelSection) -> Iterator[str]:
    """The main variant, if it reads visual maps and the visual backbone has vectors only."""
    if model.main in without_maps(features, model):
        yield f"model.main: {needs_maps(model.main, features)}"


def without_maps(features: FeaturesSection, model: ModelSection) -> list[str]:
    """The variants that read visual maps, if the visual backbone has vectors only; else none."""
    if backbone_spec(features.visual.backbone).has_places:
        return []
    return [
        variant
        for variant, settings in model.variants.items()
        if settings.network not in VIDEO_NETWORKS
        and "visual_maps" in network_spec(settings.network).inputs(model.options_of(variant))
    ]


def needs_maps(variant: str, features: FeaturesSection) -> str:
    """The message for such a variant."""
    return (
        f"{variant} reads visual maps, but {features.visual.backbone} gives one vector for each "
        "clip; choose another variant or another backbone"
    )


def _video_network(key: str, model: ModelSection, variant: str) -> Iterator[str]:
    """Wrong options of a video network, and keys that it does not have."""
    if variant == model.main:
        yield f"model.main: {variant} is a video network, without attention; choose another variant"
    for name in sorted(set(NOT_USED) & model.variants[variant].training.model_fields_set):
        yield f"{key}.training.{name}: changes nothing with a video network; leave it out"
    try:
        model.options_of(variant)
    except MafnetError as error:
        yield f"{key}.options: {error}"


def _variants(model: ModelSection, report: ReportSection) -> Iterator[str]:
    """Variants in `main`, a study or a late fusion that are not in `variants`."""
    studies = {f"report.studies.{study}": names for study, names in report.studies.items()}
    known = list(model.variants)
    members = {
        f"model.variants.{variant}.options.members": model.members_of(variant) for variant in known
    }
    for key, variants in ({"model.main": [model.main]} | studies | members).items():
        for variant in variants:
            if variant not in known:
                yield f"{key}: variant {variant!r} is not in model.variants; {hint(variant, known)}"
            elif key in members and model.variants[variant].network in VIDEO_NETWORKS:
                yield f"{key}: {variant!r} is a video network, which no late fusion can read"
            elif key in members and model.members_of(variant):
                yield f"{key}: {variant!r} is a late fusion itself; name its members instead"
