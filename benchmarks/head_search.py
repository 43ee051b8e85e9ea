"""Search for a head that is better than MAFnet on the same frozen features.

    python -m benchmarks.head_search FEATURES.npz MANIFEST.csv GROUPS.csv --cache FOLDER

Only videos of train and val are used. A split holds out some picture sources and some sound
sources of each class. Videos whose sources are all held out are for validation, and those with no
held-out source for training; the rest is left out. Split 0 is the official one. The accuracy is the
mean over the second half of the training, because a choice of the step on videos with the same
sources would help the head whose accuracy varies most. The heads are compared on the same splits,
seeds and videos; the interval of a difference takes each pair of a picture and a sound for a group.
Results are cached by the settings of a head.
"""

import argparse
import copy
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from benchmarks.head_candidates import CANDIDATES
from benchmarks.head_pieces import Members, Pieces
from benchmarks.head_videos import Videos, read, split, subsample
from benchmarks.markdown import markdown
from mafnet.common.files import digest_of
from mafnet.model.networks import build_network, reduced
from mafnet.model.networks.blocks import Features
from mafnet.report.statistics.groups import by_group, grouping
from mafnet.report.statistics.two_way import Estimate, two_way

BATCH, EVERY = 32, 20


def train(
    videos: Videos, training: np.ndarray, validation: np.ndarray, chosen: Pieces | str, seed: int
) -> np.ndarray:
    """Probabilities (E, V, C) of the validation videos after every EVERY steps."""
    torch.manual_seed(seed)
    classes = int(videos.labels.max()) + 1
    run = (
        Reference(videos, classes, chosen)
        if isinstance(chosen, str)
        else Own(videos, classes, chosen)
    )
    run.prepare(training)
    found, order = [], []
    for step in range(1, steps_of(chosen) + 1):
        run.network.train()
        if len(order) < min(BATCH, len(training)):
            order = list(torch.randperm(len(training)).numpy())
        batch, order = training[order[:BATCH]], order[BATCH:]
        run.step(batch, torch.from_numpy(videos.labels[batch]), step)
        if step % EVERY == 0:
            found.append(run.probabilities(validation))
    return np.stack(found)


def steps_of(chosen: Pieces | str) -> int:
    """The number of training steps."""
    return chosen.steps if isinstance(chosen, Pieces) else 400


class Reference:
    """MAFnet with the default settings of config.yaml, in bfloat16."""

    def __init__(self, videos: Videos, classes: int, name: str) -> None:
        self.videos = videos
        hidden = int(name.split()[1])
        self.network = build_network(
            "mafnet", classes=classes, visual_features=videos.visual.shape[-1],
            audio_features=videos.maps.shape[-1], options={"hidden": hidden},
        )  # fmt: skip
        reduced.install(self.network)
        self.optimiser = torch.optim.Adam(self.network.parameters(), 1e-3, fused=True)

    def prepare(self, training: np.ndarray) -> None:
        del training

    def logits(self, rows: np.ndarray) -> Tensor:
        features = Features(
            self.videos.visual[rows], self.videos.maps[rows], self.videos.valid[rows]
        )
        with torch.autocast("cpu", torch.bfloat16):
            return self.network(features).logits.float()

    def step(self, rows: np.ndarray, labels: Tensor, number: int) -> None:
        del number
        loss = torch.nn.functional.cross_entropy(self.logits(rows), labels)
        self.optimiser.zero_grad()
        loss.backward()
        if torch.rand(()) < 0.1:
            for parameter in self.network.visual_path():
                parameter.grad = None
        self.optimiser.step()

    @torch.no_grad()
    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        self.network.eval()
        return self.logits(rows).softmax(1).numpy()


