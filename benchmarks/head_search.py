"""Search for a head that is better than MAFnet on the same frozen features.

    python -m benchmarks.head_search FEATURES.npz MANIFEST.csv GROUPS.csv --cache FOLDER

Only videos of train and val are used. A split holds out some picture sources and some sound
sources of each class. Videos whose sources are all held out are for validation, and those with no
held-out source for training; the rest is left out. Split 0 is the official one. The accuracy is the
mean over the second half of the training. With `--choose` half of the pictures of the validation
videos choose the step and the others measure it, for 20 random halves; the halves share sounds. The
heads are compared on the same splits, seeds and videos; the interval of a difference takes each
pair of a picture and a sound for a group. Results are cached by the settings of a head.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from benchmarks.head_candidates import CANDIDATES
from benchmarks.head_pieces import Pieces
from benchmarks.head_training import regression, steps_of, train
from benchmarks.head_videos import Videos, read, split, subsample
from benchmarks.markdown import markdown, points
from mafnet.common.files import digest_of
from mafnet.report.statistics.groups import by_group, grouping
from mafnet.report.statistics.two_way import Estimate, two_way

HALVES = 20


def late_hits(right: np.ndarray) -> np.ndarray:
    """(V,) how often each video is right in the second half of the training, 0 to 1.

    right: (E, V), True if a video is right after a step.
    """
    return right[len(right) // 2 :].mean(0)


def chosen_hits(right: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """(V,) how often each video is right after the step that the other pictures choose, 0 to 1.

    Of equally good steps the last is taken.
    """
    generator, names = np.random.default_rng(0), np.unique(pictures)
    total, count = np.zeros(right.shape[1]), np.zeros(right.shape[1])
    for _ in range(HALVES):
        half = np.isin(pictures, generator.permutation(names)[: len(names) // 2])
        for choosing in (half, ~half):
            accuracies = right[:, choosing].mean(1)
            step = np.flatnonzero(accuracies == accuracies.max())[-1]
            total[~choosing] += right[step, ~choosing]
            count[~choosing] += 1
    return total / count


class Search:
    """Runs candidates and keeps their probabilities in a folder."""

    def __init__(self, videos: Videos, cache: Path, choose: bool) -> None:
        self.videos, self.cache, self.choose = videos, cache, choose
        cache.mkdir(parents=True, exist_ok=True)

    def hits(self, chosen: Pieces | str, size: int, number: int, seed: int) -> np.ndarray:
        """(V,) hits of one run."""
        settings = chosen if isinstance(chosen, str) else asdict(chosen)
        if chosen == "logistic_regression":
            seed = 0
        path = self.cache / f"{digest_of([settings, size, number, seed, steps_of(chosen)])}.npy"
        training, validation = split(self.videos, number)
        if not path.exists():
            training = subsample(training, self.videos.labels, size, number)
            if chosen == "logistic_regression":
                found = regression(self.videos, training, validation)
            else:
                found = train(self.videos, training, validation, chosen, seed)
            np.save(path, found.astype(np.float16))
        found = np.load(path).astype(float)  # (E, V, C), or (E, V, P, C) of parts to blend
        blended = found.mean(2) if found.ndim == 4 else found
        right = blended.argmax(2) == self.videos.labels[validation]
        return (
            chosen_hits(right, self.videos.pictures[validation])
            if self.choose
            else late_hits(right)
        )

    def table(
        self, chosen: Pieces | str, size: int, splits: Sequence[int], seeds: int
    ) -> list[np.ndarray]:
        """(R, V) hits of each split."""
        return [
            np.array([self.hits(chosen, size, number, seed) for seed in range(seeds)])
            for number in splits
        ]

    def difference(
        self, first: list[np.ndarray], second: list[np.ndarray], splits: Sequence[int]
    ) -> Estimate:
        """The first candidate minus the second, over splits, seeds and groups of videos."""
        groups = []
        for number in splits:
            rows = split(self.videos, number)[1]
            pairs = zip(self.videos.pictures[rows], self.videos.sounds[rows], strict=True)
            groups.append([f"{picture} {sound}" for picture, sound in pairs])
        values = [one - other for one, other in zip(first, second, strict=True)]
        return two_way([by_group(values, grouping(groups))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("features", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("groups", type=Path, help="CSV with sample, picture_source, sound_source")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="+", default=[60, 336])
    parser.add_argument("--only", nargs="+", default=list(CANDIDATES))
    parser.add_argument("--against", default="mafnet")
    parser.add_argument("--choose", action="store_true", help="validation chooses the step")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    videos = read(arguments.features, arguments.manifest, arguments.groups)
    search = Search(videos, arguments.cache, arguments.choose)
    splits = range(arguments.splits)
    shown, against = [], {}
    for size in arguments.sizes:
        against[size] = search.table(CANDIDATES[arguments.against], size, splits, arguments.seeds)
    for name in arguments.only:
        row, began = [name], time.process_time()
        for size in arguments.sizes:
            table = search.table(CANDIDATES[name], size, splits, arguments.seeds)
            mean = 100 * np.mean([each.mean() for each in table])
            found = search.difference(table, against[size], splits)
            gain = "" if name == arguments.against else points(found)
            row += [f"{mean:.1f}", gain]
        shown.append(row)
        sys.stderr.write(f"{row} {time.process_time() - began:.0f} s\n")
    titles = [title for size in arguments.sizes for title in (f"{size} videos", "difference")]
    sys.stdout.write(markdown(["head", *titles], shown) + "\n")


if __name__ == "__main__":
    main()
