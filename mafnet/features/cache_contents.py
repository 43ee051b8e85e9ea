"""Lists the contents of a cache, finds damaged entries and entries that no result uses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import read_json
from mafnet.features.cache import DamagedEntryError, FeatureCache
from mafnet.features.fingerprint import Fingerprint
from mafnet.features.shard_report import read_report


@dataclass(frozen=True)
class Folder:
    """The entries of one fingerprint.

    path: {cache}/{backbone}/{fingerprint[:16]}. fingerprint: None if its description is missing
    or damaged; then nothing can read the entries.
    """

    path: Path
    fingerprint: Fingerprint | None

    def entries(self) -> list[Path]:
        """The files of the entries, sorted."""
        return sorted(self.path.glob("*/*.clips"))


def folders(root: Path) -> list[Folder]:
    """Folders of a cache; MafnetError if the root is not a folder."""
    if not root.is_dir():
        raise MafnetError(f"{root}: is not a cache; name the folder of features.cache")
    paths = sorted(path for path in root.glob("*/*") if path.is_dir() and list(path.glob("??/")))
    return [Folder(path, _fingerprint(path)) for path in paths]


def damaged(root: Path, folder: Folder) -> Iterator[str]:
    """Messages about the damaged entries of a folder, one an entry."""
    if folder.fingerprint is None:
        yield f"{folder.path}: its fingerprint.json is missing or damaged; remove the folder"
        return
    cache = FeatureCache(root, folder.fingerprint)
    for path in folder.entries():
        try:
            cache.read(path.stem)
        except DamagedEntryError as error:
            yield str(error)


def unused(root: Path, results: Sequence[Path]) -> list[Path]:
    """Entries that no data set below the folders of results uses.

    A data set uses the videos of its extraction reports with the fingerprints of its feature
    files. If a modality is not packed yet, it uses every fingerprint. Other projects that share
    the cache must be named too.
    """
    reads = [read for folder in results for read in _reads(folder)]
    found = []
    for folder in folders(root):
        digest = folder.path.name
        read = [videos for digests, videos in reads if not digests or digest in digests]
        kept = set().union(*read)
        found += [path for path in folder.entries() if path.stem not in kept]
    return found


def remove(paths: Sequence[Path]) -> None:
    """Remove entries; MafnetError names one that cannot be removed."""
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise MafnetError(f"{path}: cannot be removed ({error.strerror})") from error


def _fingerprint(folder: Path) -> Fingerprint | None:
    try:
        fields = read_json(folder / "fingerprint.json")
        return Fingerprint(**fields | {"grid": tuple(fields["grid"].items())})
    except (MafnetError, TypeError, KeyError, AttributeError):
        return None


def _reads(results: Path) -> Iterator[tuple[set[str], set[str]]]:
    """Fingerprints (empty: all) and videos of each modality of each data set."""
    if not results.is_dir():
        raise MafnetError(f"{results}: is not a folder of results")
    for modality in sorted(results.glob("*/features/*/")):
        reports = [read_report(path) for path in sorted(modality.glob("*.tsv"))]
        videos = {row.sha256 for report in reports for row in report}
        yield _digests(modality), videos


def _digests(modality: Path) -> set[str]:
    """First digits of the fingerprints of a modality's feature files."""
    from mafnet.features.feature_file import open_features

    found = set()
    for path in modality.parent.glob(f"{modality.name}*.h5"):
        fields = open_features(path).fingerprint
        found.add(Fingerprint(**fields | {"grid": tuple(fields["grid"].items())}).digest[:16])
    return found
