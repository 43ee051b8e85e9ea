"""The content of pages, and the limits that keep a page small."""

import base64
import dataclasses
import io
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from support.made_page import Results, predictions_with_errors, write_sounds
from support.seals import unsealed

from mafnet.cli import main
from mafnet.common.errors import MafnetError
from mafnet.features.class_scores import Classifier
from mafnet.report.page import content, embedded_figures, media_section
from mafnet.report.page.class_section import class_entries
from mafnet.report.page.content import page_content
from mafnet.report.page.mistake_section import mean_attention
from mafnet.report.page.partial_page import write_partial_page
from mafnet.report.page.render import fixed, flat, plural, render, signed
from mafnet.report.page.sounds import heard_in
from mafnet.report.page.verdicts import verdicts
from mafnet.report.partial_study import partial_path
from mafnet.report.statistics.runs import read_run
from mafnet.video.media import Media, read_media, write_media
from mafnet.video.status import Status

CLASSES = ["cat", "dog", "owl"]


def results(tmp_path, *predictions, samples=6, **settings):
    """Results with a run of the variant `main` for each of the predictions (S,)."""
    made = Results(tmp_path, CLASSES, samples, **settings)
    for seed, predicted in enumerate(predictions):
        made.run("main", seed, np.array(predicted))
    return made


def judged(made):
    return verdicts([read_run(folder) for folder in made.runs["main"]], {"main": {}})


def gathered(made, **more):
    return page_content(made.sources("main", **more), made.home / "report.html", workers=1)


# Verdicts


def test_vote_of_the_runs(tmp_path):
    """The labels are 0 1 2 0 1 2."""
    found = judged(results(tmp_path, [0, 1, 2, 1, 0, 1], [0, 1, 2, 1, 0, 2], [0, 1, 1, 1, 1, 2]))
    assert [one.predicted for one in found] == ["cat", "dog", "owl", "dog", "cat", "owl"]
    assert [one.right for one in found] == [3, 3, 2, 0, 1, 2]
    assert [one.outcome for one in found] == ["right", "right", "mixed", "wrong", "mixed", "mixed"]
    assert [one.wrong for one in found] == [False, False, False, True, True, False]
    # Runs give 0.8 to their prediction and 0.1 to each other class.
    assert found[2].probability == pytest.approx((0.8 + 0.8 + 0.1) / 3)
    assert found[3].own_probability == pytest.approx(0.1)
    assert found[4].top[0] == ("cat", pytest.approx((0.8 + 0.8 + 0.1) / 3))


def test_tie_goes_to_the_more_probable(tmp_path):
    made = results(tmp_path, [1] * 6)
    made.run("main", 1, np.array([0] * 6), confidence=0.9)
    assert {one.predicted for one in judged(made)} == {"cat"}


def test_seeds_with_different_samples_are_an_error(tmp_path):
    made = results(tmp_path / "one", [0] * 6)
    other = results(tmp_path / "other", [0] * 5, samples=5)
    made.runs["main"] += other.runs["main"]
    with pytest.raises(MafnetError, match=r"split main: seeds 0 and 0 .* evaluate both again"):
        judged(made)


def test_splits_are_kept_apart(tmp_path):
    one = results(tmp_path, [0, 1, 2, 0, 1, 1], split="one")
    other = results(tmp_path, [0, 1, 1, 0], samples=4, split="other")
    manifests = other.sources("main").manifests
    one.runs["main"] += other.runs["main"]
    sources = one.sources("main")
    sources = dataclasses.replace(sources, manifests=sources.manifests | manifests)
    found = page_content(sources, one.home / "report.html", workers=1)
    assert found.total == 10
    wrong = [(shot.verdict.split, shot.verdict.sample) for shot in found.worst]
    assert wrong == [("one", "s5"), ("other", "s2")]
    assert found.most_frequent == pytest.approx((100 * 2 / 6 + 100 * 2 / 4) / 2, abs=0.01)
    page = render(found)
    assert "<td>other</td>" in page
    assert "2 splits" in page


