"""Randomly damaged files of mafnet: each is read correctly or refused with one line.

The long test takes minutes: pytest -m slow tests/test_fuzz.py -s
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
    assert header is not None, "a readable entry must have a header"
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
    """The content with changes: relative position, number of deleted bytes, inserted bytes."""
    for position, deleted, inserted in changes:
        start = round(position * len(content))
        content = content[:start] + inserted + content[start + deleted :]
    return content


def fuzz(name: str, folder: Path, examples: int) -> int:
    """Read `examples` damaged files; returns how many were accepted."""
    write, read = FILES[name]
    path, accepted = folder / "file", 0
    write(path)
    whole = path.read_bytes()
    original = _as_bytes(read(path)) if name == "cache_entry" else b""

    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=NOT_LIMITED
    )
    @given(edits)
    def check(changes):
        nonlocal accepted
        path.write_bytes(damaged(whole, changes))
        found, refusal = _read(read, path)
        if refusal:
            assert str(path.parent) in refusal
            return
        accepted += 1
        if name == "cache_entry":
            assert _as_bytes(found) == original, (
                "values that differ from the written ones were accepted"
            )
        elif name in ("media_table", "report"):
            _read_again_is_the_same(name, found, path)

    check()
    return accepted


def _read(read: Callable, path: Path) -> tuple[object, str]:
    """The content, or the one line of the error."""
    try:
        return read(path), ""
    except (MafnetError, DamagedEntryError) as error:
        return None, str(error)


def _as_bytes(entry: Entry) -> bytes:
    """The whole entry as bytes; data after its end in the file is not part of it."""
    return entry.clips.tobytes() + repr((entry.warnings, entry.error, entry.error_lines)).encode()


def _read_again_is_the_same(name: str, rows: list, path: Path) -> None:
    """Rows that were read have fields of valid types: writing and reading gives the same rows."""
    write = write_media if name == "media_table" else write_report
    read = FILES[name][1]
    write(rows, path)
    # The comparison uses texts, because a number may be NaN.
    assert list(map(str, read(path))) == list(map(str, sorted(rows, key=lambda row: row.video)))


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_read_or_refused(name, tmp_path):
    fuzz(name, tmp_path, SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_read_or_refused_in_a_long_run(name, tmp_path, capsys):
    start = time.monotonic()
    accepted = fuzz(name, tmp_path, LONG)
    with capsys.disabled():
        seconds = time.monotonic() - start
        print(f"\n{name}: {LONG} damaged files in {seconds:.0f} s, {accepted} accepted")  # noqa: T201
