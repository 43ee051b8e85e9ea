"""Extraction of real files with real networks, also killed and disturbed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support.made_videos import AAC, H264, counting_frames, ffmpeg, tone

from mafnet.common.errors import MafnetError
from mafnet.features.backbones import frozen_network
from mafnet.features.backbones.inference import TorchBackbone
from mafnet.features.cache import DamagedEntryError
from mafnet.features.extract import extractor
from mafnet.features.feature_file import open_features
from mafnet.features.pack import pack
from mafnet.features.shard_report import read_report, write_report
from mafnet.features.weights.calibrate import calibrate
from mafnet.video.media import Media, write_media
from mafnet.video.probe import probe

VIDEOS = 10
SETTINGS = {
    "visual": {"video": {"clips": 2}, "features": {"backbone": "densenet201", "weights": "random"}},
    "audio": {"video": {"clips": 2}, "features": {"backbone": "vggish", "weights": "random"}},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder of videos of one second, all with audio except `mute.mp4`, and weights."""
    home = tmp_path_factory.mktemp("home")
    (home / "videos").mkdir()
    for number in range(VIDEOS):
        sound = tone(1.2, 200 + 100 * number)
        ffmpeg(*counting_frames(1, 5), *sound, *H264, *AAC, home / "videos" / f"{number:02d}.mp4")
    ffmpeg(*counting_frames(1, 5), *H264, home / "videos" / "mute.mp4")
    for modality, settings in SETTINGS.items():
        weights = frozen_network(settings["features"]["backbone"]).random_weights(0)
        tensors = {name: tensor.contiguous() for name, tensor in weights.items()}
        save_file(tensors, home / f"{modality}.safetensors")
    return home


@pytest.fixture(scope="module")
def media(home):
    paths = sorted((home / "videos").iterdir())
    return [probe(path, path.name) for path in paths]


@pytest.fixture
def tones(media):
    return [row for row in media if row.audio_codec]


def worker(home, cache, modality="audio", root=None, threads=1):
    root = root or home / "videos"
    weights = home / f"{modality}.safetensors"
    return extractor(root, weights, cache, SETTINGS[modality], threads, "cpu")


def features(home, cache, media, modality="audio"):
    """The bytes of the features of every video in a cache."""
    entries = worker(home, cache, modality).cache
    return {row.video: entries.read(row.sha256).clips.tobytes() for row in media}


@pytest.fixture(scope="module")
def undisturbed(home, media, tmp_path_factory):
    """A cache with the audio features of all videos."""
    cache = tmp_path_factory.mktemp("undisturbed")
    report = worker(home, cache).extract(media)
    assert [row.status for row in report] == ["ok"] * len(media)
    return cache


@pytest.fixture
def filled(undisturbed, tmp_path):
    """A copy of that cache, which a test may damage."""
    return shutil.copytree(undisturbed, tmp_path / "filled")


def verb(home, cache, table, output, *before, root=None):
    """The command line that extracts the audio features of a media table."""
    return [
        *before, sys.executable, "-m", "mafnet", "extract", "--media", str(table),
        "--root", str(root or home / "videos"), "--weights", str(home / "audio.safetensors"),
        "--cache", str(cache), "--settings", json.dumps(SETTINGS["audio"]),
        "--output", str(output), "--device", "cpu",
    ]  # fmt: skip


def entries(cache):
    return sorted(cache.glob("vggish/*/*/*.clips"))


def test_features_equal_those_of_the_backbone_alone(home, media, undisturbed):
    """The decoder pool, the batches and the cache do not change a byte."""
    from mafnet.features.weights.files import load
    from mafnet.video.config import VideoSettings
    from mafnet.video.decode import decode_audio

    network = TorchBackbone("vggish", load(home / "audio.safetensors"), "cpu", "float32")
    row = media[3]
    with decode_audio(home / "videos" / row.video, row, VideoSettings(clips=2)) as decoding:
        clips = np.stack(list(decoding))
    assert clips.shape[0] == 2  # 1.2 seconds of audio: the second clip is partial
    found = worker(home, undisturbed).cache.read(row.sha256).clips
    assert found.tobytes() == network(clips).tobytes()