# Classes


def test_class_entries(tmp_path):
    made = results(tmp_path, [0, 1, 2, 1, 1, 0], [0, 1, 2, 0, 1, 0])
    measured = gathered(made).metrics["per_class"]
    cat, dog, owl = class_entries(measured, judged(made))
    assert (cat.accuracy, cat.samples, cat.predictions) == (75.0, 2, 4)
    assert [(other.name, other.count) for other in cat.taken_for] == [("dog", 1)]
    assert [(other.name, other.count) for other in cat.takes] == [("owl", 2)]
    assert (dog.false_alarms, dog.taken_for) == (1, [])
    assert [one.sample for one in owl.shown] == ["s5", "s2"]  # the mistake first
    assert cat.interval[0] < 75 < cat.interval[1]


def test_class_without_samples_has_no_interval(tmp_path):
    made = results(tmp_path, [0, 1], samples=2)
    owl = gathered(made).classes[2]
    assert (owl.accuracy, owl.interval, owl.shown) == (None, None, [])
    assert "no test sample" in render(gathered(made))


# Mistakes


def test_worst_mistakes_come_first_with_frames_and_attention(tmp_path):
    made = results(tmp_path, [0, 0, 2, 0, 1, 0], clips=2)
    made.make_videos(range(6))
    found = gathered(made)
    assert found.mistakes == 2
    assert [shot.verdict.sample for shot in found.worst] == ["s1", "s5"]
    assert len(found.unsure) == content.MAX_NEAR_MISSES - 2
    shot = found.worst[0]
    assert len(shot.seconds) == 2
    assert [second.event for second in shot.seconds] == [False, True]  # 1.0 to 2.5
    attention = mean_attention([read_run(folder) for folder in made.runs["main"]])
    for number, second in enumerate(shot.seconds):
        shares = [score.percent / 100 for score in second.scores]
        assert shares == pytest.approx(attention.weights[1, number])
    assert max(score.heat for second in shot.seconds for score in second.scores) == 10


def test_frames_are_of_the_middle_of_their_second(tmp_path):
    made = results(tmp_path, [1] * 6, clips=2)
    made.make_videos([0])
    shot = next(one for one in gathered(made).worst if one.verdict.sample == "s0")
    images = [image_of(second.frame) for second in shot.seconds]
    assert images[0].size == (112, 75)  # of 96x64
    # Frame N of ten a second has luma 16 + N, RGB 255 / 219 N; JPEG rounds by a level or two.
    levels = [np.asarray(one).mean() * 219 / 255 for one in images]
    assert levels == pytest.approx([5, 15], abs=2)


def image_of(uri):
    kind, _, data = uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_upright_videos_stay_upright_and_small(tmp_path):
    made = results(tmp_path, [1] * 6, clips=1)
    made.make_videos([0], size="32x96")
    shot = next(one for one in gathered(made).worst if one.verdict.sample == "s0")
    assert image_of(shot.seconds[0].frame).size == (45, 112)  # no narrower than 2 to 5


def test_missing_video_has_a_reason_and_the_others_have_frames(tmp_path):
    made = results(tmp_path, [1, 0, 0, 1, 0, 0], clips=1)
    made.make_videos(range(6))
    sources = made.sources("main")
    (made.folder / "videos/v2.mp4").unlink()
    found = page_content(sources, made.home / "report.html", workers=2)
    reasons = {shot.verdict.sample: shot.problem for shot in found.worst}
    assert reasons.pop("s2") == Status.UNDECODABLE
    assert set(reasons.values()) == {""}
    page = render(found)
    assert "No frames of" in page
    assert page.count("data:image/jpeg") == 5


