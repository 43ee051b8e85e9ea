"""From a data set's archives, wherever they are, to a folder of its videos and lists."""

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from mafnet.common.download import obtain
from mafnet.common.errors import MafnetError
from mafnet.common.files import canonical_json, digest_of, read_json, replacing, write_json
from mafnet.common.resources import table
from mafnet.common.tables import write_table
from mafnet.dataset.archives.readers import Member
from mafnet.dataset.archives.unpack import unpack
from mafnet.dataset.lists import find_lists, missing_lists, read_lists
from mafnet.dataset.sources.base import Source

log = logging.getLogger(__name__)

ARCHIVE_ENDINGS = (".zip", ".rar", ".7z", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ADDRESS_LIST_ENDING = "_path.txt"
"""Files of a mirror that name its archives, one address a line (k400_train_path.txt)."""

RECORDS = ".unpacked"
"""Folder in the target with one record an archive that was unpacked to its end."""


def download(source: Source, folder: Path) -> list[Path]:
    """Fetch a data set's archives and lists to a folder; what is there already is verified."""
    rows = [row for row in table("downloads.tsv") if row["dataset"] == source.name]
    terms = dict.fromkeys(row["terms"] for row in rows)
    log.info("%s: %s", source.name, "; ".join(terms))
    return [obtain(folder / row["file"], [row["address"]], row["sha256"]) for row in rows]


def collect(source: Source, place: Path, lists: Path | None, target: Path) -> list[Member]:
    """Unpack a data set's videos and lists below `target`, those that are wanted and no more.

    place: an archive, or a folder of archives and of lists of addresses of archives.
    lists: folder or zip file of the lists, where they are neither beside nor in the archive.
    An archive that an earlier call finished is not opened again, nor downloaded.
    """
    texts = _texts(source, place, lists, target)
    wanted = _wanted(source, texts)
    members = []
    for archive in archives_of(place):
        members += _once(archive, target, wanted)
    for address in addresses_of(place):
        members += _from_address(address, target, wanted)
    if not members:
        raise MafnetError(
            f"{place}: holds no video of {source.name}; name its archive, or a folder of archives "
            f"({', '.join(ARCHIVE_ENDINGS)}) or of lists of addresses (*{ADDRESS_LIST_ENDING})"
        )
    log.info("%s: %d files in %s", source.name, len(members), target)
    return members


def archives_of(place: Path) -> list[Path]:
    """The archives below a folder, sorted, or the one archive."""
    if not place.is_dir():
        return [place]
    return sorted(path for path in place.rglob("*") if path.name.endswith(ARCHIVE_ENDINGS))


def addresses_of(place: Path) -> list[str]:
    """The addresses in a folder's lists of addresses."""
    lists = sorted(place.glob(f"*{ADDRESS_LIST_ENDING}")) if place.is_dir() else []
    return [
        line.strip() for path in lists for line in path.read_text().splitlines() if line.strip()
    ]


def write_listing(members: Sequence[Member], path: Path) -> None:
    """Write which files were unpacked, a table with one row a file."""
    write_table(("file", "bytes"), sorted((file.name, file.size) for file in members), path)


def _texts(source: Source, place: Path, lists: Path | None, target: Path) -> dict[str, str]:
    """The lists that are known before unpacking; those that lay beside the archives are copied."""
    if lists:
        return read_lists(source, lists)
    found = find_lists(source, place) if place.is_dir() else {}
    if missing_lists(source, found):
        return {}
    texts = read_lists(source, place)
    for key, text in texts.items():
        with replacing(target / "lists" / PurePosixPath(found[key]).name) as beside:
            beside.write_text(text, encoding="utf-8", newline="")
    return texts


def _wanted(source: Source, texts: dict[str, str]) -> Callable[[str], bool]:
    try:
        return source.wanted(texts)
    except KeyError as error:
        raise MafnetError(
            f"{source.name}: which files its archives' videos are is in the list {error}; "
            "name the folder of the lists (config: datasets, `lists`)"
        ) from error


def _from_address(address: str, target: Path, wanted: Callable[[str], bool]) -> list[Member]:
    """Fetch one archive, take what is wanted and delete it again: there are terabytes of them."""
    name = _record_name(address)
    done = _recorded(target, name, address)
    if done is not None:
        return done
    archive = obtain(target / RECORDS / name / PurePosixPath(address).name, [address])
    members = unpack(archive, target, wanted)
    _record(target, name, address, members)
    shutil.rmtree(archive.parent)
    return members


def _once(archive: Path, target: Path, wanted: Callable[[str], bool]) -> list[Member]:
    """Unpack an archive unless the same one was unpacked to its end before."""
    try:
        found = archive.stat()
    except OSError as error:
        raise MafnetError(f"{archive}: is not there; name the archive or its folder") from error
    identity = canonical_json([found.st_size, found.st_mtime_ns])
    name = _record_name(str(archive.resolve()))
    done = _recorded(target, name, identity)
    if done is None:
        log.info("unpacking %s (%.1f MB)", archive, found.st_size / 1e6)
        done = unpack(archive, target, wanted)
        _record(target, name, identity, done)
    return done


def _record_name(place: str) -> str:
    """A record's name: train and val of a mirror have archives of the same names."""
    return f"{PurePosixPath(place).name}-{digest_of(place)[:12]}"


def _recorded(target: Path, name: str, identity: str) -> list[Member] | None:
    """What an archive gave once unpacked to its end; None if it was not or files are gone."""
    path = target / RECORDS / f"{name}.json"
    if not path.exists():
        return None
    record = read_json(path)
    members = [Member(*entry) for entry in record["files"]]
    same = record["archive"] == identity
    return members if same and all(_is_there(target, member) for member in members) else None


def _is_there(target: Path, member: Member) -> bool:
    path = target / member.name
    return path.is_file() and path.stat().st_size == member.size


def _record(target: Path, name: str, identity: str, members: Sequence[Member]) -> None:
    files = [[member.name, member.size] for member in members]
    write_json({"archive": identity, "files": files}, target / RECORDS / f"{name}.json")
