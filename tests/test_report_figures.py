"""Figures of made-up runs: valid files, names, numbers and notes."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import pytest
from click.testing import CliRunner
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from support.made_runs import made_inputs, made_run, made_test_samples, write_made_study
from support.made_videos import counting_video, probed
from support.seals import unsealed
from support.tiny_run import REPOSITORY

from mafnet.cli import main
from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import write_manifest
from mafnet.model.config import Training
from mafnet.report.captions import FOLDER, caption
from mafnet.report.figures import FIGURES, main_figures, study_figures
from mafnet.report.figures.draw import draw, draw_to
from mafnet.report.figures.style import RC, columns_of, label
from mafnet.video.media import Media, write_media

HOSTILE = "<script>alert(1)</script> & $x_1$"
CLASSES = ("cat", "_dog", HOSTILE, "バスのエンジン音", "صوت المنشار", "🐱 $\\frac{1}{0}$")
SPACE = "{http://www.w3.org/2000/svg}"
DRAWN = [name for name in FIGURES if name != "film_space"]
"""All except film_space, which needs a trained network: see test_report_focus."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Two variants with two seeds of six classes; only the first two videos can be decoded."""
    folder = tmp_path_factory.mktemp("made")
    given = made_inputs(folder, CLASSES)
    rows = [Media(sample.video) for sample in made_test_samples(CLASSES)]
    for number in (0, 1):
        path = counting_video(folder / rows[number].video)
        rows[number] = replace(probed(path), video=rows[number].video)
    write_media(rows, folder / "media.tsv")
    return replace(given, media=folder / "media.tsv", root=folder)


def texts(path):
    """The texts of a figure, in their order."""
    return [element.text for element in ElementTree.parse(path).iter(f"{SPACE}text")]


def drawn(name, inputs, folder):
    """A figure's file."""
    path = folder / f"{name}.svg"
    draw_to(name, inputs, path)
    return path


def everything(inputs):
    """The inputs with the runs of both variants."""
    runs = inputs.folders[0].parents[1]
    return replace(inputs, folders=sorted(runs.glob("*/seed*")))


@pytest.mark.parametrize("name", DRAWN)
def test_figures_are_valid_and_load_nothing(name, inputs, tmp_path):
    text = drawn(name, everything(inputs), tmp_path).read_text()
    root = ElementTree.fromstring(text)
    tags = {element.tag.removeprefix(SPACE) for element in root.iter()}
    assert tags <= {"svg", "g", "defs", "style", "path", "use", "text", "clipPath", "rect", "image",
                    "pattern", "linearGradient", "stop", "tspan"}  # fmt: skip
    for element in root.iter():
        for key, value in element.attrib.items():
            if key.endswith("href"):
                assert value.startswith(("#", "data:image/jpeg;base64,"))
            assert not key.startswith("on")
    assert "<!DOCTYPE" not in text
    assert len(text) < 1_000_000


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", DRAWN)
def test_no_text_is_cut_off(name, inputs):
    with mpl.rc_context(RC):
        figure = draw(name, everything(inputs))
        FigureCanvasAgg(figure).draw()
        written = [text for text in figure.findobj(Text) if re.search("[^0-9.−%]", text.get_text())]
        edges = figure.bbox.extents
        for text in written:  # numbers may belong to ticks outside an axis, which are not drawn
            left, bottom, right, top = text.get_window_extent().extents
            inside = edges[0] <= left <= right <= edges[2] and edges[1] <= bottom <= top <= edges[3]
            assert inside, text.get_text()
        assert len(written) > 5


@pytest.mark.parametrize("name", ["confusion", "classes"])
def test_class_names_are_shown_literally(name, inputs, tmp_path):
    """Dollars are no formulas, brackets are no tags, _dog is not left out."""
    found = texts(drawn(name, inputs, tmp_path))
    for shown in (HOSTILE, "_dog", "バスのエンジン音", "صوت المنشار", "🐱 $\\frac{1}{0}$"):
        assert label(shown, 30 if name == "confusion" else 28) in found


@pytest.mark.parametrize("name", DRAWN)
def test_same_bytes_twice(name, inputs, tmp_path):
    once, again = tmp_path / "once", tmp_path / "again"
    assert drawn(name, inputs, once).read_bytes() == drawn(name, inputs, again).read_bytes()


def test_every_figure_has_the_warning_about_random_weights(inputs, tmp_path):
    for name in DRAWN:
        assert any(text.startswith("RANDOM weights (audio") for text in texts(
            drawn(name, inputs, tmp_path)
        ))  # fmt: skip


@pytest.mark.parametrize("name", ["curves", "classes", "event_attention", "study"])
def test_one_seed_has_a_note_and_no_marks(name, inputs, tmp_path):
    one = replace(inputs, folders=inputs.folders[:1])
    found = texts(drawn(name, one, tmp_path))
    assert "One seed: this figure says nothing about other seeds." in found
    assert "one seed" not in found
    several = texts(drawn(name, inputs, tmp_path))
    assert not any(text.startswith("One seed:") for text in several)


