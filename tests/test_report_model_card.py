"""The model card of `mafnet export`: its YAML as the Hugging Face hub reads it, and its text."""

import json
import re

import pytest
import yaml
from support.trained_runs import untrained_run

from mafnet.common.files import write_json
from mafnet.model.export.contents import Contents
from mafnet.model.run_folder import RunFolder
from mafnet.report.card.model_card import make_card, plain, render
from mafnet.report.statistics.runs import read_run

DIFFERENCES = {"logits": 1e-7, "probabilities": 2e-8, "attention": 3e-8}
HOSTILE = "<script>alert(1)</script> | **bold** [x](http://y)\n---\n# head"


def rendered(root, classes=("bark", "horn", "rain"), part="head", results=None):
    run = untrained_run(root, classes=classes)
    if results is not None:
        write_json(results, run.parents[2] / "metrics.json")
    settings = RunFolder(run).read_settings()
    contents = Contents(part=part, settings=settings.as_dict(), temperature=1.0)
    return render(make_card(read_run(run), contents, DIFFERENCES, "cc-by-4.0"))


def parts(text):
    """The values of the YAML, and the text below it."""
    start, header, body = text.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(header), body


def test_the_yaml_has_what_the_hub_reads(tmp_path):
    values, body = parts(rendered(tmp_path))
    assert values["license"] == "cc-by-4.0"
    assert values["library_name"] == "mafnet"
    assert values["pipeline_tag"] == "video-classification"
    assert {"onnx", "visual", "audio", "random-weights"} <= set(values["tags"])
    assert values["datasets"] == ["made"]
    assert values["metrics"][:2] == ["accuracy", "balanced_accuracy"]
    (index,) = values["model-index"]
    (result,) = index["results"]
    assert result["task"]["type"] == "video-classification"
    assert set(result["dataset"]) == {"name", "type", "split"}
    run = RunFolder(tmp_path / "results/made/main/mafnet/seed0")
    measured = run.read_metrics()
    assert result["metrics"][0] == {
        "type": "accuracy", "name": "Accuracy (%)", "value": measured["accuracy"],
    }  # fmt: skip
    assert re.search(
        rf"\| Accuracy \| {measured['accuracy']} % \| [\d.]+ to [\d.]+ \| Wilson", body
    )
    for name in ("bark", "horn", "rain"):
        assert f"| {name} | " in body
    for text in ("12 test samples", "0" * 64, "The frozen networks have random weights",
                 "## Limits", "probabilities 2e-08"):  # fmt: skip
        assert text in body


def test_the_hub_accepts_it(tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard(rendered(tmp_path), ignore_metadata_errors=False)
    assert card.data.model_name == "made-mafnet"
    assert card.data.eval_results[0].metric_type == "accuracy"


@pytest.mark.parametrize(("name", "synthetic"), [("demo", True), ("own", False)])
def test_synthetic_data_and_notes_are_told(tmp_path, name, synthetic):
    results = {"protocol": {"name": name, "note": ""}, "notes": ["3 videos are silent"]}
    values, body = parts(rendered(tmp_path, part="whole", results=results))
    assert ("are synthetic" in body) == synthetic
    assert ("synthetic-data" in values["tags"]) == synthetic
    assert "- 3 videos are silent" in body
    assert "| `frames` | (B * 2, 2, 224, 224, 3) | uint8" in body
    assert "| `log_mel` |" in body


def test_labels_stay_text(tmp_path):
    text = rendered(tmp_path, classes=("a", HOSTILE))
    values, body = parts(text)
    assert "<script>" not in text
    assert "**bold**" not in body
    row = next(line for line in body.splitlines() if "script" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    assert json.dumps(values)


def test_plain():
    assert plain("a_b <i>\n*c*") == r"a\_b &lt;i&gt; \*c\*"