class Own:
    """A head of pieces and its training."""

    def __init__(self, videos: Videos, classes: int, chosen: Pieces) -> None:
        self.videos, self.chosen = videos, chosen
        self.inputs = (videos.visual, videos.audio)
        if chosen.pool == "mean_max":
            self.inputs = (
                videos.visual,
                torch.cat((videos.audio, videos.maps.float().amax((2, 3))), -1),
            )
        widths = tuple(each.shape[-1] for each in self.inputs)
        self.inputs = tuple(map(self.normalised, self.inputs))
        self.network = Members(widths, classes, videos.visual.shape[1], chosen)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), chosen.learning_rate, weight_decay=chosen.weight_decay,
            fused=True,
        )  # fmt: skip
        self.kept = copy.deepcopy(self.network)

    def normalised(self, x: Tensor) -> Tensor:
        """(N, T, D) by clip, which needs no training videos."""
        if self.chosen.inputs == "layer":
            return torch.nn.functional.layer_norm(x, x.shape[-1:])
        if self.chosen.inputs == "root":
            return torch.nn.functional.normalize(x.sqrt(), dim=-1) * x.shape[-1] ** 0.5
        return x

    def prepare(self, training: np.ndarray) -> None:
        """Set the statistics of the inputs over the valid clips of the training videos."""
        if self.chosen.inputs != "standard":
            return
        valid, scaled = self.videos.valid, []
        for k, x in enumerate(self.inputs):
            clips = x[training][valid[training][..., k]]
            spread = clips.std(0)
            scaled.append((x - clips.mean(0)) / (spread + 0.1 * spread.mean()))
        self.inputs = tuple(scaled)

    def logits(
        self,
        network: torch.nn.Module,
        rows: np.ndarray,
        share: Tensor | None = None,
        other: np.ndarray | None = None,
    ) -> Tensor:
        visual, audio = (each[rows] for each in self.inputs)
        valid = self.videos.valid[rows]
        if share is not None:
            part = share[:, None, None]
            visual = part * visual + (1 - part) * self.inputs[0][other]
            audio = part * audio + (1 - part) * self.inputs[1][other]
            valid = valid | self.videos.valid[other]
        return network(visual, audio, valid)

    def step(self, rows: np.ndarray, labels: Tensor, number: int) -> None:
        share = other = None
        targets = torch.nn.functional.one_hot(labels, int(self.videos.labels.max()) + 1).float()
        if self.chosen.mixup:
            alpha = torch.tensor(self.chosen.mixup)
            share = torch.distributions.Beta(alpha, alpha).sample((len(rows),))
            order = torch.randperm(len(rows))
            other = rows[order.numpy()]
            targets = share[:, None] * targets + (1 - share[:, None]) * targets[order]
        logits = self.logits(self.network, rows, share, other)
        losses = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.repeat_interleave(logits.shape[1], 0),
            label_smoothing=self.chosen.smoothing,
        )  # fmt: skip
        self.optimiser.zero_grad()
        losses.backward()
        self.optimiser.step()
        decay = min(self.chosen.average, number / (number + 10))
        pairs = zip(
            self.kept.state_dict().values(), self.network.state_dict().values(), strict=True
        )
        for kept, new in pairs:
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)

    @torch.no_grad()
    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        self.kept.eval()
        return self.logits(self.kept, rows).softmax(2).numpy()


def regression(videos: Videos, training: np.ndarray, validation: np.ndarray) -> np.ndarray:
    """Probabilities (E, V, C) of logistic regression on mean features, for five strengths."""
    valid = videos.valid.float()[..., None]
    total = valid.sum(1).clamp_min(1)
    x = torch.cat(
        [(each * valid[:, :, k]).sum(1) / total[:, k]
         for k, each in enumerate((videos.visual, videos.audio))], 1,
    ).numpy()  # fmt: skip
    spread = x[training].std(0)
    x = (x - x[training].mean(0)) / np.where(spread > 0, spread, 1)
    fits = [
        LogisticRegression(C=c, max_iter=200).fit(x[training], videos.labels[training])
        for c in (1e-4, 1e-3, 1e-2)
    ]
    return np.stack([fit.predict_proba(x[validation]) for fit in fits])


def hits(videos: Videos, validation: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(V,) how often each video is right in the second half of the training, 0 to 1.

    probabilities: (E, V, C), or (E, V, P, C) of parts that are blended.
    """
    if probabilities.ndim == 4:
        probabilities = probabilities.mean(2)
    late = probabilities[len(probabilities) // 2 :]
    return (late.argmax(2) == videos.labels[validation]).mean(0)


class Search:
    """Runs candidates and keeps their hits in a folder."""

    def __init__(self, videos: Videos, cache: Path) -> None:
        self.videos, self.cache = videos, cache
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
        return hits(self.videos, validation, np.load(path).astype(float))

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
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    search = Search(read(arguments.features, arguments.manifest, arguments.groups), arguments.cache)
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
            low, high = (100 * (found.mean + sign * found.half_width) for sign in (-1, 1))
            gain = (
                ""
                if math.isclose(low, high)
                else f"{100 * found.mean:+.1f} [{low:+.1f}, {high:+.1f}]"
            )
            row += [f"{mean:.1f}", gain]
        shown.append(row)
        sys.stderr.write(f"{row} {time.process_time() - began:.0f} s\n")
    titles = [title for size in arguments.sizes for title in (f"{size} videos", "difference")]
    sys.stdout.write(markdown(["head", *titles], shown) + "\n")


if __name__ == "__main__":
    main()
