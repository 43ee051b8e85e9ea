"""Shared fixtures: one finished tiny run of the workflow, and torch on one thread."""

import shutil
import subprocess

import pytest
from support.browser import CHROMIUM, OFFLINE
from support.tiny_run import METRICS, REPOSITORY, Workflow, copy_checkout, make_data


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A copy of the repository; tests may edit it with `edited`, which restores it."""
    return copy_checkout(tmp_path_factory.mktemp("checkout") / "mafnet")


@pytest.fixture(scope="session")
def finished_run(checkout, tmp_path_factory):
    """A finished run from videos to metrics. Tests must not change it; `run` is a copy."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copy(REPOSITORY / "tests/tiny.yaml", folder)
    make_data(folder)
    workflow = Workflow(checkout, folder)
    workflow.run(METRICS)
    return workflow


@pytest.fixture
def run(finished_run, tmp_path):
    """A copy of the finished run, with the same modification times."""
    folder = tmp_path / "run"
    shutil.copytree(finished_run.folder, folder)
    return Workflow(finished_run.checkout, folder)


@pytest.fixture(scope="session")
def preloaded(tmp_path_factory):
    """A library that replaces flock and the host name in the processes that load it."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed; it compiles the replacement of flock")
    library = tmp_path_factory.mktemp("preloaded") / "file_locks.so"
    source = REPOSITORY / "tests/support/file_locks.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


@pytest.fixture
def edited(checkout):
    """Edits a file of the checkout until the test ends: `edited(path, old, new)`."""
    before = {}

    def edit(path, old, new):
        file = checkout / path
        text = file.read_text()
        assert old in text, f"{old!r} is not in {path}"
        before.setdefault(file, text)
        file.write_text(text.replace(old, new, 1))

    yield edit
    for file, text in before.items():
        file.write_text(text)


@pytest.fixture(scope="module")
def one_thread():
    """Torch on one thread, for a fixed order of sums and less load on the machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def browser():
    """Chromium without a network."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OFFLINE))
        yield chromium
        chromium.close()
