"""`mafnet cache` shows, verifies and cleans, and removes nothing that is in use."""

import shutil

import pytest
from click.testing import CliRunner
from support.made_features import made_samples, write_features

from mafnet.cli import main
from mafnet.features.cache_contents import folders
from mafnet.features.shard_report import Extracted, write_report


@pytest.fixture
def project(tmp_path):
    """A cache with the audio of six videos; the results use five of them."""
    samples = made_samples({"train": 2})
    packed = write_features(tmp_path, samples, "audio")
    features = tmp_path / "results/mine/features"
    (features / "audio").mkdir(parents=True)
    shutil.copy(packed, features / "audio.h5")
    entries = sorted((tmp_path / "cache").glob("vggish/*/*/*.clips"))
    rows = [Extracted(f"{path.stem}.mp4", path.stem) for path in entries[1:]]
    write_report(rows, features / "audio/0000.tsv")
    return tmp_path, entries


def run(project, *arguments, **more):
    return CliRunner().invoke(
        main, ["cache", "--cache", str(project / "cache"), *arguments], **more
    )


def test_show_lists_backbone_videos_and_size(project):
    root, entries = project
    shown = run(root).output
    size = sum(path.stat().st_size for path in entries) / 1e6
    assert all(word in shown for word in ("vggish", "random", "float32", "6", f"{size:,.1f} MB"))


def test_verify_names_only_the_damaged_entry(project):
    root, entries = project
    assert run(root, "verify").exit_code == 0
    content = bytearray(entries[2].read_bytes())
    content[-1] ^= 1
    entries[2].write_bytes(content)
    result = run(root, "verify")
    assert result.exit_code == 1
    assert [path.stem in result.output for path in entries] == [False, False, True] + 3 * [False]


def test_verify_reports_a_folder_whose_description_is_damaged(project):
    root, _ = project
    next((root / "cache").glob("*/*/fingerprint.json")).write_text("{")
    assert "fingerprint.json" in run(root, "verify").output


def test_clean_removes_only_entries_that_no_result_uses(project):
    root, entries = project
    results = ("clean", "--results", str(root / "results"))
    assert "1 entries" in run(root, *results, "--dry-run").output
    assert all(path.exists() for path in entries)
    assert run(root, *results, input="n\n").exit_code == 1
    assert all(path.exists() for path in entries)
    assert run(root, *results, input="y\n").exit_code == 0
    assert [path.exists() for path in entries] == [False] + 5 * [True]


def test_clean_keeps_features_that_are_not_packed_yet(project):
    root, entries = project
    (root / "results/mine/features/audio.h5").unlink()
    run(root, "clean", "--results", str(root / "results"), "--yes")
    assert [path.exists() for path in entries] == [False] + 5 * [True]


def test_clean_removes_entries_of_another_fingerprint(project):
    root, entries = project
    old = entries[0].parents[1]
    other = old.with_name("0" * 16)
    shutil.copytree(old, other)
    run(root, "clean", "--results", str(root / "results"), "--yes")
    assert len(folders(root / "cache")) == 2
    assert not list(other.glob("*/*.clips"))


def test_folders_that_are_not_a_cache_or_results_are_named(project):
    root, _ = project
    result = CliRunner().invoke(main, ["cache", "--cache", str(root / "nowhere")])
    assert (result.exit_code, "nowhere: is not a cache" in result.output) == (1, True)
    result = run(root, "clean", "--results", str(root / "gone"), "--yes")
    assert (result.exit_code, "gone: is not a folder of results" in result.output) == (1, True)