def test_intervals_are_named_and_samples_counted(inputs, tmp_path):
    by_class = texts(drawn("classes", inputs, tmp_path))
    assert "mean, 95 % interval (Wilson, over seeds and test samples)" in by_class
    assert by_class.count("n = 4") == len(CLASSES)
    assert "made · mafnet · 2 seeds · 24 test samples" in by_class
    study = texts(drawn("study", everything(inputs), tmp_path))
    assert any("Wilson" in text and "paired t" in text for text in study)
    assert any(re.fullmatch(r"mafnet \(\d+\.\d %, n = 24\)", text) for text in study)
    assert "paper" in study


def test_splits_are_named_and_their_samples_added(tmp_path):
    samples = {
        split: [
            replace(sample, sample=f"{split}-{sample.sample}")
            for sample in made_test_samples(("cat", "dog"), each)
        ]
        for split, each in (("a", 2), ("b", 3))
    }
    folders = [
        made_run(tmp_path / "runs", rows, ("cat", "dog"), seed, split=split)
        for split, rows in samples.items()
        for seed in (0, 1)
    ]
    given = replace(made_inputs(tmp_path), folders=folders)
    assert "made · mafnet · 2 splits · 2 seeds · 10 test samples" in texts(
        drawn("confusion", given, tmp_path)
    )
    found = texts(drawn("curves", given, tmp_path))
    assert "b, seed 1: best 90.0 % in epoch 7" in found


def test_confusion_adds_up_the_seeds(tmp_path):
    """Four samples in each class, two seeds, always right: eight predictions in each cell."""
    samples = made_test_samples(("cat", "dog"))
    folders = [
        made_run(tmp_path / "runs", samples, ("cat", "dog"), seed, right=1) for seed in (0, 1)
    ]
    found = texts(drawn("confusion", replace(made_inputs(tmp_path), folders=folders), tmp_path))
    assert found.count("100") == 2
    assert found.count("(8)") == 2


# Videos


def test_frames_are_images_or_a_reason(inputs, tmp_path):
    text = drawn("timeline", inputs, tmp_path).read_text()
    images = text.count("data:image/jpeg")
    reasons = texts(tmp_path / "timeline.svg").count("no frames: undecodable")
    assert images in (0, 3, 6)  # three seconds of each shown video
    assert images / 3 + reasons == 6


def test_a_timeline_of_many_seconds_shows_some_of_them(tmp_path):
    samples = made_test_samples(("cat", "dog"), 1, clips=50)
    run = made_run(tmp_path / "runs", samples, ("cat", "dog"), clips=50)
    for sample in samples:
        counting_video(tmp_path / sample.video, 14)
    rows = [replace(probed(tmp_path / row.video), video=row.video) for row in samples]
    write_media(rows, tmp_path / "media.tsv")
    write_manifest(samples, tmp_path / "other.csv")
    given = replace(
        made_inputs(tmp_path), folders=[run], splits={"main": tmp_path / "other.csv"},
        media=tmp_path / "media.tsv", root=tmp_path,
    )  # fmt: skip
    text = drawn("timeline", given, tmp_path).read_text()
    assert text.count("data:image/jpeg") == 2 * 3  # seconds 0, 5 and 10 of 14, every fifth
    assert "50 s" in texts(tmp_path / "timeline.svg")


def test_examples_show_disagreements_first(inputs, tmp_path):
    given = everything(inputs)
    found = texts(drawn("examples", given, tmp_path))
    assert found.count("mafnet") == found.count("no_film") == 8
    one, other = [run.predictions.predicted for run in given.runs if run.seed == 0]
    disputed = int((one != other).sum())
    marks = [text[0] for text in found if text and text[0] in "✓✗"]
    pairs = list(zip(marks[::2], marks[1::2], strict=True))
    assert len(pairs) == 8
    # Two different predictions cannot both be right.
    assert sum("✗" in pair for pair in pairs) >= min(8, disputed) > 0


# The event


def test_missing_events_are_a_note(inputs, tmp_path):
    samples = [replace(sample, event=None) for sample in made_test_samples(CLASSES)]
    write_manifest(samples, tmp_path / "none.csv")
    given = replace(inputs, splits={"main": tmp_path / "none.csv"})
    found = texts(drawn("event_attention", given, tmp_path))
    assert any("nothing to show" in text for text in found)
    timeline = texts(drawn("timeline", given, tmp_path))
    assert "event" not in timeline
    assert "event" in texts(drawn("timeline", inputs, tmp_path))


def test_a_single_modality_has_one_row(tmp_path):
    samples = made_test_samples(("cat", "dog"))
    run = made_run(tmp_path / "runs", samples, ("cat", "dog"), modalities=("audio",))
    write_manifest(samples, tmp_path / "other.csv")
    given = replace(made_inputs(tmp_path), folders=[run], splits={"main": tmp_path / "other.csv"})
    found = texts(drawn("event_attention", given, tmp_path))
    assert "audio" in found
    assert "both" not in found


