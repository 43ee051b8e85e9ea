"""The evaluation protocol of a data set, and the notes for a comparison with the paper."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mafnet.common.files import read_json
from mafnet.dataset.origin import protocol_of
from mafnet.features.fingerprint import MODALITIES
from mafnet.model.video import VIDEO_NETWORKS
from mafnet.report.statistics.runs import Run

RANDOM_NOTE = "the {} backbone has RANDOM weights: the numbers say nothing about real networks"
RANDOM_NOTES = tuple(RANDOM_NOTE.format(name) for name in MODALITIES)


PAPER_CLIPS = 10
PAPER_FEATURES = {
    "visual": ("densenet201", ("imagenet1k_v1",)),
    "audio": ("vggish", ("audioset", "audioset_hub", "audioset_tf1")),
}
"""The paper's backbone of each modality, and the names of its weights."""

OTHER_FEATURES = {
    "dmrn_vgg19": {
        "visual": ("vgg19", ("imagenet1k_v1",)),
        "audio": ("vggish_pca", ("audioset",)),
    }
}
"""The same for variants for which the paper has other backbones: the features of DMRN's authors."""


def read_protocol(name: str, described: Sequence[Path], silent: str = "") -> dict:
    """The protocol's entry in metrics.json, before any run is compared with the paper's settings.

    described: descriptions of the splits (.json). silent: the policy for videos without audio.
    """
    splits = [read_json(path) for path in described]
    source = splits[0]["source"] if splits else None
    protocol = protocol_of(source or "", name)
    found = []
    if protocol and protocol.as_paper is False:
        found.append(f"protocol {name} differs from the paper's protocol")
    if protocol and protocol.silent and silent and silent != protocol.silent:
        found.append(
            f"video.silent is {silent}; the paper's number of videos suggests {protocol.silent}"
        )
    return {
        "name": name,
        "source": source,
        "as_paper": False if found else protocol.as_paper if protocol else None,
        "differences": found,
        "note": protocol.note if protocol else "",
        "splits": {split["split"]: split for split in splits},
    }


def compared(protocol: Mapping, runs: Sequence[Run]) -> dict:
    """The protocol of some runs of one variant, with what differs from the paper's settings.

    protocol: of `read_protocol`. Own data are not in the paper, so nothing differs.
    """
    if not protocol["source"] or not runs:
        return dict(protocol)
    found = [*protocol["differences"], *_differences(runs[0])]
    return {
        **protocol,
        "as_paper": False if found else protocol["as_paper"],
        "differences": found,
    }


def _differences(run: Run) -> list[str]:
    """The settings of a run that differ from the paper's."""
    settings, found = run.settings, []
    if settings.clips != PAPER_CLIPS:
        found.append(f"{settings.clips} clips of a video; the paper has {PAPER_CLIPS}")
    if settings.network in VIDEO_NETWORKS:  # no backbone; rows with random weights have a note
        return found
    for modality, used in settings.features.items():
        papers = OTHER_FEATURES.get(run.variant, PAPER_FEATURES)
        backbone, weights = papers.get(modality, ("", ()))
        same = used["backbone"] == backbone and used["weights"] in weights
        if backbone and not same:
            found.append(
                f"{modality} features of {used['backbone']} with weights {used['weights']}; the "
                f"paper has {backbone} with {weights[0]}"
            )
    return found


def paper_name(dataset: str, protocol: Mapping) -> str:
    """The data set's name in the table of the paper's values."""
    return protocol["source"] or dataset


def protocol_notes(protocol: Mapping, random: Sequence[str], paper: float | None) -> list[str]:
    """Notes that a reader of the numbers needs, one sentence each, the most important first.

    random: modalities whose backbones have random weights.
    """
    notes = [RANDOM_NOTE.format(name) for name in random]
    if paper is not None:
        notes += protocol["differences"]
    if protocol["note"]:
        notes.append(f"protocol {protocol['name']}: {protocol['note']}")
    for name, split in protocol["splits"].items():
        notes += [f"{name}: {note}" for note in split["notes"]]
        if split["missing_videos"]:
            notes.append(
                f"{name}: {split['missing_videos']} of {split['videos']} videos are missing"
            )
    return notes


def untrained_notes(per_class: Mapping[str, Mapping]) -> list[str]:
    """A note on each class with test samples that no network was trained on."""
    return [
        f"class {name!r} has no training sample: its {found['samples']} test samples cannot be "
        "predicted, and its accuracy is not shown"
        for name, found in per_class.items()
        if found["accuracy"] is None and found["samples"]
    ]