def test_padding_has_no_score(tmp_path):
    made = results(tmp_path, [1] * 6)
    path = unsealed(made.runs["main"][0] / "attention.npz")
    with np.load(path) as file:
        arrays = dict(file)
    arrays["valid"][:, 2, :] = False
    arrays["attention"][:, 2, :] = 9.0  # must not change the scale
    np.savez(path, **arrays)
    for shot in gathered(made).worst:
        assert [score.percent for score in shot.seconds[2].scores] == [None, None]
        shown = [score.heat for second in shot.seconds[:2] for score in second.scores]
        assert max(shown) == 10


def test_damaged_attention_is_named(tmp_path):
    made = results(tmp_path, [1] * 6)
    path = unsealed(made.runs["main"][0] / "attention.npz")
    path.write_bytes(b"no arrays")
    with pytest.raises(MafnetError, match=r"attention\.npz: cannot be read .* evaluate the run"):
        gathered(made)


def test_without_mistakes_the_closest_are_shown(tmp_path):
    found = gathered(results(tmp_path, [0, 1, 2, 0, 1, 2]))
    assert (found.mistakes, found.worst, len(found.unsure)) == (0, [], 6)
    assert "No test sample is wrong" in render(found)


def test_videos_without_sound_are_marked(tmp_path):
    made = results(tmp_path, [1, 0, 0, 0, 1, 2])
    sources = made.sources("main")
    silent = {"v0.mp4": ("gap", "no_audio"), "v1.mp4": ("silent",)}
    rows = read_media(sources.media)
    marked = [dataclasses.replace(row, warnings=silent.get(row.video, ())) for row in rows]
    write_media(marked, sources.media)
    found = page_content(sources, made.home / "report.html", workers=1)
    marks = {shot.verdict.sample: shot.verdict.sound for shot in found.worst}
    assert marks == {"s0": "no_audio", "s1": "silent", "s2": ""}
    page = render(found)
    # Each in its scene, in the samples of its class and in all samples.
    assert (page.count('"tag">no_audio'), page.count('"tag">silent')) == (3, 3)


def test_settings_have_only_the_variants_and_studies_of_the_page(tmp_path):
    made = results(tmp_path, [0] * 6)
    made.run("late", 0, np.array([1] * 6))
    late = {"network": "late_fusion", "options": {"members": ["one", "two"]}}
    variants = {"main": {}, "late": late, "one": {}, "two": {}, "other": {}}
    settings = {
        "model": {"main": "main", "variants": variants},
        "report": {"studies": {"tried": ["main", "late"], "another": ["other"]}},
    }
    study = made.study("tried", ["main", "late"], "main")
    for studies, expected in (([], {"main"}), ([study], {"main", "late", "one", "two"})):
        sources = dataclasses.replace(made.sources("main", studies), settings=settings)
        shown = page_content(sources, made.home / "report.html", workers=1).settings
        assert shown["model"]["variants"].keys() == expected
        assert list(shown["report"]["studies"]) == ["tried"] * bool(studies)


# Studies


def test_study_has_numbers_and_methods(tmp_path):
    made = results(tmp_path, [0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 2])
    for seed in (0, 1):
        made.run("other", seed, np.array([1, 1, 1, 1, 1, 1]))
    found = gathered(made, studies=[made.study("tried", ["main", "other"], "main")])
    (study,) = found.studies
    own, other = study.rows
    assert (own.difference, own.remains) == (None, False)
    assert other.difference == pytest.approx(-66.67)
    # Both seeds are equal, so the samples alone vary: t = -0.667 / 0.211 with 5 degrees of freedom.
    assert other.difference_p == pytest.approx(0.025, abs=5e-4)  # written with three decimals
    assert other.remains
    assert not study.has_paper
    assert "80 % power" in study.notes[0]
    assert "Student's t with the two-way variance" in " ".join(study.methods)


def test_unfinished_study_names_its_missing_runs(tmp_path):
    made = results(tmp_path, [0, 1, 2, 0, 1, 2])
    made.run("other", 0, np.array([1] * 6))
    path = made.study("tried", ["main", "other"], "main", {"other": "main seed1: out of memory"})
    assert not path.exists()
    page = render(gathered(made, studies=[path]))
    assert "Runs are missing" in page
    assert "main seed1: out of memory" in page
    assert "One seed" in page


