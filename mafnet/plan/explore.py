"""`mafnet explore`: watch the test videos of a run beside the network's attention."""

from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mafnet.common import options
from mafnet.common.cores import usable_cores
from mafnet.common.errors import MafnetError, hint

if TYPE_CHECKING:
    from mafnet.report.explore.shown_videos import Collection


@click.command()
@click.argument("run", type=click.Path(exists=True, path_type=Path))
@click.argument("other", type=click.Path(exists=True, path_type=Path), required=False)
@click.option(
    "--output", type=options.any_path,
    help="Write the page and its videos into this new folder instead of serving them.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default="a free one",
    help="Port of this machine on which the page is served; ssh -L leads to it from elsewhere.",
)  # fmt: skip
@click.option(
    "--configfile", "configs", type=options.existing, multiple=True,
    help="Settings with the data set of the run, if they are not in config.yaml or DATASET.yaml.",
)  # fmt: skip
@options.all_threads
def explore(
    run: Path,
    other: Path | None,
    output: Path | None,
    port: int,
    configs: tuple[Path, ...],
    threads: int | None,
) -> None:
    """Watch videos beside the attention of a network, in a browser.

    RUN is the folder of an evaluated run, such as results/DATASET/main/mafnet/seed0, or a file of
    mafnet predict --json. OTHER is a second one, which is compared on the same videos. The page is
    for this machine only and loads nothing from a network.
    """
    from mafnet.report.explore.shown_videos import compared
    from mafnet.report.explore.viewer_folder import require_new, write_folder

    if output:
        require_new(output)
    workers = threads or usable_cores()
    shown = _collection(run, configs, workers)
    if other:
        shown = compared(shown, _collection(other, configs, workers))
    if output:
        write_folder(shown, output)
        click.echo(f"{output / 'index.html'}: open it in a browser")
        return
    from mafnet.report.explore.viewer_server import serve

    serve(shown, port)


def _collection(path: Path, configs: Sequence[Path], workers: int) -> "Collection":
    """The videos of a run, or of a file of predictions."""
    if path.is_file():
        from mafnet.report.explore.predicted_videos import predicted_videos

        return predicted_videos(path, workers)
    from mafnet.model.run_folder import RunFolder
    from mafnet.report.explore.run_videos import run_videos

    home = path.resolve().parents
    if not RunFolder(path).is_evaluated or len(home) < 5:
        raise MafnetError(
            f"{path}: is no evaluated run; name a folder such as results/mine/main/mafnet/seed0, "
            "or a file of mafnet predict --json"
        )
    split, results, project = home[1].name, home[2], home[4]
    root, manifest, links = _places(results.name, split, project, configs)
    return run_videos(path, root, manifest, results / "media.tsv", links)


def _places(
    dataset: str, split: str, project: Path, configs: Sequence[Path]
) -> tuple[Path, Path, list[Path]]:
    """The folder of a data set's videos, the manifest of a split, and where links may lead.

    Paths in the settings begin at the folder of the project.
    """
    from mafnet.dataset.origin import origin_of
    from mafnet.plan.config import check_config, dataset_sections, read_config

    files = [path.resolve() for path in configs] or [project / f"{dataset}.yaml"]
    with chdir(project):
        config = read_config([path for path in files if path.exists()])
        entries = check_config(config).datasets
        if dataset not in entries:
            raise MafnetError(
                f"{dataset} is not in the settings of {project}; give the file that has it with "
                f"--configfile; {hint(dataset, entries)}"
            )
        origin = origin_of(dataset, entries[dataset])
        links = dataset_sections(config, dataset).video.link_roots
    if split not in origin.manifests:
        raise MafnetError(f"{split} is no split of {dataset}; {hint(split, origin.manifests)}")
    root, manifest = project / origin.root, project / origin.manifests[split]
    return root, manifest, [project / link for link in links]
