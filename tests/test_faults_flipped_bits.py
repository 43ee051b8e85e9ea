"""A flipped bit in any file that a step reads is one line that names the file, or harmless."""

import random
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from matplotlib.figure import Figure
from safetensors.torch import save
from support.seals import flipped, seal_of
from support.tiny_run import METRICS

from mafnet.cli import main
from mafnet.common.errors import MafnetError
from mafnet.common.files import read_json, replacing, write_json
from mafnet.common.tables import write_rows
from mafnet.dataset.manifest import Sample, read_manifest, write_manifest
from mafnet.features.weights.files import load
from mafnet.report.figures.svg import write_svg
from mafnet.report.page.embedded_figures import read_figures
from mafnet.report.study_table import COLUMNS, read_study, write_study
from mafnet.video.media import Media, read_media

VERBS = ("extract", "media", "pack", "train", "evaluate", "metrics")
FOR_THE_PAGE = {"history.csv", "attention.npz", "predictions_val.csv"}
"""Files of a run that no step before the figures and pages reads."""


def commands(run):
    """The command of one job of each verb (and modality), as Snakemake prints it."""
    text = run.run(METRICS, "-n", "--printshellcmds", "--forceall").stdout
    lines = re.findall(r"mafnet ((\w+) .*) 2>&1 \| tee ", text)
    found = {(verb, "visual" in line): shlex.split(line) for line, verb in lines}
    assert set(VERBS) <= {verb for verb, _ in found}
    return [command for key, command in sorted(found.items()) if key[0] in VERBS]


def read_files(command):
    """The files in results/ that a command reads; of a run's folder, the files of `train`."""
    output = command[command.index("--output") + 1] if "--output" in command else ""
    paths = [Path(part) for part in command if part.startswith("results/") and part != output]
    for path in list(paths):
        names = {"evaluate": ("model.safetensors", "settings.json"),
                 "metrics": ("settings.json", "predictions.csv", "metrics.json")}  # fmt: skip
        if path.is_dir():
            paths.remove(path)
            paths += [path / name for name in names.get(command[0], ())]
    return list(dict.fromkeys(paths))


def results():
    """The content of every file in results/, without seals."""
    files = [path for path in Path("results").rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in files if path.suffix not in (".sha256", ".model")}


def test_flipped_bits_are_errors_or_harmless(run, monkeypatch, one_thread):
    monkeypatch.chdir(run.folder)
    before = results()
    generator = random.Random(0)
    tested = set()
    for command in commands(run):
        for path in read_files(command):
            tested.add(path)
            content = before[path]
            places = [0, len(content) - 1, generator.randrange(len(content))]
            for position in places:
                path.write_bytes(flipped(content, position))
                result = CliRunner().invoke(main, command)
                path.write_bytes(content)
                if result.exit_code == 0:
                    assert results() == before, (command[0], path, position)
                    continue
                assert isinstance(result.exception, SystemExit), (path, position, result.exception)
                (line,) = [
                    line for line in result.stderr.splitlines() if line.startswith("mafnet ")
                ]
                assert str(path) in line
                assert "delete" in line
    assert {path.name for path in before} - {path.name for path in tested} == FOR_THE_PAGE


WRITERS = {
    "json": (lambda path: write_json({"value": 1.25}, path), read_json),
    "table": (lambda path: write_rows(Media, [Media("a.mp4")], path), read_media),
    "manifest": (lambda path: write_manifest([Sample("s", "a.mp4", "x", "train")], path),
                 read_manifest),
    "weights": (lambda path: write_weights(path), load),
    "study": (lambda path: write_study(pd.DataFrame([dict.fromkeys(COLUMNS, 1)]), path),
              read_study),
    "figure": (lambda path: write_svg(Figure(), path), lambda path: read_figures([path])),
}  # fmt: skip


def write_weights(path):
    """Weights as `fetch` and `calibrate` write them."""
    with replacing(path, sealed=True) as beside:
        beside.write_bytes(save({"w": torch.arange(9.0)}))


@pytest.mark.parametrize("kind", WRITERS)
def test_sealed_file_is_read_only_as_it_was_written(kind, tmp_path):
    write, read = WRITERS[kind]
    path = tmp_path / "curves.svg"
    write(path)
    content = path.read_bytes()
    for position in range(0, len(content), 1 + len(content) // 40):
        path.write_bytes(flipped(content, position))
        with pytest.raises(MafnetError, match="is damaged or was changed") as caught:
            read(path)
        assert str(path) in str(caught.value)
    path.write_bytes(content)
    read(path)


@pytest.mark.parametrize("seal", [None, b"", b"0123"])
def test_file_without_a_complete_seal_is_read(seal, tmp_path):
    """Earlier versions wrote none, and a kill may leave an incomplete one."""
    path = tmp_path / "a.json"
    write_json([1], path)
    path.write_text("[2]")
    seal_of(path).write_bytes(seal) if seal is not None else seal_of(path).unlink()
    assert read_json(path) == [2]
