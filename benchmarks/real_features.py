"""Accuracy of networks on features that were extracted elsewhere.

    python -m benchmarks.real_features FEATURES.npz MANIFEST.csv

FEATURES.npz has the videos (N,), `visual` (N, T, C) pooled, `audio` (N, T, P, Q, C) maps, and
`valid` (N, T, 2). MANIFEST.csv is as for mafnet. Choose settings by the column of validation; look
at the test column once, at the end.
"""

import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import h5py
import numpy as np
import torch
import yaml

from benchmarks.markdown import markdown
from mafnet.common.files import read_json
from mafnet.features.hdf5 import new_hdf5
from mafnet.model.config import Evaluation
from mafnet.model.data import Data
from mafnet.model.evaluate import evaluate
from mafnet.model.settings import run_settings
from mafnet.model.train import train
from mafnet.plan.config import merge
from mafnet.plan.stages import Plan

LAYERS = {"visual": "pooled", "audio": "maps"}
GIVEN = {"backbone": "given", "weights": "given", "weights_sha256": "", "precision": "float32"}
ROOT = Path(__file__).resolve().parents[1]

existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("features", type=existing)
@click.argument("manifest", type=existing)
@click.option(
    "--variant", "variants", multiple=True, help="Default: mafnet, audio_only, visual_only."
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--bn-momentum", default=0.1, show_default=True, help="model.network.bn_momentum.")
def main(
    features: Path, manifest: Path, variants: tuple[str, ...], seeds: int, bn_momentum: float
) -> None:
    """Train and evaluate each variant; print the mean accuracy over the seeds, in percent."""
    torch.set_num_threads(1)
    rows = []
    with TemporaryDirectory() as folder:
        files = write_features(features, Path(folder))
        settings = Plan(config_of(manifest, bn_momentum))
        for variant in variants or ("mafnet", "audio_only", "visual_only"):
            runs = [
                run(settings, variant, seed, manifest, files, Path(folder)) for seed in range(seeds)
            ]
            rows.append(
                [variant, *(f"{np.mean(column):.1f}" for column in zip(*runs, strict=True))]
            )
            click.echo(f"{rows[-1]} {runs}", err=True)
    click.echo(markdown(["network", "validation", "test"], rows))


def config_of(manifest: Path, bn_momentum: float) -> dict:
    """config.yaml with the manifest as a data set."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    entry = {"root": str(manifest.parent), "splits": {"main": str(manifest)}}
    change = {"model": {"network": {"bn_momentum": bn_momentum}}}
    return merge(config, change | {"datasets": {"real": entry}})


def write_features(features: Path, folder: Path) -> dict[str, Path]:
    """The feature file of each modality."""
    with np.load(features) as file:
        found = {name: file[name] for name in ("videos", "valid", *LAYERS)}
    order = np.argsort(found["videos"])
    paths = {}
    for column, (name, layer) in enumerate(LAYERS.items()):
        values, valid = found[name][order], found["valid"][order, :, column]
        paths[name] = folder / f"{name}.h5"

        shapes = {"valid": (valid.shape, bool), layer: (values.shape, np.float16)}
        describe = partial(about, name, found["videos"][order])
        with new_hdf5(paths[name], describe, shapes) as layers:
            for row in range(len(values)):
                layers["valid"].write(row, valid[row])
                layers[layer].write(row, values[row])
    return paths


def about(modality: str, videos: np.ndarray, file: h5py.File) -> None:
    """Write what a feature file says of itself."""
    file.attrs["fingerprint"] = json.dumps(GIVEN | {"modality": modality})
    file["videos"] = [str(video) for video in videos]


def run(
    plan: Plan, variant: str, seed: int, manifest: Path, files: dict[str, Path], folder: Path
) -> tuple[float, float]:
    """Train and evaluate one run; its accuracy on validation and on test videos, in percent."""
    chosen = [files[name] for name in plan.inputs("real", variant)]
    data = Data(manifest, chosen, None)
    fingerprints = {name: file.fingerprint for name, file in data.files.items()}
    settings = json.loads(plan.training("real", variant)) | {
        "seed": seed, "classes": data.classes, "clips": data.clips, "features": fingerprints,
    }  # fmt: skip
    output, device = folder / f"main/{variant}/seed{seed}", torch.device("cpu")
    train(run_settings(settings), data, output, device, 1e6, [])
    evaluate(output, data, Evaluation(), "main", device)
    found = read_json(output / "metrics.json")
    return found["val_accuracy"], found["accuracy"]


if __name__ == "__main__":
    main()
