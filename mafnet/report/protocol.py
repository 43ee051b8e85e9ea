"""The evaluation protocol of a data set, and the notes for a comparison with the paper."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mafnet.common.files import read_json
from mafnet.dataset.origin import protocol_of

RANDOM_NOTE = "the {} backbone has RANDOM weights: the numbers say nothing about real networks"


def read_protocol(name: str, described: Sequence[Path]) -> dict:
    """The protocol's entry in metrics.json.

    described: descriptions of the splits (.json)."""
    splits = [read_json(path) for path in described]
    source = splits[0]["source"] if splits else None
    protocol = protocol_of(source or "", name)
    return {
        "name": name,
        "source": source,
        "as_paper": protocol.as_paper if protocol else None,
        "note": protocol.note if protocol else "",
        "splits": {split["split"]: split for split in splits},
    }


def paper_name(dataset: str, protocol: Mapping) -> str:
    """The data set's name in the table of the paper's values."""
    return protocol["source"] or dataset


def protocol_notes(protocol: Mapping, random: Sequence[str], paper: float | None) -> list[str]:
    """Notes that a reader of the numbers needs, one sentence each, the most important first.

    random: modalities whose backbones have random weights.
    """
    notes = [RANDOM_NOTE.format(name) for name in random]
    if paper is not None and protocol["as_paper"] is False:
        notes.append(f"protocol {protocol['name']} differs from the paper's protocol")
    if protocol["note"]:
        notes.append(f"protocol {protocol['name']}: {protocol['note']}")
    for name, split in protocol["splits"].items():
        notes += [f"{name}: {note}" for note in split["notes"]]
        if split["missing_videos"]:
            notes.append(
                f"{name}: {split['missing_videos']} of {split['videos']} videos are missing"
            )
    return notes
