"""Lists of the videos of each shard, so that a job does not read manifests of millions of rows.

    .snakemake/mafnet/shards/{manifests}/{state}/{shard}.json

The workflow writes them when it has read and checked the manifests. {manifests} is a digest of the
paths of the manifests, and {state} one of their sizes and modification times. So a list of another
state is never read. The lists may be deleted at any time: jobs then read the manifests.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mafnet.common.files import digest_of

FOLDER = Path(".snakemake/mafnet/shards")
NAMES = "names"
"""The file with the names of all shards."""


def write_shard_lists(manifests: Sequence[str], shards: Mapping[str, Sequence[str]]) -> None:
    """Write the videos of every shard, and remove the lists of earlier states.

    Without the lists the jobs only need more time, so a failure is no error.
    """
    with suppress(OSError):
        folder = _folder(manifests)
        if folder.exists():
            return
        shutil.rmtree(folder.parent, ignore_errors=True)
        beside = folder.with_name(f"{folder.name}.tmp")
        beside.mkdir(parents=True)
        for name, content in ({NAMES: list(shards)} | dict(shards)).items():
            (beside / f"{name}.json").write_text(json.dumps(content))
        beside.rename(folder)


def listed_videos(manifests: Sequence[str], shard: str) -> list[str] | None:
    """The videos of a shard; None if there is no list for the present state of the manifests."""
    shards = listed_shards(manifests)
    if shards is None:
        return None
    return _read(manifests, shard) if shard in shards else []


def listed_shards(manifests: Sequence[str]) -> list[str] | None:
    """The names of all shards; None if there is no list for the present state of the manifests."""
    return _read(manifests, NAMES)


def _read(manifests: Sequence[str], name: str) -> list[str] | None:
    try:
        return json.loads((_folder(manifests) / f"{name}.json").read_text())
    except (OSError, ValueError):
        return None


def _folder(manifests: Sequence[str]) -> Path:
    """The folder of the lists for the present state of the manifests."""
    states = [os.stat(path) for path in manifests]
    state = digest_of([(status.st_size, status.st_mtime_ns) for status in states])
    return FOLDER / digest_of(list(manifests))[:16] / state[:16]
