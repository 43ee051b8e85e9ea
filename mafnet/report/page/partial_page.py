"""The report of unfinished studies: it shows the finished runs and names the missing ones."""

from dataclasses import replace
from pathlib import Path

from mafnet.model.run_folder import RunFolder
from mafnet.report.page.content import Sources, page_content
from mafnet.report.page.render import write_page
from mafnet.report.partial_study import partial_path


def write_partial_page(sources: Sources, output: Path) -> bool:
    """Write the report of the finished studies and figures.

    output: the file of the complete report. The partial report is written next to it.
    Returns False, and writes nothing, if results of the main variant are missing.
    """
    needed = [sources.metrics, sources.media, *sources.manifests.values()]
    evaluated = all(RunFolder(path).is_evaluated for path in sources.runs)
    if not evaluated or not all(path.exists() for path in needed):
        return False
    old = {f"study-{path.stem}" for path in sources.studies if partial_path(path).exists()}
    figures = [path for path in sources.figures if path.exists() and path.stem not in old]
    path = partial_path(output)
    write_page(page_content(replace(sources, figures=figures), path, workers=1), path)
    return True
