"""The diffusivity of a plate: the scheme against exact solutions, the gradient in all unknowns, and the field found."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dualtape as dt
import heat_inverse
from heat_inverse import CELL, CELLS, EVERY, HIGH, LOW, NOISE, STEP, STEPS, WEIGHT

EVERYWHERE = tuple(np.indices((CELLS, CELLS)).reshape(2, -1))


@pytest.fixture(scope="module")
def truth():
    return heat_inverse.true_diffusivity()


@pytest.fixture(scope="module")
def experiment(truth):
    return heat_inverse.measure(truth)


@pytest.fixture(scope="module")
def log_k(truth):
    """A point away from the minimum, where no entry of the gradient need be small."""
    return 0.8 * np.log(truth).ravel() + 0.1 * np.random.default_rng(3).normal(size=truth.size)


@pytest.fixture(scope="module")
def gradient(experiment, log_k):
    return dt.gradient(lambda x: heat_inverse.objective(x, experiment), log_k)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return heat_inverse.main(tmp_path_factory.mktemp("heat_inverse"))


def faces(array):
    """Sums over the two cells of every face between rows, and between columns."""
    return array[1:] + array[:-1], array[:, 1:] + array[:, :-1]


def steps(array):
    """Differences over the same faces."""
    return array[1:] - array[:-1], array[:, 1:] - array[:, :-1]


def scatter(row_faces, column_faces, sign):
    """What the faces give to their cells: the transpose of `faces` for sign 1, and of `steps` for -1."""
    out = np.zeros((CELLS, CELLS))
    out[1:] += row_faces
    out[:-1] += sign * row_faces
    out[:, 1:] += column_faces
    out[:, :-1] += sign * column_faces
    return out


def adjoint_by_hand(log_k, experiment):
    """The gradient of the objective by the adjoint scheme, derived on paper: no derivative of dualtape in it."""
    log_k = log_k.reshape(CELLS, CELLS)
    across, along = [0.5 * STEP / CELL**2 * k for k in faces(np.exp(log_k))]
    seen = experiment.rows, experiment.columns
    states = [experiment.start]
    for _ in range(STEPS):
        up, right = steps(states[-1])
        states.append(states[-1] - scatter(across * up, along * right, -1))
    bar, across_bar, along_bar = np.zeros((CELLS, CELLS)), 0.0, 0.0
    for step in range(STEPS, 0, -1):
        if step % EVERY == 0:
            bar[seen] += (states[step][seen] - experiment.measured[step // EVERY - 1]) / NOISE**2
        (up, right), (up_bar, right_bar) = steps(states[step - 1]), steps(bar)
        across_bar = across_bar - up * up_bar
        along_bar = along_bar - right * right_bar
        bar -= scatter(across * up_bar, along * right_bar, -1)
    k_bar = scatter(0.5 * STEP / CELL**2 * across_bar, 0.5 * STEP / CELL**2 * along_bar, 1)
    return (np.exp(log_k) * k_bar + WEIGHT * scatter(*steps(log_k), -1)).ravel()


# --- the scheme ---------------------------------------------------------------------------------------------------


def test_size_of_the_problem(experiment):
    assert (CELLS, STEPS) == (64, 200)
    assert len(experiment.rows) == 410
    assert len(set(zip(experiment.rows.tolist(), experiment.columns.tolist(), strict=True))) == 410
    assert [len(u) for u in experiment.measured] == [410] * 10


def test_stability(truth):
    assert 4.0 * HIGH * STEP <= CELL**2
    assert LOW < truth.min() < truth.max() < HIGH


def test_a_wave_decays_as_it_must():
    """With one diffusivity, a product of cosines is an eigenvector of the scheme with insulated walls."""
    k, (m, n) = 3.0, (2, 5)
    centres = (np.arange(CELLS) + 0.5) / CELLS
    wave = np.outer(np.cos(np.pi * m * centres), np.cos(np.pi * n * centres))
    factor = 1.0 - 2.0 * k * STEP / CELL**2 * (2.0 - np.cos(np.pi * m / CELLS) - np.cos(np.pi * n / CELLS))
    seen = heat_inverse.readings(np.full((CELLS, CELLS), k), wave, *EVERYWHERE)
    for count, u in enumerate(seen, start=1):
        np.testing.assert_allclose(u, factor ** (EVERY * count) * wave.ravel(), atol=1e-13)
    # And the equation itself: exp(-k |wave vector|² t).
    rate = k * (np.pi / (CELLS * CELL)) ** 2 * (m**2 + n**2)
    np.testing.assert_allclose(seen[-1], np.exp(-rate * STEPS * STEP) * wave.ravel(), atol=0.002)


@pytest.mark.parametrize("k", ["truth", "largest"])
def test_heat_is_kept_and_spreads(truth, k):
    k = truth if k == "truth" else np.full_like(truth, HIGH)
    start = heat_inverse.flash()
    seen = heat_inverse.readings(k, start, *EVERYWHERE)
    assert start.min() >= 0.0
    hottest = [start.max()] + [u.max() for u in seen]
    assert all(later < earlier for earlier, later in zip(hottest, hottest[1:]))
    for u in seen:
        assert u.sum() == pytest.approx(start.sum(), rel=1e-13)
        assert u.min() >= start.min()


def test_arguments_stay_as_they_are(truth, experiment):
    k, start = truth.copy(), experiment.start.copy()
    heat_inverse.readings(truth, experiment.start, experiment.rows, experiment.columns)
    np.testing.assert_array_equal(truth, k)
    np.testing.assert_array_equal(experiment.start, start)


# --- the gradient -------------------------------------------------------------------------------------------------


def test_value(experiment, log_k):
    """It is that of the plain program."""
    value, _ = dt.value_and_gradient(lambda x: heat_inverse.objective(x, experiment), log_k)
    assert value == pytest.approx(heat_inverse.objective(log_k, experiment), rel=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_gradient_by_complex_step(experiment, log_k, gradient, seed):
    """The slope in a random direction is the imaginary part of the plain program on complex numbers."""
    direction = np.random.default_rng(seed).normal(size=log_k.size)
    tiny = 1e-40
    slope = heat_inverse.objective(log_k + 1j * tiny * direction, experiment).imag / tiny
    assert gradient @ direction == pytest.approx(slope, rel=1e-11)


def test_gradient_by_hand(experiment, log_k, gradient):
    """Every one of the 4096 entries."""
    by_hand = adjoint_by_hand(log_k, experiment)
    np.testing.assert_allclose(gradient, by_hand, rtol=0.0, atol=1e-13 * np.abs(by_hand).max())


# --- the field ----------------------------------------------------------------------------------------------------


def test_field(result, truth):
    np.testing.assert_array_equal(result["truth"], truth)
    assert result["error_before"] == pytest.approx(0.425, abs=0.001)
    assert result["error"] < 0.07
    assert result["error"] == pytest.approx(np.linalg.norm(result["estimate"] - truth) / np.linalg.norm(truth))


def test_structures(result, truth):
    """Ring, core and corner are where they are, and as they are to a tenth."""
    estimate = result["estimate"]
    assert np.corrcoef(truth.ravel(), estimate.ravel())[0, 1] > 0.98
    for part in (truth > 4.5, truth < 1.3, (truth > 2.4) & (truth < 2.6)):
        assert part.sum() > 100
        assert estimate[part].mean() == pytest.approx(truth[part].mean(), rel=0.1)


def test_misfit(result):
    """The readings are met as well as their noise permits, and not better by much."""
    assert result["misfit_before"] > 5.0
    assert 0.93 < result["misfit"] < 1.0


def test_minimum(result, experiment):
    log_k = np.log(result["estimate"]).ravel()
    assert heat_inverse.objective(log_k, experiment) == pytest.approx(result["objective"], rel=1e-12)
    at_start, at_end = (
        np.abs(adjoint_by_hand(point, experiment)).max() for point in (np.full(log_k.size, np.log(2.0)), log_k)
    )
    assert at_end < 0.003 * at_start
    assert result["iterations"] < 120
    rng = np.random.default_rng(4)
    for _ in range(5):
        assert heat_inverse.objective(log_k + 0.02 * rng.normal(size=log_k.size), experiment) > result["objective"]


def test_another_experiment(truth):
    """Other sensors and other errors: nothing is tuned to one draw."""
    experiment = heat_inverse.measure(truth, seed=2)
    estimate = np.exp(heat_inverse.fit(experiment, 60).x).reshape(CELLS, CELLS)
    assert np.linalg.norm(estimate - truth) < 0.07 * np.linalg.norm(truth)


def test_the_cost_of_a_gradient_is_stated(result):
    assert result["cost_ratio"] > 1.0
    assert 0.0 < result["plain_run"] < result["gradient"]


# --- the program --------------------------------------------------------------------------------------------------


def test_pictures(result, check_pictures):
    check_pictures(result["files"])


def test_labels_of_the_figure(result):
    svg = result["files"][1].read_text(encoding="utf-8")
    # Text is drawn as outlines; matplotlib names each in a comment.
    for words in ("Estimate", "x (mm)", "y (mm)", "diffusivity (mm²/s)", "error (mm²/s)", "Error, and the 410 sensors"):
        assert f"<!-- {words} -->" in svg


def test_the_optimisers_failure_is_reported(experiment):
    broken = experiment._replace(measured=[u + np.nan for u in experiment.measured])
    with pytest.raises(RuntimeError, match="did not reach a minimum"):
        heat_inverse.fit(broken, 3)


def test_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(heat_inverse.main, "__defaults__", (heat_inverse.OUTPUT, 2))
    heat_inverse.command_line(["--output", str(tmp_path / "new")])
    out = capsys.readouterr().out
    for words in ("4096 diffusivities from 410 sensors", "2 iterations", "relative error", "gradient / plain run: "):
        assert words in out
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"heat_inverse.png", "heat_inverse.svg"}
    with pytest.raises(SystemExit) as stop:
        heat_inverse.command_line(["--help"])
    assert stop.value.code == 0
    assert "--output" in capsys.readouterr().out


def test_as_a_program(tmp_path):
    """`python examples/heat_inverse.py` from the repository root, with warnings as errors."""
    root = Path(heat_inverse.__file__).parents[1]
    places = [str(Path(dt.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-W", "error", "examples/heat_inverse.py", "--output", str(tmp_path)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert {path.name for path in tmp_path.iterdir()} == {"heat_inverse.png", "heat_inverse.svg"}