def test_second_extraction_finds_everything(home, media, undisturbed, tmp_path, caplog):
    again = worker(home, undisturbed)
    again._build = None  # would fail if it were called
    with caplog.at_level("INFO"):
        report = again.extract(media)
    assert f"audio: {len(media)} videos in the cache, 0 to extract" in caplog.text
    assert [row.clips for row in report] == [2] * VIDEOS + [0]
    write_report(report, tmp_path / "report.tsv")
    assert read_report(tmp_path / "report.tsv") == report


def test_any_number_of_decoders_gives_the_same_bytes(home, media, undisturbed, tmp_path):
    worker(home, tmp_path, threads=3).extract(media[::-1])
    assert features(home, tmp_path, media) == features(home, undisturbed, media)


def copies(home, root, count):
    """Other files with the same audio as the first videos, so that there is more to do."""
    root.mkdir()
    for number in range(count):
        content = (home / "videos" / f"{number % VIDEOS:02d}.mp4").read_bytes()
        free = (8 + number).to_bytes(4, "big") + b"free" + bytes(number)  # a box that decoders skip
        (root / f"{number:02d}.mp4").write_bytes(content + free)
    return [probe(path, path.name) for path in sorted(root.iterdir())]


def test_calibration_leaves_the_model_that_extraction_by_openvino_needs(
    home, media, tmp_path, caplog
):
    """Calibration imports torch in any case; later, extraction does not import it."""
    pytest.importorskip("openvino")
    manifest, weights = tmp_path / "manifest.csv", tmp_path / "audio.safetensors"
    manifest.write_text("sample,video,label,subset\na,00.mp4,hum,train\n")
    settings = SETTINGS["audio"] | {"random": {"seed": 0, "calibration_videos": 1}}
    calibrate([manifest], home / "videos", settings, weights, 1)
    caplog.set_level("INFO", "mafnet")
    extraction = (home / "videos", weights, tmp_path / "cache", SETTINGS["audio"], 1, "cpu")
    extractor(*extraction).extract(media[:1])
    assert "by OpenVINO" in caplog.text
    assert "converting" not in caplog.text


@pytest.mark.parametrize("modality", SETTINGS)
def test_random_weights_do_not_depend_on_the_number_of_cores(home, tmp_path, modality):
    manifest = tmp_path / "manifest.csv"
    rows = (f"{number},{number:02d}.mp4,hum,train\n" for number in range(3))
    manifest.write_text("".join(["sample,video,label,subset\n", *rows]))
    random = {"random": {"seed": 0, "calibration_videos": 3}}
    features = SETTINGS[modality]["features"] | {"backend": "torch"}
    settings = SETTINGS[modality] | random | {"features": features}
    found = set()
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        calibrate([manifest], home / "videos", settings, tmp_path / str(threads), threads)
        assert torch.get_num_threads() == threads
        found.add((tmp_path / str(threads)).read_bytes())
    assert len(found) == 1


def test_killed_extraction_resumes(home, media, undisturbed, tmp_path, caplog):
    root, cache, output = tmp_path / "videos", tmp_path / "cache", tmp_path / "report.tsv"
    many = copies(home, root, 2 * VIDEOS)
    write_media(many, tmp_path / "media.tsv")
    process = subprocess.Popen(verb(home, cache, tmp_path / "media.tsv", output, root=root))
    deadline = time.monotonic() + 120
    while not entries(cache) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    done = len(entries(cache))
    assert 1 <= done < len(many)
    assert not output.exists()
    (cache / "writing" / f"{socket.gethostname()}-{process.pid}-{0:032x}").write_bytes(b"half")
    with caplog.at_level("INFO", "mafnet.features.extract"):
        worker(home, cache, root=root).extract(many)
    assert f"audio: {done} videos in the cache, {len(many) - done} to extract" in caplog.text
    expected = features(home, undisturbed, media)
    found = features(home, cache, many)
    assert all(
        found[row.video] == expected[f"{int(row.video[:2]) % VIDEOS:02d}.mp4"] for row in many
    )
    assert len(entries(cache)) == len(many)
    assert list((cache / "writing").iterdir()) == []


