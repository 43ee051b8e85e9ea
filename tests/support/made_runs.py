"""Made-up folders of finished runs: every file that a figure reads, with numbers from a seed."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mafnet.common.files import write_json
from mafnet.dataset.manifest import Sample, write_manifest
from mafnet.model.evaluate import FIXED_COLUMNS, run_metrics
from mafnet.model.settings import Training
from mafnet.report.figures.inputs import Inputs
from mafnet.report.protocol import read_protocol
from mafnet.report.statistics.summary import read_run
from mafnet.report.study import study_table, write_study

PAPER = Path(__file__).parents[2] / "resources/paper.tsv"


def samples_to_test(classes: Sequence[str], each: int = 4, clips: int = 3) -> list[Sample]:
    """So many test samples of each class; the event of each fills one second."""
    names = [(number, label) for number in range(each) for label in classes]
    return [
        Sample(
            f"s{index:03d}", f"{index:03d}.mp4", label, "test",
            event=(float(number % clips), float(number % clips + 1)),
        )
        for index, (number, label) in enumerate(names)
    ]  # fmt: skip


def made_run(
    folder: Path, samples: Sequence[Sample], classes: Sequence[str], seed: int = 0,
    variant: str = "mafnet", split: str = "main", right: float = 0.7, clips: int = 3,
    modalities: Sequence[str] = ("visual", "audio"), training: Training | None = None,
) -> Path:  # fmt: skip
    """Write a run of the samples, right in about the given share of them; returns its folder."""
    folder = folder / split / variant / f"seed{seed}"
    folder.mkdir(parents=True)
    generator = np.random.default_rng([seed, len(variant)])
    labels = np.array([list(classes).index(sample.label) for sample in samples])
    probabilities = generator.dirichlet(np.ones(len(classes)), len(samples))
    probabilities[np.arange(len(samples)), labels] += generator.random(len(samples)) < right
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    about = {"split": split, "variant": variant, "seed": seed, "random_weights": ["audio"]}
    write_json(
        about | run_metrics(labels, probabilities, list(classes), 5), folder / "metrics.json"
    )
    _write_predictions(folder / "predictions.csv", samples, classes, probabilities)
    shape = (len(samples), clips, len(modalities))
    attention = generator.dirichlet(np.ones(shape[1] * shape[2]), shape[0]).reshape(shape)
    np.savez_compressed(
        folder / "attention.npz", sample=np.array([sample.sample for sample in samples]),
        modality=np.array(modalities), attention=attention.astype(np.float32),
        valid=np.ones(shape, bool),
    )  # fmt: skip
    _write_history(folder / "history.csv", generator)
    settings = {"network": variant, "options": {}, "features": {}}
    settings["training"] = vars(training or Training())
    write_json(settings, folder / "settings.json")
    return folder


def made_inputs(folder: Path, classes: Sequence[str] = ("cat", "dog", "owl"), **given) -> Inputs:
    """Two variants with two seeds each, their study and manifest; `given` replaces fields."""
    samples = samples_to_test(classes)
    manifest = folder / "manifest.csv"
    write_manifest(samples, manifest)
    runs = [
        made_run(folder / "made", samples, classes, seed, variant)
        for variant in ("mafnet", "no_film")
        for seed in (0, 1)
    ]
    study = write_made_study(folder / "tried.csv", runs)
    main = runs[:2]
    return replace(Inputs("made", main, splits={"main": manifest}, study=study), **given)


def write_made_study(path: Path, folders: Sequence[Path]) -> Path:
    """The table of a study of some runs, with the paper's values for AVE."""
    variants: dict[str, list] = {}
    for folder in folders:
        variants.setdefault(folder.parent.name, []).append(read_run(folder))
    write_study(study_table("ave", variants, PAPER, read_protocol("own", []), "mafnet"), path)
    return path


def _write_predictions(
    path: Path, samples: Sequence[Sample], classes: Sequence[str], probabilities: np.ndarray
) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*FIXED_COLUMNS, *(f"p({name})" for name in classes)])
        for sample, row in zip(samples, probabilities, strict=True):
            writer.writerow([sample.sample, sample.label, classes[row.argmax()], *row])


def _write_history(path: Path, generator: np.random.Generator) -> None:
    """Twelve epochs, the best of which is the seventh."""
    rows = ["epoch,loss,val_accuracy,best"]
    for epoch in range(1, 13):
        loss, accuracy = 2 / epoch + 0.1 * generator.random(), 0.9 if epoch == 7 else 0.5
        rows.append(f"{epoch},{loss},{accuracy},{int(epoch in (1, 7))}")
    path.write_text("\n".join([*rows, ""]))
