"""`make bench-gpu` without a GPU: it ends with one line, and `--device cpu` runs the same code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.markdown import write_marked

ROOT = Path(__file__).resolve().parents[1]


def run(*options, module="gpu"):
    command = [sys.executable, "-m", f"benchmarks.{module}", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_without_a_gpu_it_ends_with_one_line():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = run()
    assert done.returncode == 1
    assert re.fullmatch(r"bench-gpu: torch finds no GPU; [^\n]*\n", done.stderr)


@pytest.mark.slow
def test_on_the_cpu_it_fills_the_marked_part_of_a_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- gpu -->\nold\n<!-- /gpu -->\nafter\n")
    small = (
        "--device",
        "cpu",
        "--videos",
        "1",
        "--seconds",
        "1",
        "--rounds",
        "1",
        "--threads",
        "1",
    )
    done = run(*small, "--write", str(page))
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("before\n<!-- gpu -->\nCPU, 1 cores, torch ")
    assert text.endswith("<!-- /gpu -->\nafter\n")
    assert len(re.findall(r"^\| (?:float32|bfloat16) \| 1 \| [\d,]+ \|", text, re.MULTILINE)) == 4
    assert done.stdout.strip() in text


def test_the_page_that_the_makefile_names_has_the_comments_for_the_table(tmp_path):
    (page,) = re.findall(r"benchmarks\.gpu --write (\S+)", (ROOT / "Makefile").read_text())
    copy = tmp_path / "page.md"
    copy.write_text((ROOT / page).read_text())
    write_marked("gpu", "a table", copy)  # ValueError if the comments are missing
    assert "<!-- gpu -->\na table\n<!-- /gpu -->" in copy.read_text()


@pytest.mark.slow
def test_the_video_networks_fill_their_part_of_the_page(tmp_path):
    (page,) = re.findall(r"benchmarks\.gpu_video --write (\S+)", (ROOT / "Makefile").read_text())
    copy = tmp_path / "page.md"
    copy.write_text((ROOT / page).read_text())
    done = run("--device", "cpu", "--quick", "--write", str(copy), module="gpu_video")
    assert done.returncode == 0, done.stderr
    part = copy.read_text().split("<!-- gpu-video -->")[1].split("<!-- /gpu-video -->")[0]
    assert done.stdout.strip() in part
    rows = re.findall(r"^\| (\w+) \| 2 x 8 x 32 x 32 \| .*\d", part, re.MULTILINE)
    assert rows == ["i3d", "r2plus1d", "slowfast", "mars"]
