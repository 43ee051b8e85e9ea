"""Two nodes fill one cache at the same time, on a file system without locks."""

import shutil
import subprocess

import pytest
from support.tiny_run import ENVIRONMENT, METRICS, REPOSITORY, Workflow, make_data

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

PATIENCE_SECONDS = 1800
VIDEOS = 8
MADE_OF_THE_CACHE = ("media.tsv", "features/visual.h5", "features/audio.h5")
MADE_OF_FEATURES = ("model.safetensors", "predictions.csv", "history.csv")


@pytest.fixture
def nodes(checkout, tmp_path):
    """Two working directories with the same videos, and the same empty cache."""
    found = [Workflow(checkout, tmp_path / name) for name in ("node1", "node2")]
    found[0].folder.mkdir()
    make_data(found[0].folder)
    shutil.copy(REPOSITORY / "tests/tiny.yaml", found[0].folder)
    shutil.copytree(found[0].folder, found[1].folder)
    return found


def contents(workflow):
    """The bytes of the results that depend on the cache."""
    results = workflow.folder / "results/tiny"
    runs = [f"main/mafnet/seed{seed}/{name}" for seed in (0, 1) for name in MADE_OF_FEATURES]
    return {name: (results / name).read_bytes() for name in (*MADE_OF_THE_CACHE, *runs)}


def test_two_nodes_that_fill_one_cache_make_the_same_bytes(nodes, tmp_path, preloaded):
    change = {"features": {"cache": str(tmp_path / "cache")}}
    started = [
        subprocess.Popen(
            node.command(METRICS, change=change), stdout=(node.folder / "log").open("w"),
            stderr=subprocess.STDOUT, env=ENVIRONMENT
            | {"LD_PRELOAD": str(preloaded), "FLOCK": "none", "HOSTNAME_SHOWN": node.folder.name},
        )
        for node in nodes
    ]  # fmt: skip
    for node, process in zip(nodes, started, strict=True):
        assert process.wait(PATIENCE_SECONDS) == 0, (node.folder / "log").read_text()
    first, second = map(contents, nodes)
    assert first == second
    entries = sorted((tmp_path / "cache").rglob("*.clips"))
    assert len(entries) == 2 * VIDEOS
    assert not list((tmp_path / "cache/writing").iterdir())