def test_missing_study_is_one_sentence(tmp_path):
    made = results(tmp_path, [0] * 6)
    (study,) = gathered(made, studies=[made.home / "studies/never.csv"]).studies
    assert re.fullmatch(r"This study does not exist yet: \S+never\.csv is missing\.", study.problem)


def test_partial_report_needs_all_runs_of_the_main_variant(tmp_path):
    made = results(tmp_path, [0, 1, 2, 0, 1, 2])
    made.run("other", 0, np.array([1] * 6))
    figures = [made.figure("curves"), made.home / "figures/examples.svg", made.figure("study-one")]
    one = made.study("one", ["main", "other"], "main")  # older than the partial one
    made.study("one", ["main", "other"], "main", {"other": "main seed1: out of memory"})
    sources = made.sources("main", [one, made.home / "studies/two.csv"], figures)
    output = made.home / "report.html"
    assert write_partial_page(sources, output)
    page = partial_path(output).read_text()
    assert 'id="figure-curves"' in page
    assert 'id="figure-study-one"' not in page
    assert "out of memory" in page
    assert "This study does not exist yet" in page
    assert not output.exists()
    partial_path(output).unlink()
    (made.runs["main"][0] / "metrics.json").unlink()
    assert not write_partial_page(sources, output)
    assert not partial_path(output).exists()


# Headline


def test_headline_of_one_seed_has_a_note_about_other_seeds(tmp_path):
    page = render(gathered(results(tmp_path, [0] * 6)))
    assert "One seed only" in page
    assert "33.3</span> % accuracy" in page  # of 6 samples, each is 17 %
    assert "Always predicting the most frequent label gives 33.3" in page


@pytest.mark.parametrize(
    ("protocol", "weights", "loud"),
    [
        ("demo", "random", ["Synthetic data", "random weights"]),
        ("demo", "imagenet", ["Pretrained networks, drawn videos", "published weights"]),
        ("own", "random", ["Random weights"]),
        ("own", "imagenet", []),
    ],
)
def test_banner_of_synthetic_data_and_random_weights(tmp_path, protocol, weights, loud):
    made = results(tmp_path, [0] * 6, weights=weights)
    page = render(gathered(made, protocol=protocol))
    banner = re.search(r'class="banner".*?</div>', page, re.DOTALL)
    assert bool(banner) == bool(loud)
    for text in loud:
        assert text in banner[0]


# Size


def test_page_stays_small_and_counts_what_is_left_out(tmp_path):
    made = Results(tmp_path, CLASSES, 2500)
    made.run("main", 0, predictions_with_errors(made.labels, 3, 0, wrong=0.1))
    page = render(gathered(made))
    assert "2,000 of 2,500 test samples" in page
    assert "24 of them are shown" in page
    assert page.count("<article") == 24
    assert len(page) < 2e6


def test_figures_beyond_the_budget_are_named(tmp_path):
    made = results(tmp_path, [0] * 6)
    small, large = made.figure("curves"), made.figure("confusion")
    last = made.figure("classes")
    large.write_bytes(b" " * embedded_figures.MAX_BYTES)
    found = embedded_figures.read_figures([small, large, last])
    assert [bool(figure.uri) for figure in found] == [True, False, True]
    assert "confusion.svg (8.0 MB)" in found[1].note
    assert [figure.section for figure in found] == ["result", "classes", "classes"]


def test_media_reasons_failures_first_and_capped(tmp_path):
    rows = [
        *(Media(f"w{n}.mp4", warnings=("no_audio",)) for n in range(media_section.MAX_VIDEOS + 5)),
        Media("b.mp4", status=Status.DAMAGED, error="half of it is lost"),
        Media("fine.mp4"),
    ]
    failed, warned = media_section.media_outcomes(rows)
    assert (failed.outcome, failed.name) == ("failed", Status.DAMAGED)
    assert failed.shown == [("b.mp4", "half of it is lost")]
    assert (warned.count, warned.hidden) == (media_section.MAX_VIDEOS + 5, 5)


