"""What the benchmarks of the workflow's own cost write; no time or size is looked at."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks"))  # its files are scripts: they find each other there

from marked import markdown, write_marked  # noqa: E402


def test_a_table_goes_between_its_marks_and_nowhere_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- growth -->\nold\n<!-- /growth -->\nafter\n")
    table = markdown(["videos", "jobs"], [["500", "24"]])
    for _ in range(2):
        write_marked("growth", table, page)
        assert page.read_text() == (
            "before\n<!-- growth -->\n| videos | jobs |\n| --- | --- |\n| 500 | 24 |\n"
            "<!-- /growth -->\nafter\n"
        )
    with pytest.raises(ValueError, match="has no <!-- memory -->"):
        write_marked("memory", table, page)


@pytest.mark.slow
def test_growth_counts_the_jobs_of_a_data_set_and_finds_nothing_to_do(tmp_path):
    """Two shards of three jobs, beside fetching, packing, runs and metrics."""
    command = [sys.executable, ROOT / "benchmarks/growth.py", tmp_path, "--rounds", "1"]
    subprocess.run([*command, "--videos", "200"], check=True, capture_output=True)
    (row,) = json.loads((tmp_path / "growth.json").read_text())
    assert (row["videos"], row["jobs"]) == (200, 2 * 3 + 2 + 1 + 2 + 3 * 2 + 1)
    assert all(row[key] > 0 for key in ("first_s", "dry_run_cpu_s", "nothing_s", "peak_mb"))