def test_two_processes_share_a_cache(home, media, undisturbed, tmp_path):
    """Overlapping shards at the same time: the first eight videos there, the last eight here."""
    write_media(media[:8], tmp_path / "media.tsv")
    cache = tmp_path / "cache"
    output = tmp_path / "report.tsv"
    here = worker(home, cache)
    with subprocess.Popen(verb(home, cache, tmp_path / "media.tsv", output)) as process:
        deadline = time.monotonic() + 120
        while not entries(cache) and time.monotonic() < deadline:
            time.sleep(0.001)
        here.extract(media[:2:-1])
    assert process.returncode == 0
    assert features(home, cache, media) == features(home, undisturbed, media)
    assert len(read_report(output)) == 8
    assert list((cache / "writing").iterdir()) == []


DAMAGE = {
    "flipped bit": lambda content: content[:-9] + bytes([content[-9] ^ 4]) + content[-8:],
    "truncated": lambda content: content[:-50],
    "zero length": lambda content: b"",
    "random": lambda content: np.random.default_rng(0).bytes(len(content)),
}


@pytest.mark.parametrize("damage", [*DAMAGE, "foreign", "gone"])
def test_packing_extracts_only_the_damaged_entry_again(
    damage, home, tones, undisturbed, filled, tmp_path, caplog
):
    good, bad = worker(home, undisturbed), worker(home, filled)
    path = bad.cache.path(tones[4].sha256)
    if damage == "foreign":
        shutil.copy(bad.cache.path(tones[5].sha256), path)
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(DamagedEntryError):
        bad.cache.read(tones[4].sha256)
    before = {path: path.stat().st_mtime_ns for path in entries(filled)}
    pack(tones, good, tmp_path / "good.h5", maps=True)
    caplog.clear()
    pack(tones, bad, tmp_path / "bad.h5", maps=True)
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert warning.getMessage().endswith("; extracting 04.mp4 again")
    assert (tmp_path / "bad.h5").read_bytes() == (tmp_path / "good.h5").read_bytes()
    changed = [path for path in entries(filled) if path.stat().st_mtime_ns != before.get(path)]
    assert changed == [path]


def test_damaged_entry_of_a_lost_video_is_one_line(home, tones, filled, tmp_path):
    bad = worker(home, filled, root=tmp_path / "elsewhere")
    bad.cache.path(tones[4].sha256).write_bytes(b"")
    with pytest.raises(MafnetError, match=r"^04\.mp4: its features are missing .*\(changed: "):
        pack(tones, bad, tmp_path / "bad.h5", maps=True)
    assert not (tmp_path / "bad.h5").exists()


def test_changed_video_is_not_cached_under_the_old_key(home, media, tmp_path):
    root = shutil.copytree(home / "videos", tmp_path / "videos")  # with their time stamps
    os.truncate(root / "01.mp4", 3000)
    shutil.copy(root / "05.mp4", root / "02.mp4")  # another size
    content = (root / "03.mp4").read_bytes()
    (root / "03.mp4").write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    os.utime(root / "03.mp4", (9, 9))  # the same size, another time stamp
    (root / "04.mp4").unlink()
    os.utime(root / "06.mp4", (9, 9))  # touched: another time stamp, the same bytes
    report = {row.video: row for row in worker(home, tmp_path, root=root).extract(media)}
    changed = {video for video, row in report.items() if row.status == "changed"}
    assert changed == {"01.mp4", "02.mp4", "03.mp4", "04.mp4"}
    assert all("--forcerun probe" in report[video].error for video in changed)
    cached = worker(home, tmp_path).cache
    assert {row.video for row in media if not cached.header(row.sha256)} == changed


