"""What the workflow asks at parse time: settings, paths and shards, without Snakemake or torch."""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import canonical_json
from mafnet.common.gpus import count_cards
from mafnet.dataset.collect import archives_of
from mafnet.dataset.lists import list_files
from mafnet.dataset.manifest import calibration_videos
from mafnet.dataset.origin import DEMO
from mafnet.dataset.shards import manifest_shards
from mafnet.dataset.sources import SOURCES
from mafnet.features.fingerprint import FeatureSettings, fingerprint_of
from mafnet.plan.identity import identities
from mafnet.plan.results import ResultsPlan
from mafnet.video.media import Media, read_media
from mafnet.video.settings import VideoSettings

EXTRACTION_THREADS = 8
MOST_EXTRACTION_THREADS = 16
"""What decodes as fast as one of today's fastest GPUs computes; more would only take memory."""

POLICIES = ("silent", "max_lost_fraction", "max_error_lines", "max_failed_fraction")
"""Settings of the video stage that decide what is used, not how it is decoded."""


class Plan(ResultsPlan):
    """Answers for the rules of all stages; settings are JSON texts, which Snakemake compares."""

    def __init__(self, config: Mapping) -> None:
        super().__init__(config)
        self._members = cache(self._read_members)
        self._probed = cache(self._read_probed)

    @property
    def gpus(self) -> int:
        """How many GPUs of this machine may be used."""
        return count_cards(os.environ)

    def extraction_threads(self, cores: int | None) -> int:
        """Threads of an extraction: the cores divided among the GPUs, whose jobs run side by side.

        cores: of this machine; None where a cluster runs the jobs.
        """
        if not self.gpus or cores is None:
            return EXTRACTION_THREADS
        return min(MOST_EXTRACTION_THREADS, max(1, cores // self.gpus))

    def run_gpu_percent(self, dataset: str) -> int:
        """The share of a GPU that a run takes."""
        return 100 // self._sections[dataset]["model"]["runs_per_gpu"]

    def not_configured(self, dataset: str) -> str:
        """What to do about a data set that the config lacks."""
        known = ", ".join(sorted(self.datasets))
        return (
            f"{dataset!r} is no data set of the config, which has {known}; give it an entry in "
            "`datasets` (config.yaml has one of each kind to uncomment), or name your file of "
            "settings with --configfile"
        )

    @property
    def weights_folders(self) -> list[str]:
        """The folders of published weights."""
        return sorted({entry["features"]["weights_folder"] for entry in self._sections.values()})

    # video

    @property
    def demos(self) -> list[str]:
        """The data sets that the checkpoint `demo` makes."""
        return [name for name in self.datasets if self.source(name) == DEMO]

    @property
    def published(self) -> list[str]:
        """The data sets whose manifests the checkpoint `prepare` makes."""
        return [name for name in self.datasets if self.source(name) in SOURCES]

    def root(self, dataset: str) -> str:
        """The folder of the videos."""
        return self._origins[dataset].root

    def splits(self, dataset: str) -> list[str]:
        """The folds whose mean metrics.json shows."""
        return list(self._origins[dataset].shown)

    def all_splits(self, dataset: str) -> list[str]:
        """The folds that runs can be asked of; all share the features."""
        return list(self._origins[dataset].manifests)

    def manifest(self, dataset: str, split: str) -> str:
        """The manifest of a fold."""
        return self._origins[dataset].manifests[split]

    def manifests(self, dataset: str) -> list[str]:
        """The manifests of all folds."""
        return list(self._origins[dataset].manifests.values())

    def archives(self, dataset: str) -> list[str]:
        """What is unpacked to get a published data set's videos."""
        origin = self._origins[dataset]
        if origin.download:
            return [f"data/{dataset}/downloads.tsv"]
        return [str(path) for path in archives_of(Path(origin.archive))]

    def archive(self, dataset: str) -> str:
        """The archive or the folder of archives."""
        return self._origins[dataset].archive

    def unpacked(self, dataset: str) -> list[str]:
        """The table of unpacked files where the videos come out of archives; else nothing."""
        return [f"data/{dataset}/unpacked.tsv"] if self._origins[dataset].archive else []

    def source(self, dataset: str) -> str:
        """Name in the registry of sources, "demo", or empty where the manifests are the user's."""
        return self._origins[dataset].source

    def own_lists(self, dataset: str) -> list[str]:
        """The place of a published data set's lists where it is not that of the videos."""
        origin = self._origins[dataset]
        return [origin.lists] if origin.lists != origin.root else []

    def lists(self, dataset: str) -> str:
        """The place of a published data set's lists."""
        return self._origins[dataset].lists

    def list_files(self, dataset: str) -> list[str]:
        """The files that a published data set's lists are read from, but for unpacked ones."""
        origin = self._origins[dataset]
        if origin.archive and origin.lists == origin.root:
            return []
        return [str(path) for path in list_files(SOURCES[origin.source], Path(origin.lists))]

    def holdout(self, dataset: str) -> str:
        """How validation samples are held out of training lists."""
        return canonical_json(asdict(self._origins[dataset].holdout))

    def shards(self, dataset: str) -> list[str]:
        """The names of the data set's shards; the manifests must exist."""
        return list(self._members(dataset))

    def members(self, dataset: str, shard: str) -> list[str]:
        """The videos of a shard; a file that is replaced gives another text."""
        if self._awaited(dataset):
            return []
        return self._identities(dataset, self._members(dataset).get(shard, []), shard)

    def demo_settings(self, dataset: str) -> str:
        """What the demo's videos depend on."""
        own = self._entries[dataset].get("demo", {})
        return canonical_json({"seconds": self._video(dataset)["clips"]} | own)

    # features

    def random(self, dataset: str, modality: str) -> bool:
        """True if a modality's backbone has random weights."""
        return self._sections[dataset]["features"][modality]["weights"] == "random"

    def weights(self, dataset: str, modality: str) -> str:
        """The weights file of a modality's backbone."""
        if self.random(dataset, modality):
            return f"results/{dataset}/weights/{modality}.safetensors"
        features = self._sections[dataset]["features"]
        own = features[modality]
        folder = features["weights_folder"]
        return f"{folder}/{own['backbone']}-{own['weights']}.safetensors"

    def calibration_members(self, dataset: str) -> list[str]:
        """The videos that calibrate random weights; a file that is replaced gives another text."""
        if self._awaited(dataset):
            return []
        count = self._sections[dataset]["features"]["random"]["calibration_videos"]
        videos = calibration_videos(Path(self.manifests(dataset)[0]), count)
        return self._identities(dataset, videos, "calibration")

    def calibration(self, dataset: str, modality: str) -> str:
        """What random weights depend on."""
        sections = self._sections[dataset]["features"]
        extraction = self._extraction(dataset, modality)
        return canonical_json(extraction | {"random": sections["random"]})

    def extraction(self, dataset: str, modality: str) -> str:
        """What extraction depends on besides videos and weights."""
        return canonical_json(self._extraction(dataset, modality))

    def extraction_version(self, dataset: str, modality: str) -> str:
        """Changes when a step of the extraction gives other values for the same settings."""
        settings = self._extraction(dataset, modality)
        fingerprint = fingerprint_of(
            FeatureSettings(**settings["features"]), VideoSettings(**settings["video"]), ""
        )
        return fingerprint.digest[:16]

    def cache(self, dataset: str) -> str:
        """The folder of the cache."""
        return self._sections[dataset]["features"]["cache"]

    # dataset

    def policies(self, dataset: str) -> str:
        """Which videos count as usable."""
        keys = ("clips", *POLICIES)
        return canonical_json({key: self._video(dataset)[key] for key in keys})

    def max_failed_fraction(self, dataset: str) -> float:
        """The share of failed videos above which nothing is packed."""
        return self._video(dataset)["max_failed_fraction"]

    def _awaited(self, dataset: str) -> bool:
        """True if the rule that makes the data set's manifest has not run yet."""
        return bool(self.source(dataset)) and not all(map(os.path.exists, self.manifests(dataset)))

    def _video(self, dataset: str) -> dict:
        return self._sections[dataset]["video"]

    def _extraction(self, dataset: str, modality: str) -> dict:
        """Settings of the video and features stages that one modality's features depend on.

        They do not depend on what is left to the machine (`auto`) or not wanted (`none`).
        """
        video = {key: value for key, value in self._video(dataset).items() if key not in POLICIES}
        if modality == "audio":
            video = {key: video[key] for key in ("clips", "timeout_seconds")}
        sections = {"video": video, "features": self._sections[dataset]["features"][modality]}
        return {
            name: {key: value for key, value in section.items() if value not in ("auto", "none")}
            for name, section in sections.items()
        }

    def _read_members(self, dataset: str) -> dict[str, list[str]]:
        """The videos of every shard; MafnetError if the folder of the videos is missing."""
        if not os.path.isdir(self.root(dataset)):
            raise MafnetError(
                f"datasets.{dataset}: {self.root(dataset)} is not a folder; give the one that "
                "holds the videos"
            )
        return manifest_shards(self.manifests(dataset), self._origins[dataset].classes)

    def _identities(self, dataset: str, videos: list[str], group: str) -> list[str]:
        """The videos with what tells one file from its replacement."""
        memo = Path(".snakemake/mafnet") / f"{dataset}-{group}.json"
        return identities(Path(self.root(dataset)), videos, memo, lambda: self._probed(dataset))

    def _read_probed(self, dataset: str) -> dict[str, Media]:
        """The rows of the media tables that earlier runs made; a damaged one has none."""
        rows = {}
        for path in Path("results", dataset, "media").glob("*.tsv"):
            with contextlib.suppress(MafnetError):
                rows |= {row.video: row for row in read_media(path)}
        return rows