# Studies


def test_rates_of_dropped_updates_become_a_line(inputs, tmp_path):
    samples = made_test_samples(CLASSES)
    folders = [
        made_run(tmp_path / "runs", samples, CLASSES, seed, f"drop_{rate}", network="mafnet",
                 training=Training(drop_rate=rate / 10))
        for rate in (0, 1, 5) for seed in (0, 1)
    ]  # fmt: skip
    study = write_made_study(tmp_path / "drop_rate.csv", folders)
    found = texts(drawn("study", replace(inputs, folders=folders, study=study), tmp_path))
    assert "share of training steps without an update of the visual path [%]" in found
    rows = texts(drawn("study", everything(inputs), tmp_path))
    assert "accuracy [%]" in rows
    assert not any("visual path" in text for text in rows)


# Names, captions, the command


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        ("short", 5, "short"), ("longer", 5, "long…"), ("two words", 5, "two…"),
        ("バスのエンジン音", 7, "バスの…"), ("a\u202egpj", 20, "a\\u202egpj"),
    ],
)  # fmt: skip
def test_names_fit_and_control_characters_are_escaped(name, width, shown):
    assert label(name, width) == shown
    assert columns_of(shown) <= width


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_plain_caption(name):
    text = caption(name)
    assert len(text) > 200
    assert not re.search(r"[`*|<>_]|::", text)


def test_captions_are_found_by_the_stem_of_the_file():
    assert caption("study-drop_rate") == caption("study") != caption("curves")
    with pytest.raises(MafnetError, match=r"'nothing' has no caption; write .*nothing\.rst"):
        caption("nothing")
    assert set(FIGURES) <= {path.stem for path in FOLDER.glob("*.rst")}


def test_figures_of_a_data_set():
    some, all_of = main_figures(film=False, events=False), main_figures(film=True, events=True)
    assert set(all_of) - set(some) == {"film_space", "event_attention"}
    assert {"curves", "confusion", "classes", "timeline"} <= set(some)
    every = [*all_of, *study_figures(["a", "b"])]
    assert {name.partition("-")[0] for name in every} == set(FIGURES)
    assert "study-a" in every


def test_every_figure_has_a_rule_that_names_it():
    command = [sys.executable, "-m", "snakemake", "--list-rules"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    rules = dict(re.findall(r"^(\w+) \(Figure: (.+)\)$", listed.stdout, re.MULTILINE))
    assert rules.keys() == {*FIGURES, "study_figure"} - {"study"}
    assert len(set(rules.values())) == len(rules)


def test_a_missing_input_is_one_line(inputs, tmp_path):
    run = ["--dataset", "made", "--run", str(inputs.folders[0])]
    output = ["--output", str(tmp_path / "x.svg")]
    for arguments, message in (
        (["timeline", *run, *output], "mafnet figure: figure timeline needs the option --split"),
        (["study", *run, *output], "mafnet figure: figure study needs the option --study"),
        (["pie", *run, *output], "mafnet figure: figure 'pie' is unknown; choose one of curves,"),
    ):
        result = CliRunner().invoke(main, ["figure", *arguments])
        assert result.exit_code == 1
        assert result.stderr.startswith(message)
        assert result.stderr.count("\n") == 1


def test_a_manifest_without_the_samples_is_one_line(inputs, tmp_path):
    other = [
        replace(sample, sample=f"other-{sample.sample}") for sample in made_test_samples(CLASSES)
    ]
    write_manifest(other, tmp_path / "other.csv")
    given = replace(inputs, splits={"main": tmp_path / "other.csv"})
    for name in ("timeline", "examples"):
        with pytest.raises(MafnetError, match=r"none of the samples of .*evaluate the run again"):
            draw_to(name, given, tmp_path / "x.svg")


def test_a_study_of_one_variant_has_nothing_to_compare(inputs, tmp_path):
    study = write_made_study(tmp_path / "alone.csv", inputs.folders)
    found = texts(drawn("study", replace(inputs, study=study), tmp_path))
    assert "compared with" in found


def test_a_row_that_only_the_paper_has_is_drawn_without_an_accuracy(inputs, tmp_path):
    study = write_made_study(tmp_path / "baselines.csv", inputs.folders)
    found = texts(drawn("study", replace(inputs, study=study), tmp_path))
    assert "dmrn_vgg19 ‡ (only the paper's number)" in found
    assert found.count("compared with") == 1
    assert not any("nan" in text for text in found)


@pytest.mark.parametrize("name", ["history.csv", "attention.npz"])
def test_a_damaged_file_of_a_run_is_one_line(name, inputs, tmp_path):
    given = made_inputs(tmp_path)
    unsealed(given.folders[0] / name).write_bytes(b"\0\1")
    figure = {"history.csv": "curves", "attention.npz": "event_attention"}[name]
    with pytest.raises(MafnetError, match=rf"{Path(name).stem}.* cannot be read .* again"):
        draw_to(figure, given, tmp_path / "x.svg")
