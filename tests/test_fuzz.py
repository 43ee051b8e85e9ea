"""Files that mafnet reads back, damaged at random: each is read rightly or refused in one line.

The long run takes minutes: pytest -m slow tests/test_fuzz.py -s
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.made_features import extractor

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import Sample, read_classes, read_manifest, write_manifest
from mafnet.features.cache import DamagedEntryError, Entry
from mafnet.features.shard_report import Extracted, read_report, write_report
from mafnet.video.media import Media, read_media, write_media

SHORT, LONG = 200, 20_000
SHA256 = "0" * 64
NOT_LIMITED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def manifest(path: Path) -> None:
    rows = [Sample(f"s{n}", f'a "{n}", b/ä.mp4', "x", "val", (0.5, 2)) for n in range(3)]
    write_manifest(rows, path)


def classes(path: Path) -> None:
    path.write_text("bark\nwhistle\nä\n", encoding="utf-8")


def media_table(path: Path) -> None:
    rows = [Media("a\t\n.mp4", SHA256, 1, 2, 3.5, -0.1, "mov", "h264", 64, 48, 90, 29.97)]
    write_media([*rows, Media("b", warnings=("x", "y"), error='"said"\\', error_lines=3)], path)


def report(path: Path) -> None:
    write_report([Extracted("a", SHA256, 3), Extracted("b", SHA256, 0, "timeout", ("x",))], path)


def cache_entry(path: Path) -> None:
    cache = extractor(path.parent, "audio").cache
    clips = np.arange(2 * 12 * 8 * 512).reshape(2, 12, 8, 512) % 7
    cache.write(SHA256, Entry(clips.astype(np.float16), ("x",), "said", 2))
    cache.path(SHA256).rename(path)


def read_entry(path: Path) -> Entry:
    cache = extractor(path.parent, "audio").cache
    cache.path(SHA256).write_bytes(path.read_bytes())
    header, entry = cache.header(SHA256), cache.read(SHA256)
    assert header is not None, "an entry that can be read has a header"
    return entry


FILES = {
    "manifest": (manifest, read_manifest),
    "classes": (classes, read_classes),
    "media_table": (media_table, read_media),
    "report": (report, read_report),
    "cache_entry": (cache_entry, read_entry),
}

edits = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 40),
        st.binary(max_size=8)
        | st.sampled_from([b"\t", b"\n", b'"', b",", b"\r", b"\\", b"\0", b"-"]),
    ),
    min_size=1,
    max_size=4,
)


def damaged(content: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    """The content with bytes cut out and others put in at some places."""
    for where, cut, put in changes:
        place = round(where * len(content))
        content = content[:place] + put + content[place + cut :]
    return content


def fuzz(name: str, folder: Path, examples: int) -> int:
    """Read so many damaged files; returns how many were still taken for whole."""
    make, read = FILES[name]
    path, taken = folder / "file", 0
    make(path)
    whole = path.read_bytes()
    original = _as_bytes(read(path)) if name == "cache_entry" else b""

    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=NOT_LIMITED
    )
    @given(edits)
    def check(changes):
        nonlocal taken
        path.write_bytes(damaged(whole, changes))
        found, refusal = _read(read, path)
        if refusal:
            assert str(path.parent) in refusal
            return
        taken += 1
        if name == "cache_entry":
            assert _as_bytes(found) == original, "other values were taken for what was written"
        elif name in ("media_table", "report"):
            _read_again_is_the_same(name, found, path)

    check()
    return taken


def _read(read: Callable, path: Path) -> tuple[object, str]:
    """What is read, or the one line with which it is refused."""
    try:
        return read(path), ""
    except (MafnetError, DamagedEntryError) as error:
        return None, str(error)


def _as_bytes(entry: Entry) -> bytes:
    """All that an entry holds; what stands behind its end in the file is no part of it."""
    return entry.clips.tobytes() + repr((entry.warnings, entry.error, entry.error_lines)).encode()


def _read_again_is_the_same(name: str, rows: list, path: Path) -> None:
    """Whatever was read has fields of the right types: it can be written and read back."""
    write = write_media if name == "media_table" else write_report
    read = FILES[name][1]
    write(rows, path)
    # Compared as text, because a number may be NaN.
    assert list(map(str, read(path))) == list(map(str, sorted(rows, key=lambda row: row.video)))


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_read_or_refused(name, tmp_path):
    fuzz(name, tmp_path, SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_read_or_refused_for_long(name, tmp_path, capsys):
    start = time.monotonic()
    taken = fuzz(name, tmp_path, LONG)
    with capsys.disabled():
        seconds = time.monotonic() - start
        print(f"\n{name}: {LONG} damaged files in {seconds:.0f} s, {taken} read")  # noqa: T201
