"""The shard of a video does not depend on the other videos of the data set."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import Sample, write_manifest
from mafnet.dataset.shard_lists import listed_shards, listed_videos, write_shard_lists
from mafnet.dataset.shards import (
    MOST_SHARDS,
    VIDEOS_PER_SHARD,
    manifest_shards,
    shard_count,
    shard_of,
    shard_videos,
    videos_of_shard,
)

names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


def test_the_hash_never_changes():
    """Another hash would extract every shard of every data set again."""
    # The first 8 bytes of SHA-256 of the path, as a big-endian number, modulo the shards.
    found = [shard_of(video, 64) for video in ("a.mp4", "videos/b.mp4", "ü.mp4")]
    assert found == ["0032", "0041", "0038"]


@given(st.integers(0, 10**7))
def test_number_of_shards_is_a_power_of_two_that_fits(videos):
    count = shard_count(videos)
    assert count & (count - 1) == 0
    assert count * VIDEOS_PER_SHARD >= videos or count == MOST_SHARDS
    assert count == 1 or count * VIDEOS_PER_SHARD < 2 * videos
    assert count <= MOST_SHARDS


@given(st.sets(names, min_size=1, max_size=50), names, st.sampled_from([1, 2, 8, 1024]))
def test_one_more_video_touches_one_shard(videos, another, shards):
    before, after = shard_videos(videos, shards), shard_videos(videos | {another}, shards)
    changed = [name for name in after if after[name] != before.get(name)]
    assert changed == ([] if another in videos else [shard_of(another, shards)])


@given(st.lists(names, max_size=50), st.sampled_from([1, 2, 8, 1024]))
def test_every_video_is_in_one_shard_in_a_fixed_order(videos, shards):
    members = shard_videos(videos, shards)
    assert sorted(video for shard in members.values() for video in shard) == sorted(set(videos))
    assert members == shard_videos(reversed(videos), shards)
    assert all(shard == sorted(shard) and shard for shard in members.values())
    assert list(members) == sorted(members)


@given(names, st.integers(0, 12))
def test_doubling_the_shards_splits_each_in_two(video, power):
    small, large = (int(shard_of(video, 2**n)) for n in (power, power + 1))
    assert large in (small, small + 2**power)


def test_shards_are_about_equally_full():
    members = shard_videos((f"videos/{number:06d}.mp4" for number in range(22_000)), 256)
    sizes = [len(shard) for shard in members.values()]
    # 86 on average, with a binomial standard deviation of 9.3. More than 6 of them is not chance.
    assert len(sizes) == 256
    assert 30 < min(sizes) < max(sizes) < 142


def test_shards_of_several_splits_contain_each_video_once(tmp_path):
    for split in ("one", "two"):
        samples = [Sample("a", "x.mp4", "c", "train"), Sample("b", f"{split}.mp4", "d", "test")]
        write_manifest(samples, tmp_path / f"{split}.csv")
    found = manifest_shards([str(tmp_path / "one.csv"), str(tmp_path / "two.csv")])
    assert found == {"0000": ["one.mp4", "two.mp4", "x.mp4"]}


def test_faults_of_all_manifests_are_reported_at_once(tmp_path):
    paths = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for path in paths:
        path.write_text("sample,video,label,subset\na,../x,c,train\n")
    with pytest.raises(MafnetError) as caught:
        manifest_shards(map(str, paths))
    assert all(f"{path}: 1 faults" in str(caught.value) for path in paths)


def test_a_list_of_another_state_is_not_read(tmp_path, monkeypatch):
    """Jobs read the lists instead of the manifests, so an old list would give wrong videos."""
    monkeypatch.chdir(tmp_path)
    manifests = ["one.csv", "two.csv"]
    samples = [Sample(f"s{i}", f"{i}.mp4", "a", "train") for i in range(300)]
    for path in manifests:
        write_manifest(samples, Path(path))
    assert listed_videos(manifests, "0001") is None
    shards = manifest_shards(manifests)
    write_shard_lists(manifests, shards)
    assert listed_shards(manifests) == list(shards)
    assert {shard: listed_videos(manifests, shard) for shard in shards} == shards
    assert listed_videos(manifests, "9999") == []
    assert videos_of_shard(manifests, None, "0001") == shards["0001"]
    write_manifest([*samples, Sample("new", "new.mp4", "a", "train")], Path("two.csv"))
    assert listed_videos(manifests, "0001") is None
    new = shard_of("new.mp4", 4)
    assert "new.mp4" in videos_of_shard(manifests, None, new)
    write_shard_lists(manifests, manifest_shards(manifests))
    assert "new.mp4" in listed_videos(manifests, new)
    assert len(list(Path(".snakemake/mafnet/shards").glob("*/*"))) == 1
