"""Temperature scaling: the value, its limits, and the files and commands that show it."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import mafnet
from mafnet.cli import main
from mafnet.common.files import write_json
from mafnet.model.calibration import FEWEST, LIMITS, calibrated, fit_temperature
from mafnet.model.metrics import METRICS
from mafnet.model.run_folder import RunFolder
from mafnet.model.scored import Scored

RUN = "results/tiny/main/mafnet/seed0"


def samples(count, true_temperature, seed=0, classes=5):
    """Labels drawn from the softmax of logits; the network claims logits that are larger."""
    generator = np.random.default_rng(seed)
    logits = torch.from_numpy(2 * generator.normal(size=(count, classes)))
    drawn = torch.multinomial(logits.softmax(1), 1, generator=torch.Generator().manual_seed(seed))
    claimed = (logits * true_temperature).softmax(1).numpy()
    return drawn[:, 0].numpy(), claimed


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_true_temperature_is_found(temperature):
    """With 20,000 samples its standard error is about 1 %; 5 % allow for five of them."""
    labels, claimed = samples(20_000, temperature)
    found = fit_temperature(labels, claimed)
    assert found.note == ""
    assert found.temperature == pytest.approx(temperature, rel=0.05)


def test_it_is_the_minimum_that_torch_finds():
    labels, claimed = samples(60, 2.0, seed=1)
    exponent = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([exponent], max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        logits = torch.from_numpy(claimed).log() / exponent.exp()
        value = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))
        value.backward()
        return value

    optimiser.step(loss)
    # Four digits are kept; the bounded search stops at 1e-5 of the exponent.
    assert fit_temperature(labels, claimed).temperature == pytest.approx(
        exponent.exp().item(), rel=1e-3
    )


def test_new_samples_are_better_calibrated_and_no_prediction_changes():
    temperature = fit_temperature(*samples(1000, 3.0)).temperature
    labels, claimed = samples(1000, 3.0, seed=1)
    scored = Scored(labels, claimed, 2, temperature)
    values = {name: metric.value(scored) for name, metric in METRICS.items()}
    for name in ("expected_calibration_error", "negative_log_likelihood"):
        assert values[f"calibrated_{name}"] < 0.8 * values[name]
    assert (scored.calibrated.predicted == scored.predicted).all()
    np.testing.assert_array_equal(
        scored.calibrated.probabilities.argsort(1, stable=True), claimed.argsort(1, stable=True)
    )


@pytest.mark.parametrize(
    ("labels", "probabilities", "reason"),
    [
        ([0] * (FEWEST - 1), [[0.6, 0.4]] * (FEWEST - 1), "fewer than"),
        ([0] * 20, [[0.6, 0.4]] * 20, "are right"),
        ([0] * 20, [[1.0, 0.0]] * 20, "are right"),
        ([0] * 20, [[0.999999, 1e-6]] * 20, "are right"),
        ([0] * 19 + [1], [[0.5001, 0.4999]] * 19 + [[0.500001, 0.499999]], "is below 0.1"),
        ([1] * 20, [[0.6, 0.4]] * 20, "not better than chance"),
        ([1] * 20, [[1.0, 0.0]] * 20, "not better than chance"),
    ],
)
def test_it_stays_1_where_nothing_can_be_fitted(labels, probabilities, reason, caplog):
    found = fit_temperature(np.array(labels), np.array(probabilities))
    assert found.temperature == 1
    assert reason in found.note
    assert reason in caplog.text


def test_equal_probabilities_and_zeros_are_no_problem():
    even = fit_temperature(np.arange(20) % 2, np.full((20, 2), 0.5))
    assert even.temperature == 1
    zeros = np.eye(3)[np.arange(30) % 3]
    labels = np.where(np.arange(30) < 5, (np.arange(30) + 1) % 3, np.arange(30) % 3)
    found = fit_temperature(labels, zeros)
    assert LIMITS[0] < found.temperature <= LIMITS[1]
    assert np.isfinite(calibrated(zeros, LIMITS[0])).all()
    assert calibrated(zeros, 3.0)[0].tolist() == [1, 0, 0]  # a class without a chance stays so


def test_a_run_is_calibrated_on_its_validation_subset_and_predict_says_so(finished_run, tmp_path):
    """The tiny run has too few validation samples, so a copy gets a temperature."""
    run = RunFolder(finished_run.folder / RUN)
    metrics = run.read_metrics()
    assert metrics["temperature"] == 1
    assert f"fewer than {FEWEST}" in metrics["temperature_note"]
    assert metrics["calibrated_negative_log_likelihood"] == metrics["negative_log_likelihood"]
    video = finished_run.folder / "videos/6.mp4"
    place = {"device": "cpu", "threads": 1, "cache": tmp_path / "cache"}
    before = mafnet.load(run.path, **place)
    assert "not calibrated: fewer than" in before.notes[0]
    try:
        write_json(metrics | {"temperature": 2.0, "temperature_note": ""}, run.metrics)
        after = mafnet.load(run.path, **place)
        assert after.about["calibrated"]
        own = before.predict(video).probabilities
        np.testing.assert_allclose(  # six digits
            after.predict(video).probabilities, calibrated(own, 2.0), rtol=1e-5
        )
        words = ["predict", str(video), "--model", str(run.path), "--device", "cpu"]
        result = CliRunner().invoke(main, words)
        assert "are calibrated (temperature 2)" in result.stdout
        write_json(metrics | {"settings": "0" * 64}, run.metrics)
        assert "was not evaluated by this version" in mafnet.load(run.path, **place).notes[0]
    finally:
        write_json(metrics, run.metrics)
    assert "not calibrated: fewer than" in CliRunner().invoke(main, [*words, "--csv"]).stderr
    result = CliRunner().invoke(main, [*words, "--json"])
    about = json.loads(result.stdout)
    assert (about["calibrated"], about["temperature"]) == (False, 1)
