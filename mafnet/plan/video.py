"""The plan of the stage video: shards and their videos."""

import contextlib
import os
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import canonical_json
from mafnet.dataset.consistency import check_samples
from mafnet.dataset.shard_lists import listed_shards, listed_videos, write_shard_lists
from mafnet.dataset.shards import manifest_shards
from mafnet.plan.dataset import DatasetPlan
from mafnet.plan.identity import identities
from mafnet.video.media import Media, read_media


class VideoPlan(DatasetPlan):
    """The videos of each shard, and the settings that decide which videos are used.

    in_job: True in a job's own Snakemake on a cluster. It reads the list of its shard, which the
        main process wrote, and not the manifests.
    """

    def __init__(self, config: Mapping, in_job: bool = False) -> None:
        super().__init__(config)
        self._in_job = in_job
        self._shards = cache(self._read_shards)
        self._probed = cache(self._read_probed)

    def shards(self, dataset: str) -> list[str]:
        """The names of the data set's shards; the manifests must exist."""
        listed = listed_shards(self.manifests(dataset)) if self._in_job else None
        return list(self._shards(dataset)) if listed is None else listed

    def video_count(self, dataset: str) -> int:
        """The number of videos; 0 before the manifests exist, and in a job, which need not know."""
        if self._in_job or self._needs_manifests(dataset):
            return 0
        return sum(map(len, self._shards(dataset).values()))

    def shard_videos(self, dataset: str, shard: str) -> list[str]:
        """The identity of each video of a shard (see `identities`)."""
        if self._needs_manifests(dataset):
            return []
        listed = listed_videos(self.manifests(dataset), shard) if self._in_job else None
        videos = self._shards(dataset).get(shard, []) if listed is None else listed
        return self._identities(dataset, videos, shard)

    def link_roots(self, dataset: str) -> list[str]:
        """The folders outside the root to which links of videos may lead."""
        return self._sections[dataset].video.link_roots

    def policies(self, dataset: str) -> str:
        """The settings that decide which videos are used."""
        return canonical_json(self._sections[dataset].video.policies())

    def _read_shards(self, dataset: str) -> dict[str, list[str]]:
        """The videos of every shard, also written as lists for the jobs.

        MafnetError if the folder of videos is missing, and for all faults of the manifests.
        """
        origin = self._origins[dataset]
        if not os.path.isdir(origin.root):
            raise MafnetError(
                f"datasets.{dataset}: {origin.root} is not a folder; set the folder that "
                "contains the videos"
            )
        check = partial(check_samples, origin=origin)
        shards = manifest_shards(self.manifests(dataset), origin.classes, check)
        write_shard_lists(self.manifests(dataset), shards)
        return shards

    def _identities(self, dataset: str, videos: list[str], group: str) -> list[str]:
        """The identity of each video, with a memo file for this group of videos."""
        memo = Path(".snakemake/mafnet") / f"{dataset}-{group}.json"
        root = Path(self._origins[dataset].root)
        return identities(root, videos, memo, lambda: self._probed(dataset))

    def _read_probed(self, dataset: str) -> dict[str, Media]:
        """The rows of the media tables of earlier runs; a damaged table is ignored."""
        rows = {}
        for path in Path("results", dataset, "media").glob("*.tsv"):
            with contextlib.suppress(MafnetError):
                rows |= {row.video: row for row in read_media(path)}
        return rows
