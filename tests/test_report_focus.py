"""Attention on the event, frames, and features before and after FiLM."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.made_features import made_data, made_samples
from support.made_runs import made_inputs, made_run, made_test_samples
from support.made_videos import counting_video, probed, rotated

from mafnet.dataset.config import DemoData, OwnData, PublishedData
from mafnet.dataset.manifest import Sample, write_manifest
from mafnet.dataset.origin import origin_of, records_events
from mafnet.model.config import Training
from mafnet.model.networks import network_spec
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import RunSettings
from mafnet.model.train import train
from mafnet.report.figures import example_variants
from mafnet.report.figures.choice import drawn
from mafnet.report.figures.draw import draw_to
from mafnet.report.figures.inputs import Inputs
from mafnet.report.statistics.film_vectors import chance_share, film_vectors, same_class_share
from mafnet.report.statistics.focus import covered, focus_mean, focus_of
from mafnet.report.statistics.runs import read_run
from mafnet.report.video_frames import SIDE, FrameReader
from mafnet.video.media import write_media

CLASSES = ("cat", "dog")


def focus_with(tmp_path, weights, event, seed=0):
    """The focus of a run whose every sample has the same weights (T, K) and event."""
    weights = np.asarray(weights, np.float32)
    samples = [replace(row, event=event) for row in made_test_samples(CLASSES)]
    attention = np.repeat(weights[None], len(samples), axis=0)
    folder = made_run(tmp_path, samples, CLASSES, seed, clips=len(weights), attention=attention)
    return focus_of(read_run(folder), {sample.sample: sample for sample in samples})


# Attention on the event


def test_seconds_that_the_event_fills_in_part_count_in_part():
    sample = Sample("s", "s.mp4", "cat", "test", event=(0.5, 2.25))
    assert covered(sample, 4).tolist() == [0.5, 1, 0.25, 0]
    assert covered(replace(sample, event=(7, 9)), 4).tolist() == [0, 0, 0, 0]


def test_even_attention_is_chance(tmp_path):
    """As of a variant without attention."""
    focus = focus_with(tmp_path, np.full((4, 2), 1 / 8), event=(1, 2.5))
    assert focus.inside == pytest.approx(np.full((8, 3), 1.5 / 4))  # float32 weights
    assert focus.chance == pytest.approx(np.full(8, 1.5 / 4))
    mean, interval = focus_mean([focus], 2)
    assert (mean, interval.low, interval.high) == (37.5, 37.5, 37.5)


def test_each_modality_has_its_own_share(tmp_path):
    """Visual has a tenth of the attention, all of it on the event; audio has none of it there."""
    weights = [[0.1, 0.0], [0.0, 0.45], [0.0, 0.45]]
    focus = focus_with(tmp_path, weights, event=(0, 1))
    assert focus.inside[0] == pytest.approx([1, 0, 0.1])
    assert focus.shares[0] == pytest.approx([0.1, 0.9])


def test_a_modality_without_attention_counts_as_chance(tmp_path):
    focus = focus_with(tmp_path, [[0.5, 0.0], [0.5, 0.0]], event=(0, 1))
    assert focus.inside[0] == pytest.approx([0.5, 0.5, 0.5])


@pytest.mark.parametrize("event", [None, (0.0, 3.0), (5.0, 6.0)])
def test_events_without_information_are_left_out(event, tmp_path):
    assert len(focus_with(tmp_path, np.full((3, 2), 1 / 6), event).chance) == 0


def test_the_length_of_events_does_not_widen_the_interval(tmp_path):
    """Always ten points above chance; chance is 1/4 or 3/4."""
    focus = focus_with(tmp_path, np.full((4, 2), 1 / 8), event=(0, 1))
    chance = np.where(np.arange(8) % 2, 0.25, 0.75)
    focus = replace(focus, chance=chance, inside=np.repeat(chance[:, None] + 0.1, 3, axis=1))
    mean, interval = focus_mean([focus], 2)
    assert (mean, interval.low, interval.high) == (60.0, 60.0, 60.0)


def test_splits_have_equal_weights(tmp_path):
    """All attention on the event in one split, none in the other; their sizes differ."""
    looks = focus_with(tmp_path / "a", [[0.5, 0.5], [0, 0]], event=(0, 1))
    away = replace(focus_with(tmp_path / "b", [[0, 0], [0.5, 0.5]], event=(0, 1)), split="other")
    parts = {name: getattr(away, name)[:2] for name in ("inside", "chance", "shares", "groups")}
    away = replace(away, **parts)
    assert focus_mean([looks, away], 2)[0] == 50.0


# Frames


def test_frames_are_from_the_middle_of_each_second(tmp_path):
    path = counting_video(tmp_path / "a.mp4", 3, 30)
    write_media([replace(probed(path), video="a.mp4")], tmp_path / "media.tsv")
    found = FrameReader(tmp_path, tmp_path / "media.tsv").frames("a.mp4", 5)
    assert [image.shape for image in found.images] == [(SIDE, SIDE, 3)] * 3
    levels = [float(image.mean()) for image in found.images]
    # Frame N has luma 16 + N, which is 255 / 219 * N as RGB; the middle is frame 15 of 30.
    assert levels == pytest.approx([255 / 219 * n for n in (15, 45, 75)], abs=1.5)
    assert found.aspect == pytest.approx(64 / 48)
    assert found.problem == ""


def test_a_rotated_video_is_shown_upright(tmp_path):
    path = rotated(counting_video(tmp_path / "a.mp4", 1), 90)
    write_media([replace(probed(path), video="a.mp4")], tmp_path / "media.tsv")
    assert FrameReader(tmp_path, tmp_path / "media.tsv").frames("a.mp4", 1).aspect == 48 / 64


def test_missing_damaged_and_unknown_videos_have_a_problem(tmp_path):
    missing = replace(probed(counting_video(tmp_path / "missing.mp4", 1)), video="missing.mp4")
    (tmp_path / "missing.mp4").unlink()
    (tmp_path / "text.mp4").write_text("text")
    write_media([missing, replace(missing, video="text.mp4")], tmp_path / "media.tsv")
    reader = FrameReader(tmp_path, tmp_path / "media.tsv")
    found = {name: reader.frames(f"{name}.mp4", 1) for name in ("missing", "text", "unknown")}
    assert not any(frames.images for frames in found.values())
    problems = [frames.problem for frames in found.values()]
    assert problems == ["undecodable", "undecodable", "not in the media table"]


# FiLM


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny trained MAFnet with the data that it was trained on."""
    folder = tmp_path_factory.mktemp("film")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    samples = made_samples({"train": 3, "val": 1, "test": 4})
    data = made_data(folder, samples, ("visual", "audio"))
    settings = RunSettings(
        variant="mafnet", network="mafnet", options={"hidden": 8, "bn_momentum": 0.1},
        training=Training(batch_size=4, max_epochs=2), seed=0, classes=data.classes,
        clips=data.clips,
        features={name: file.fingerprint for name, file in data.files.items()},
    )  # fmt: skip
    run = folder / "main" / "mafnet" / "seed0"
    train(settings, data, run, torch.device("cpu"))
    yield run, data
    torch.set_num_threads(threads)


