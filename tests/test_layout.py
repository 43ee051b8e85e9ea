"""The structure of the package: no module imports from a stage after its own."""

import ast
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from mafnet.model.run_folder import RunFolder
from mafnet.report import figures

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mafnet"

ORDER = ("common", "dataset", "video", "features", "model", "report", "plan")
"""A folder may import from itself and the folders before it; `cli` and `__main__` from all."""

REGISTRY = {name for name in vars(figures) if not name.startswith("_")}
"""The names in the registry of figures, which all modules may import."""


def imported(path):
    """Line numbers and names of the package's modules that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mafnet"):
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, a.name) for a in node.names if a.name.startswith("mafnet"))


def run_files(run):
    """All files that a run can have."""
    return (run.weights, run.settings, run.history, run.resume, run.predictions, run.attention,
            run.metrics)  # fmt: skip


@pytest.mark.parametrize("folder", ORDER)
def test_no_folder_imports_from_a_later_one(folder):
    later = set(ORDER[ORDER.index(folder) + 1 :]) | {"cli", "__main__"}
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sorted((PACKAGE / folder).rglob("*.py"))
        for line, module in imported(path)
        if module.split(".")[1:2] and module.split(".")[1] in later
    ]
    assert not wrong, "\n".join(wrong)


def test_other_modules_do_not_import_figures_or_pages():
    """Exceptions: the commands may, and all may import the registry, which needs no matplotlib."""
    folders = [PACKAGE / "report/figures", PACKAGE / "report/page"]
    others = [
        path
        for folder in ("model", "report", "plan")
        for path in sorted((PACKAGE / folder).rglob("*.py"))
        if path.parent not in folders and path != PACKAGE / "report/commands.py"
    ]
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in others
        for line, module in imported(path)
        if module.startswith(("mafnet.report.figures.", "mafnet.report.page"))
        and module.removeprefix("mafnet.report.figures.") not in REGISTRY
    ]
    assert not wrong, "\n".join(wrong)


def test_the_registry_of_figures_imports_only_the_standard_library():
    """The workflow imports it at parse time, in each of its processes."""
    text = (PACKAGE / "report/figures/__init__.py").read_text()
    modules = re.findall(r"^ *(?:from|import) (\w+)", text, re.MULTILINE)
    assert set(modules) <= sys.stdlib_module_names


def test_pages_and_figures_do_not_import_each_other():
    for folder, other in (("page", "figures"), ("figures", "page")):
        for path in (PACKAGE / "report" / folder).glob("*.py"):
            names = [module for _, module in imported(path)]
            assert not [name for name in names if name.startswith(f"mafnet.report.{other}")]


def test_modules_of_the_report_have_unique_names():
    stems = Counter(
        path.stem
        for path in PACKAGE.rglob("*.py")
        if path.stem not in ("__init__", "commands", "config")
    )
    folders = {path.parent.name for path in PACKAGE.rglob("__init__.py")}
    duplicates = [
        str(path.relative_to(ROOT))
        for path in sorted((PACKAGE / "report").rglob("*.py"))
        if stems[path.stem] > 1 or path.stem in folders
    ]
    assert not duplicates, "rename these modules: " + ", ".join(duplicates)


def test_only_run_folder_names_the_files_of_a_run():
    """Other modules use RunFolder, so a change of the format is a change of one module."""
    names = [path.name for path in run_files(RunFolder(Path()))]
    texts = {
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "run_folder.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert not texts, "\n".join(sorted(texts))


def test_order_contains_every_folder_of_the_package():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(ORDER)


def test_the_root_of_the_package_contains_only_entry_points():
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py", "cli.py"}


def test_every_module_of_the_package_is_used():
    """Another module, a rule, make or a registry must import or run it."""
    files = [*PACKAGE.rglob("*.py"), *ROOT.glob("workflow/rules/*.smk"), ROOT / "Makefile"]
    texts = {path: path.read_text() for path in files}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        folder, _, stem = name.rpartition(".")
        if stem.startswith("__") or name == "mafnet.cli":
            continue
        pattern = (
            rf"(from|import) {re.escape(name)}\b|from {re.escape(folder)} import .*\b{stem}\b"
            rf"|[.\"]{stem}:\w+\"|run_module\('{re.escape(name)}'|-m {re.escape(name)}\b"
        )
        others = (text for other, text in texts.items() if other != path)
        assert any(re.search(pattern, text) for text in others), f"{name}: is not used"
