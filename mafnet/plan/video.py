"""What the rules of the stage video ask: shards and their videos."""

import contextlib
import os
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import canonical_json
from mafnet.dataset.consistency import check_samples
from mafnet.dataset.shards import manifest_shards
from mafnet.plan.dataset import DatasetAnswers
from mafnet.plan.identity import identities
from mafnet.video.media import Media, read_media


class VideoAnswers(DatasetAnswers):
    """Which videos there are, and which of them are used."""

    def __init__(self, config: Mapping) -> None:
        super().__init__(config)
        self._members = cache(self._read_members)
        self._probed = cache(self._read_probed)

    def shards(self, dataset: str) -> list[str]:
        """The names of the data set's shards; the manifests must exist."""
        return list(self._members(dataset))

    def members(self, dataset: str, shard: str) -> list[str]:
        """The videos of a shard; a file that is replaced gives another text."""
        if self._awaited(dataset):
            return []
        return self._identities(dataset, self._members(dataset).get(shard, []), shard)

    def policies(self, dataset: str) -> str:
        """The settings that decide which videos are used."""
        return canonical_json(self._sections[dataset].video.policies())

    def _read_members(self, dataset: str) -> dict[str, list[str]]:
        """The videos of every shard; MafnetError if the folder of the videos is missing."""
        origin = self._origins[dataset]
        if not os.path.isdir(origin.root):
            raise MafnetError(
                f"datasets.{dataset}: {origin.root} is not a folder; give the one that holds the "
                "videos"
            )
        check = partial(check_samples, origin=origin)
        return manifest_shards(self.manifests(dataset), origin.classes, check)

    def _identities(self, dataset: str, videos: list[str], group: str) -> list[str]:
        """The videos, each with a text that changes if the file is replaced."""
        memo = Path(".snakemake/mafnet") / f"{dataset}-{group}.json"
        root = Path(self._origins[dataset].root)
        return identities(root, videos, memo, lambda: self._probed(dataset))

    def _read_probed(self, dataset: str) -> dict[str, Media]:
        """The rows of the media tables that earlier runs made; a damaged table has none."""
        rows = {}
        for path in Path("results", dataset, "media").glob("*.tsv"):
            with contextlib.suppress(MafnetError):
                rows |= {row.video: row for row in read_media(path)}
        return rows
