"""The settings that a page shows: of the variants and studies, only its own."""

from collections.abc import Mapping, Sequence

from mafnet.report.page.study_section import StudySection


def used_settings(settings: Mapping, main: str, studies: Sequence[StudySection]) -> dict:
    """The settings without the variants and studies that the page does not show.

    settings: structured as in the config. main: the main variant.
    """
    shown = {main, *(row.variant for study in studies for row in study.rows)}
    names = {study.name for study in studies}
    kept = {"model": ("variants", _with_members(settings, shown)), "report": ("studies", names)}
    return {
        section: values | _kept(values, *kept[section]) if section in kept else values
        for section, values in settings.items()
    }


def _kept(values: Mapping, key: str, names: set[str]) -> dict:
    """The entries of one key that have one of the names."""
    if key not in values:
        return {}
    return {key: {name: value for name, value in values[key].items() if name in names}}


def _with_members(settings: Mapping, shown: set[str]) -> set[str]:
    """Variants, and those whose runs they combine."""
    variants = settings.get("model", {}).get("variants", {})
    options = (variants.get(name, {}).get("options", {}) for name in shown)
    return shown.union(*(each.get("members", []) for each in options))
