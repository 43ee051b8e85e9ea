"""The notebook in docs/ runs, on the videos and the run of the tiny workflow."""

import nbformat
import pytest
from nbclient import NotebookClient
from support.tiny_run import REPOSITORY

PATH = REPOSITORY / "docs/python.ipynb"


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(PATH, as_version=4)


def test_it_is_stored_without_outputs(notebook):
    """Outputs would be stale, and differ on each machine."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert not any(cell.outputs or cell.execution_count for cell in cells)


def test_every_cell_runs_and_shows_something(notebook, finished_run, tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "results/demo").symlink_to(finished_run.folder / "results/tiny")
    (tmp_path / "data/demo").mkdir(parents=True)
    (tmp_path / "data/demo/videos").symlink_to(finished_run.folder / "videos")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    done = client.execute()
    cells = [cell for cell in done.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in cells)
    shown = [output.data for cell in cells for output in cell.outputs if "data" in output]
    assert any("image/png" in data for data in shown)
    text = "\n".join(data.get("text/plain", "") for data in shown)
    for wanted in ("probability", "missing", "(4, 3, 1920)", "(4, 3, 512)"):
        assert wanted in text
