"""The version of pages and figures is a digest of their files, so it changes automatically."""

import shutil

import pytest
from support.tiny_run import REPOSITORY

from mafnet.report.output_digest import figures_digest, files_digest, page_digest


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(REPOSITORY / "mafnet/report/page", tmp_path / "page")


def test_same_files_same_digest(folder, tmp_path):
    again = shutil.copytree(folder, tmp_path / "elsewhere" / "page")
    (again / "__pycache__").mkdir(exist_ok=True)
    (again / "__pycache__" / "render.pyc").write_bytes(b"another")
    assert files_digest([folder]) == files_digest([again])
    assert page_digest() == page_digest() != figures_digest()


@pytest.mark.parametrize(
    "name", ["style.css", "script.js", "render.py", "templates/media.html.j2", "new.py"]
)
def test_a_changed_or_new_file_changes_it(name, folder):
    before = files_digest([folder])
    with (folder / name).open("a") as file:
        file.write(",")
    assert files_digest([folder]) != before


def test_a_moved_or_deleted_file_changes_it(folder):
    digests = {files_digest([folder])}
    (folder / "style.css").rename(folder / "templates" / "style.css")
    digests.add(files_digest([folder]))
    (folder / "templates" / "style.css").unlink()
    assert len(digests | {files_digest([folder])}) == 3
