"""Commands of stage 4, model."""

import os
from pathlib import Path

import click

from mafnet.common import options
from mafnet.features.weights.published import TABLE

features = click.option(
    "--features", type=options.existing, multiple=True, required=True,
    help="Feature file. Give one for each modality that the variant reads.",
)  # fmt: skip
manifest = click.option("--manifest", type=options.existing, required=True, help="Manifest (CSV).")


@click.command()
@manifest
@features
@options.classes
@options.settings
@click.option("--seed", type=click.IntRange(0), required=True, help="Seed of the run.")
@click.option("--output", type=options.any_path, required=True, help="Folder of the run.")
@click.option(
    "--save-seconds", type=click.FloatRange(0), default=15, show_default=True,
    help="Shortest time between two saves. A killed run repeats this time and one epoch at most.",
)  # fmt: skip
@click.option(
    "--member", "members", type=options.folder, multiple=True,
    help="Folder of a trained run that a late fusion combines.",
)  # fmt: skip
@options.threads
@options.device
def train(
    manifest: Path,
    features: tuple[Path, ...],
    classes: Path | None,
    settings: dict,
    seed: int,
    output: Path,
    save_seconds: float,
    members: tuple[Path, ...],
    threads: int,
    device: str,
) -> None:
    """Train one run of a variant. A killed run continues from its last save."""
    from mafnet.dataset.manifest import read_classes
    from mafnet.model.data import Data
    from mafnet.model.run_folder import RunFolder
    from mafnet.model.settings import run_settings
    from mafnet.model.train import train as run

    # The settings name the classes if the labels of the data set's splits differ.
    names = settings.pop("classes", None)
    data = Data(manifest, features, read_classes(classes) if classes else names)
    fingerprints = {name: file.fingerprint for name, file in data.files.items()}
    resolved = settings | {
        "seed": seed, "classes": data.classes, "clips": data.clips, "features": fingerprints,
    }  # fmt: skip
    chosen = computing_device(device, threads)
    runs = [RunFolder(folder) for folder in members]
    run(run_settings(resolved), data, output, chosen, save_seconds, runs)


@click.command()
@manifest
@features
@options.settings
@click.option("--split", required=True, help="Name of the split, for metrics.json.")
@click.option("--run", type=options.folder, required=True, help="Folder of the trained run.")
@options.threads
@options.device
def evaluate(
    manifest: Path,
    features: tuple[Path, ...],
    settings: dict,
    split: str,
    run: Path,
    threads: int,
    device: str,
) -> None:
    """Measure a trained run on the test subset."""
    from mafnet.common.config import parse
    from mafnet.model.config import Evaluation
    from mafnet.model.data import Data
    from mafnet.model.evaluate import evaluate as measure
    from mafnet.model.run_folder import RunFolder

    chosen = parse(Evaluation, settings, "--settings")
    data = Data(manifest, features, RunFolder(run).read_settings().classes)
    measure(run, data, chosen, split, computing_device(device, threads))


@click.command()
@click.option("--network", required=True, help="Video network, e.g. i3d.")
@click.option("--folder", type=options.any_path, required=True, help="Folder of the downloads.")
@click.option(
    "--table",
    type=options.existing,
    default=TABLE,
    help="Another table than resources/weights.tsv.",
)
@options.output
def fetch_network(network: str, folder: Path, table: Path, output: Path) -> None:
    """Download the published weights of a video network, check them, write safetensors."""
    from mafnet.features.weights.published import published
    from mafnet.model.video import PRETRAINED, video_spec
    from mafnet.model.video.checkpoint import fetch_network as run

    spec = video_spec(network)
    run(published(table, network, PRETRAINED), spec, folder, output)


media = click.option("--media", type=options.existing, required=True, help="Media table.")


@click.command()
@manifest
@media
@options.root
@options.classes
@options.settings
@click.option("--weights", type=options.existing, help="Output of `mafnet fetch-network`.")
@click.option("--seed", type=click.IntRange(0), required=True, help="Seed of the run.")
@click.option("--output", type=options.any_path, required=True, help="Folder of the run.")
@click.option(
    "--save-seconds", type=click.FloatRange(0), default=300, show_default=True,
    help="Shortest time between two saves. A killed run repeats this time and one step at most.",
)  # fmt: skip
@click.option(
    "--processes", type=click.IntRange(1), default=1, show_default=True,
    help="Processes that train the network together; each needs a GPU.",
)  # fmt: skip
@options.threads
@options.device
def finetune(
    manifest: Path,
    media: Path,
    root: Path,
    classes: Path | None,
    settings: dict,
    weights: Path | None,
    seed: int,
    output: Path,
    save_seconds: float,
    processes: int,
    threads: int,
    device: str,
) -> None:
    """Fine-tune one run of a video network. A killed run continues from its last save."""
    from mafnet.dataset.manifest import read_classes
    from mafnet.model.video.data import VideoData
    from mafnet.model.video.distributed import is_launched, launch
    from mafnet.model.video.run import clip_reader, settings_of_run
    from mafnet.model.video.run import finetune as run

    if processes > 1 and not is_launched():
        launch(processes)
        return
    names = read_classes(classes) if classes else settings.get("classes")
    data = VideoData(manifest, media, root, names)
    resolved = settings_of_run(settings, data.classes, seed, weights)
    workers = max(threads // processes, 1)
    chosen = computing_device(device, workers, exact=False)
    with clip_reader(workers, settings["video"]) as reader:
        run(resolved, data, weights, output, reader, chosen, save_seconds)


@click.command()
@manifest
@media
@options.root
@options.settings
@click.option("--split", required=True, help="Name of the split, for metrics.json.")
@click.option("--run", type=options.folder, required=True, help="Folder of the fine-tuned run.")
@options.threads
@options.device
def evaluate_video(
    manifest: Path,
    media: Path,
    root: Path,
    settings: dict,
    split: str,
    run: Path,
    threads: int,
    device: str,
) -> None:
    """Measure a fine-tuned run on the test subset, by videos and by clips."""
    from mafnet.common.config import parse
    from mafnet.model.config import Evaluation
    from mafnet.model.run_folder import RunFolder
    from mafnet.model.video.data import VideoData
    from mafnet.model.video.run import clip_reader
    from mafnet.model.video.run import evaluate_video as measure

    chosen = parse(Evaluation, settings["evaluation"], "--settings")
    data = VideoData(manifest, media, root, RunFolder(run).read_settings().classes)
    place = computing_device(device, threads, exact=False)
    with clip_reader(threads, settings["video"]) as reader:
        measure(run, data, chosen, split, reader, place)


def computing_device(name: str, threads: int, exact: bool = True) -> "torch.device":  # noqa: F821 - imported here
    """The device, with deterministic algorithms and with memory that stays allocated.

    A command calls it once, because it changes settings of the whole process.
    exact: False allows operations without a deterministic form, as 3D pools have none on GPUs.
        The GPU is not shared with other runs then.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    from mafnet.common.devices import choose_device
    from mafnet.common.memory import keep_freed_memory

    torch.use_deterministic_algorithms(True, warn_only=not exact)
    torch.utils.deterministic.fill_uninitialized_memory = False  # for debugging; costs a pass
    keep_freed_memory()
    return choose_device(name, threads, shared=exact)