def test_failures_are_rows_and_other_videos_are_extracted(home, media, tmp_path):
    (tmp_path / "no.mp4").write_bytes(b"no video at all")
    (tmp_path / "00.mp4").write_bytes((home / "videos" / "00.mp4").read_bytes())
    # As if probing had found audio in it.
    hopeful = replace(probe(tmp_path / "no.mp4", "no.mp4"), status="ok", audio_codec="aac")
    skipped = Media("unprobed.mp4", status="unreadable")
    found = worker(home, tmp_path / "cache", root=tmp_path).extract([hopeful, skipped, media[0]])
    assert [(row.video, row.status, row.clips) for row in found] == [
        ("00.mp4", "ok", 2),
        ("no.mp4", "undecodable", 0),
    ]
    assert found[1].error


def test_same_file_under_two_names_is_one_entry(home, media, tmp_path):
    rows = [media[0], replace(media[0], video="copy.mp4")]
    root = shutil.copytree(home / "videos", tmp_path / "videos")
    shutil.copy2(root / media[0].video, root / "copy.mp4")
    report = worker(home, tmp_path / "cache", root=root).extract(rows)
    assert [row.status for row in report] == ["ok", "ok"]
    assert len(entries(tmp_path / "cache")) == 1


def test_same_bytes_are_decoded_once(home, media, tmp_path):
    """The second name no longer has a file, so reading it would fail."""
    rows = [media[0], replace(media[0], video="zz.mp4")]
    report = worker(home, tmp_path / "cache").extract(rows)
    assert [(row.video, row.status) for row in report] == [(media[0].video, "ok"), ("zz.mp4", "ok")]


def test_features_that_are_not_finite_name_the_video(home, media, tmp_path):
    weights = frozen_network("vggish").random_weights(0)
    weights["conv4_2.weight"] *= 1e6  # beyond float16's 65504
    save_file(weights, tmp_path / "audio.safetensors")
    with pytest.raises(MafnetError, match=r"^00\.mp4: its audio features are not finite"):
        extractor(
            home / "videos", tmp_path / "audio.safetensors", tmp_path, SETTINGS["audio"], 1, "cpu"
        ).extract(media[:1])
    assert entries(tmp_path) == []


def test_read_only_cache_is_one_line_and_its_entries_are_used(home, tones, filled, tmp_path):
    write_media(tones, tmp_path / "media.tsv")
    lost, *others = tones
    path = worker(home, filled).cache.path(lost.sha256)
    path.unlink()
    everything = [filled, *filled.rglob("*")]
    folders = [path for path in everything if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    # root may write everywhere unless it drops this capability.
    weak = ["setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override"]
    if os.geteuid() == 0 and not shutil.which(weak[0]):
        pytest.skip("root may write to read-only folders, and there is no setpriv to forbid it")
    command = verb(home, filled, tmp_path / "media.tsv", tmp_path / "report.tsv",
                   *(weak if os.geteuid() == 0 else ()))  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    for folder in folders:
        folder.chmod(0o755)
    assert result.returncode == 1, result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"mafnet extract: {path}: cannot be written (Permission denied)")
    assert "Traceback" not in result.stderr
    assert len(features(home, filled, others)) == len(others)


def test_visual_features_of_a_real_clip(home, media, tmp_path):
    """The whole visual path, only once: DenseNet takes a second per clip."""
    row = media[0]
    deep = worker(home, tmp_path, "visual")
    (found,) = deep.extract([row])
    assert (found.status, found.clips) == ("ok", 1)
    maps = deep.cache.read(row.sha256).clips
    assert maps.shape == (1, 7, 7, 1920)
    assert (maps >= 0).all()
    pack([row], deep, tmp_path / "visual.h5", maps=False)
    opened = open_features(tmp_path / "visual.h5")
    assert opened.layers["valid"].tolist() == [[True, False]]
    # float16 rounds to 2^-11 of the value; the mean is taken in float32.
    expected = maps.astype(np.float64).mean(axis=(1, 2))
    np.testing.assert_allclose(opened.layers["pooled"][0, :1], expected, rtol=2**-11, atol=1e-7)
    assert not opened.layers["pooled"][0, 1].any()
    assert "maps" not in opened.layers
