"""The package follows the data: no module imports a stage that comes after its own."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mafnet"

ORDER = ("common", "dataset", "video", "features", "model", "report", "plan")
"""A folder may import those before it, and itself; `cli` and `__main__` may import all."""


def imported(path):
    """Names of the modules of the package that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mafnet"):
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, a.name) for a in node.names if a.name.startswith("mafnet"))


@pytest.mark.parametrize("folder", ORDER)
def test_no_import_runs_against_the_order_of_the_data(folder):
    later = set(ORDER[ORDER.index(folder) + 1 :]) | {"cli", "__main__"}
    against = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sorted((PACKAGE / folder).rglob("*.py"))
        for line, module in imported(path)
        if module.split(".")[1:2] and module.split(".")[1] in later
    ]
    assert not against, "\n".join(against)


def test_every_folder_of_the_package_has_its_place_in_the_order():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(ORDER)


def test_nothing_lies_loose_at_the_root_of_the_package():
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py", "cli.py"}