# The command, and formats


def test_verb_writes_the_same_page_twice(tmp_path):
    made = results(tmp_path, [0, 1, 2, 0, 1, 1])
    sources = made.sources("main")
    pages = []
    for _ in range(2):
        output = made.home / "summary.html"
        arguments = [
            *("--metrics", sources.metrics, "--media", sources.media, "--root", sources.root),
            *("--run", made.runs["main"][0], "--split", "main", sources.manifests["main"]),
            *("--settings", '{"video": {"clips": 3}}', "--output", output),
        ]
        done = CliRunner().invoke(main, ["report", *map(str, arguments)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        pages.append(output.read_bytes())
    assert pages[0] == pages[1]


def test_damaged_predictions_are_one_line(tmp_path):
    made = results(tmp_path, [0] * 6)
    sources = made.sources("main")
    path = unsealed(made.runs["main"][0] / "predictions.csv")
    path.write_text(path.read_text().replace("p(owl)", "p(bear)"))
    with pytest.raises(MafnetError, match=r"predictions\.csv: .*no column p\(owl\).*evaluate"):
        page_content(sources, made.home / "report.html", workers=1)


def test_settings_are_flattened():
    values = {"a": {"b": [1, 2], "c": {}}, "d": None, "e": {"f": {"g": "x"}}}
    assert dict(flat(values)) == {"a.b": "1, 2", "a.c": "–", "d": "–", "e.f.g": "x"}


def test_numbers():
    assert (fixed(None), fixed(12.345), fixed(-1.0, 1)) == ("–", "12.35", "\N{MINUS SIGN}1.0")
    assert (signed(0.04), signed(-3.0)) == ("+0.0", "\N{MINUS SIGN}3.0")
    assert (plural(1, "class", "classes"), plural(2, "class", "classes")) == (
        "1 class",
        "2 classes",
    )


def test_content_is_all_used():
    """Every field is in a template."""
    templates = Path(content.__file__).parent / "templates"
    source = "".join(path.read_text() for path in templates.glob("*.j2"))
    for field in dataclasses.fields(content.Content):
        assert f"page.{field.name}" in source or field.name in ("metrics", "figures"), field.name


# Sounds


def test_seconds_with_the_same_sound_are_one_entry():
    classifier = Classifier(("bark", "cat, kitten", "wind"), np.zeros((3, 1)), np.zeros(3))
    scores = np.array([[0.9, 0.5, 0], [0.7, 0.3, 0.05], [0.05, 0, 0.09], [0, 0.6, 0.2], [0, 1, 0]])
    valid = np.array([True, True, True, True, False])
    found = [
        (part.seconds, [(name, round(score, 2)) for name, score in part.sounds])
        for part in heard_in(scores, valid, classifier)
    ]
    assert found == [
        (2, [("bark", 0.8), ("cat, kitten", 0.4)]), (1, []),
        (1, [("cat, kitten", 0.6), ("wind", 0.2)]), (1, []),
    ]  # fmt: skip


def test_page_names_the_sounds_beside_the_attention(tmp_path):
    made = results(tmp_path, [1, 1, 2, 0, 1, 2])
    sources = dataclasses.replace(made.sources("main"), sounds=write_sounds(made))
    page = render(page_content(sources, made.home / "report.html", workers=1))
    assert '<td colspan="1" class="heard"><span>Silence 62&nbsp;%</span></td>' in page
    assert (
        '<td colspan="2" class="heard"><span>Bark 95&nbsp;%</span>'
        "<span>Silence 62&nbsp;%</span></td>"
    ) in page
    assert "In the row <i>heard</i>" in page
    assert "heard</th>" not in render(gathered(made))
