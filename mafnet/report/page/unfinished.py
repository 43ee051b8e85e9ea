"""The report while runs of a study are missing: what there is, and what there is not, named."""

from dataclasses import replace
from pathlib import Path

from mafnet.report.page.content import Sources, page_content
from mafnet.report.page.render import write_page
from mafnet.report.partial import partial_path


def unfinished_path(output: Path) -> Path:
    """Where the report lies while runs of it are missing."""
    return output.with_suffix(".partial.html")


def write_unfinished(sources: Sources, output: Path) -> bool:
    """Write the report of the studies and figures that there are.

    output: of the whole report; the unfinished one lies beside it, until that is made.
    Returns False, and writes nothing, if results of the main variant are missing.
    """
    runs = [folder / "attention.npz" for folder in sources.runs]
    needed = [sources.metrics, sources.media, *runs, *sources.manifests.values()]
    if not all(path.exists() for path in needed):
        return False
    old = {f"study-{path.stem}" for path in sources.studies if partial_path(path).exists()}
    figures = [path for path in sources.figures if path.exists() and path.stem not in old]
    path = unfinished_path(output)
    write_page(page_content(replace(sources, figures=figures), path, workers=1), path)
    return True
