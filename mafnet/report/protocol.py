"""How a data set was measured, and what keeps its numbers from being compared with the paper's."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mafnet.common.files import read_json
from mafnet.dataset.origin import protocol_of

RANDOM_NOTE = "the {} backbone has RANDOM weights: the figures say nothing about real networks"


def read_protocol(name: str, described: Sequence[Path]) -> dict:
    """The protocol's entry in metrics.json, from the descriptions of the splits that are shown."""
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
    """The name under which the paper's table has the data set."""
    return protocol["source"] or dataset


def protocol_notes(protocol: Mapping, random: Sequence[str], paper: float | None) -> list[str]:
    """What must be known to read the numbers, one sentence each; the gravest first.

    random: modalities whose backbones have random weights.
    """
    notes = [RANDOM_NOTE.format(name) for name in random]
    if paper is not None and protocol["as_paper"] is False:
        notes.append(f"protocol {protocol['name']} differs from the paper's")
    if protocol["note"]:
        notes.append(f"protocol {protocol['name']}: {protocol['note']}")
    for name, split in protocol["splits"].items():
        notes += [f"{name}: {note}" for note in split["notes"]]
        if split["missing_videos"]:
            notes.append(
                f"{name}: {split['missing_videos']} of {split['videos']} videos are missing"
            )
    return notes
