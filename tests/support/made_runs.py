"""Folders of finished runs with random predictions, written by RunFolder as in a real run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mafnet.dataset.manifest import Sample, write_manifest
from mafnet.model.config import Evaluation, Training
from mafnet.model.evaluate import about_run, run_metrics, validation_metrics
from mafnet.model.predictions import PredictionTable
from mafnet.model.run_folder import Attention, Epoch, RunFolder
from mafnet.model.settings import RunSettings
from mafnet.report.figures.inputs import Inputs
from mafnet.report.protocol import read_protocol
from mafnet.report.statistics.runs import grouped, read_run
from mafnet.report.study_table import study_table, write_study

PAPER = Path(__file__).parents[2] / "resources/paper.tsv"
MODALITIES = ("visual", "audio")
WEIGHTS = {"visual": "imagenet", "audio": "random"}


def made_test_samples(classes: Sequence[str], each: int = 4, clips: int = 3) -> list[Sample]:
    """`each` test samples of each class; each event lasts one second."""
    names = [(number, label) for number in range(each) for label in classes]
    return [
        Sample(
            f"s{index:03d}", f"{index:03d}.mp4", label, "test",
            event=(float(number % clips), float(number % clips + 1)),
        )
        for index, (number, label) in enumerate(names)
    ]  # fmt: skip


def fingerprint(weights: str) -> dict:
    """The part of a modality's fingerprint that metrics and pages show."""
    return {
        "backbone": "made", "weights": weights, "weights_sha256": "0" * 64, "precision": "float32",
    }  # fmt: skip


def write_run(
    root: Path, samples: Sequence[Sample], classes: Sequence[str], probabilities: np.ndarray, *,
    seed: int = 0, variant: str = "mafnet", split: str = "main", clips: int = 3, top_k: int = 5,
    modalities: Sequence[str] = MODALITIES, weights: Mapping[str, str] = WEIGHTS,
    attention: np.ndarray | None = None, network: str = "", training: Training | None = None,
) -> Path:  # fmt: skip
    """Write a finished run without its weights; returns its folder.

    probabilities: (S, C). attention: (S, T, K); default: random.
    weights: name of each modality's backbone weights. network: default: the variant.
    """
    run = RunFolder(root / split / variant / f"seed{seed}")
    settings = RunSettings(
        variant=variant, network=network or variant, options={}, seed=seed,
        training=training or Training(precision="float32"), classes=list(classes), clips=clips,
        features={name: fingerprint(weights[name]) for name in modalities}, device="cpu: made",
    )  # fmt: skip
    run.write_settings(settings)
    generator = np.random.default_rng([seed, len(variant)])
    run.write_history(made_history(generator))
    names = [sample.sample for sample in samples]
    labels = np.array([list(classes).index(sample.label) for sample in samples])
    predicted = probabilities.argmax(axis=1)
    groups = [sample.cluster for sample in samples]
    table = PredictionTable(list(classes), names, groups, labels, predicted, probabilities)
    run.write_predictions(table)
    run.write_predictions(table, "val")
    shape = (len(samples), clips, len(modalities))
    if attention is None:
        attention = generator.dirichlet(np.ones(clips * len(modalities)), len(samples))
    valid = np.ones(shape, bool)
    run.write_attention(Attention(names, modalities, attention.reshape(shape), valid))
    on_validation = validation_metrics(table)
    temperature = on_validation["temperature"]
    chosen = Evaluation(top_k=top_k)
    measured = run_metrics(labels, probabilities, list(classes), chosen, temperature)
    about = about_run(settings, split, "cpu: made") | on_validation
    run.write_metrics(about | {"in_train": 0} | measured)
    return run.path


def made_history(generator: np.random.Generator) -> list[Epoch]:
    """The history of twelve epochs; the seventh is the best."""
    return [
        Epoch(
            number, 2 / number + 0.1 * generator.random(), 1 + abs(number - 7) / 9,
            0.9 if number == 7 else 0.5,
            int(number in (1, 7)),
        )
        for number in range(1, 13)
    ]  # fmt: skip


def made_run(
    root: Path, samples: Sequence[Sample], classes: Sequence[str], seed: int = 0,
    variant: str = "mafnet", right: float = 0.7, **given,
) -> Path:  # fmt: skip
    """Write a run in which about the fraction `right` of the predictions is correct.

    given: further arguments of `write_run`.
    """
    generator = np.random.default_rng([seed, len(variant)])
    labels = np.array([list(classes).index(sample.label) for sample in samples])
    probabilities = generator.dirichlet(np.ones(len(classes)), len(samples))
    probabilities[np.arange(len(samples)), labels] += generator.random(len(samples)) < right
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return write_run(root, samples, classes, probabilities, seed=seed, variant=variant, **given)


def made_inputs(folder: Path, classes: Sequence[str] = ("cat", "dog", "owl"), **given) -> Inputs:
    """Inputs of figures: two variants with two seeds, their study and manifest.

    given: fields of Inputs to replace.
    """
    samples = made_test_samples(classes)
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
    """Write the table of a study of some runs, with the paper's values for AVE."""
    variants = grouped(map(read_run, folders), "variant")
    protocol = read_protocol("own", [])
    write_study(study_table("ave", variants, PAPER, protocol, "mafnet", path.stem), path)
    return path