def test_before_and_after_differ_by_film_alone(trained):
    """FiLM is linear in the maps, so it acts on their mean over positions as on the maps."""
    run, data = trained
    (space,) = film_vectors(RunFolder(run), data)
    assert space.modality == "audio"
    assert space.before.shape == space.after.shape == (12 * 2, 8)
    assert space.labels.tolist() == np.repeat(data.subset("test").labels, 2).tolist()
    weights = RunFolder(run).read_weights()
    visual = data.read(data.subset("test").rows, ["visual"])["visual"].reshape(24, -1)
    generated = torch.from_numpy(visual).float() @ weights["audio_block.film.generator.weight"].T
    gamma, beta = (
        (generated + weights["audio_block.film.generator.bias"]).numpy().T.reshape(2, 8, 24)
    )
    expected = (1 + gamma.T) * space.before + beta.T
    assert space.after == pytest.approx(expected, abs=1e-4)  # sums of 1,920 products in float32


def test_the_figure_of_film_is_the_same_twice(trained, tmp_path):
    run, data = trained
    made = made_run(tmp_path, data.subset("test").samples, data.classes)
    shutil.copy(made / "predictions.csv", run)
    settings = {"settings": RunFolder(run).settings_digest}
    RunFolder(run).write_metrics(RunFolder(made).read_metrics() | settings)
    features = [file.path for file in data.files.values()]
    given = Inputs("made", [run], splits={"main": data.manifest}, features=features)
    draw_to("film_space", given, tmp_path / "film_space.svg")
    first = (tmp_path / "film_space.svg").read_bytes()
    draw_to("film_space", given, tmp_path / "film_space.svg")
    assert (tmp_path / "film_space.svg").read_bytes() == first
    text = first.decode()
    assert "audio, before FiLM: nearest of same class" in text
    assert all(name in text for name in data.classes)
    assert "24 of their seconds" in text


