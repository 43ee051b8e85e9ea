"""Files that are generated from the code: `python -m mafnet.plan.generate` writes all of them.

tests/test_plan_generate.py fails if one is stale.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from mafnet.plan.schemas import as_json, dataset_schema, run_schema

CHECKOUT = Path(__file__).parents[2]
COMMAND = "python -m mafnet.plan.generate"

FILES: dict[str, Callable[[], str]] = {
    "workflow/schemas/metrics.schema.json": lambda: as_json(dataset_schema()),
    "workflow/schemas/run.schema.json": lambda: as_json(run_schema()),
}
"""Path in the checkout to the function that makes the file's text."""


def stale() -> list[str]:
    """The paths of the files that are not as the code makes them."""
    return [path for path, text in FILES.items() if not _is_current(CHECKOUT / path, text())]


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def main() -> None:
    """Write the stale files and name them."""
    for path in stale():
        (CHECKOUT / path).write_text(FILES[path](), encoding="utf-8")
        sys.stdout.write(f"{path}: written\n")


if __name__ == "__main__":
    main()