def test_neighbours_of_the_same_video_do_not_count():
    """The two seconds of the second video are similar only to each other."""
    vectors = np.array([[0.0], [0.1], [5.0], [5.1], [0.5], [12.0]])
    labels = np.array([0, 0, 1, 1, 0, 1])
    videos = np.array([0, 0, 1, 1, 2, 3])
    assert same_class_share(vectors, labels, videos) == pytest.approx(4 / 6)
    chances = [1 / 4, 1 / 4, 1 / 4, 1 / 4, 2 / 5, 2 / 5]
    assert chance_share(labels, videos) == pytest.approx(np.mean(chances))


# Which figures, which samples


def test_preferred_samples_come_first_and_classes_in_turn():
    samples = made_test_samples(("cat", "dog", "owl"), 3)
    liked = [sample for sample in samples if sample.label == "owl"][:2]
    others = [sample for sample in samples if sample not in liked]
    chosen = drawn(liked, others, 4)
    assert {sample.label for sample in chosen[:2]} == {"owl"}
    assert {sample.label for sample in chosen[2:]} == {"cat", "dog"}
    assert drawn(liked[::-1], others[::-1], 4) == chosen
    assert len(drawn(liked, others, 99)) == 9


def test_examples_are_of_the_modalities_and_no_film():
    studies = {"modalities": ["visual_only", "mafnet"], "fusion": ["no_film", "fusion_mcb"]}
    assert example_variants("mafnet", studies) == ["mafnet", "visual_only", "no_film"]
    assert example_variants("mafnet", {}) == ["mafnet"]


def test_which_data_sets_have_events(tmp_path):
    ave, ucf51 = (PublishedData(source=name, folder="/videos") for name in ("ave", "ucf51"))
    assert records_events(origin_of("demo", DemoData(source="demo")))
    assert records_events(origin_of("ave", ave))
    assert not records_events(origin_of("ucf51", ucf51))
    own = OwnData(root=str(tmp_path), splits={"main": str(tmp_path / "manifest.csv")})
    samples = made_test_samples(CLASSES)
    write_manifest(samples, tmp_path / "manifest.csv")
    assert records_events(origin_of("own", own))
    write_manifest([replace(row, event=None) for row in samples], tmp_path / "manifest.csv")
    assert not records_events(origin_of("own", own))


def test_which_networks_have_film():
    assert network_spec("mafnet").has_film({})
    assert network_spec("mafnet").has_film({"film": "both", "blocks": "both"})
    assert not network_spec("mafnet").has_film({"film": "none"})
    assert not network_spec("dmrn").has_film({})


def test_figures_of_videos_show_one_run_of_the_main_variant(tmp_path):
    given = made_inputs(tmp_path)
    runs = sorted(given.folders[0].parents[1].glob("*/seed*"), reverse=True)
    shown = replace(given, folders=runs).shown
    assert (shown.variant, shown.seed) == ("mafnet", 0)
