"""See through a plate by its heat: 4096 unknown diffusivities from noisy temperatures at a tenth of the points.

The claim: a plain NumPy program that marches a partial differential equation by assignment in place is
differentiated as it stands, and one reverse sweep gives the slope in every unknown at once, for about the price
of three runs of the program.

A thin plate, insulated at its rim, is heated in sixteen spots by a flash. The temperature u above that of the room
then follows

    du/dt = div(k grad u)

with a diffusivity k that differs from place to place. The scheme is explicit and conservative: what flows out of a
cell through a face flows into its neighbour, and the diffusivity of a face is the mean of its two cells. At 410 of
the 4096 cells the temperature is read ten times, with an error of 0.1 K. The unknowns are log k of all cells: a
diffusivity is positive, and its logarithm may be anything. The function to minimise is

    1/2 sum (reading errors / 0.1 K)^2  +  1/2 WEIGHT sum (steps of log k between neighbours)^2

which is, but for a constant, minus the logarithm of the posterior density when neighbours differ by steps of
variance 1 / WEIGHT. Without the second term there are as many readings as unknowns, and the estimate follows the
noise.

Writes a summary to the terminal and ``heat_inverse.png`` and ``heat_inverse.svg`` to the output folder.

References
----------
W. J. Parker, R. J. Jenkins, C. P. Butler and G. L. Abbott, "Flash method of determining thermal diffusivity, heat
capacity, and thermal conductivity", J. Appl. Phys. 32 (1961), 1679-1684: the experiment, for one k.
A. Tarantola, "Inverse Problem Theory" (2005), chapter 3: the function to minimise.
"""

import argparse
import statistics
import types
from pathlib import Path
from time import process_time
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import Bounds, minimize

import dualtape as dt

OUTPUT = Path(__file__).parent / "output"

CELLS = 64  # along each side of the plate
CELL = 1.0  # mm
STEPS = 200
EVERY = 20  # steps from one reading to the next
# No diffusivity (mm²/s) may leave this interval. An explicit step is stable while 4 k STEP / CELL² <= 1: then no cell
# gives away more heat than it has. The longest step for the largest diffusivity:
LOW, HIGH = 0.25, 12.5
STEP = 0.25 * CELL**2 / HIGH  # s

GUESS = 2.0  # mm²/s: where the search starts, in every cell
NOISE = 0.1  # K
OBSERVED = 0.1  # of the cells
WEIGHT = 30.0

RUNS = 15


# --- the program: plain NumPy -------------------------------------------------------------------------------------


def readings(diffusivity, start, rows, columns):
    """Temperatures (K) of the observed cells, one array for every `EVERY` steps.

    Parameters
    ----------
    diffusivity : array, shape (CELLS, CELLS)
        In mm²/s.
    start : array, shape (CELLS, CELLS)
        Temperatures at time 0, in K.
    rows, columns : arrays of int
        The observed cells.
    """
    # Per step and kelvin of difference, what crosses the faces between rows, and those between columns.
    across = 0.5 * (STEP / CELL**2) * (diffusivity[1:] + diffusivity[:-1])
    along = 0.5 * (STEP / CELL**2) * (diffusivity[:, 1:] + diffusivity[:, :-1])
    # An array of the diffusivity's kind, for that is what the temperatures will be: complex, if it is complex.
    u = np.zeros_like(diffusivity)
    u += start
    seen = []
    for step in range(1, STEPS + 1):
        up = across * (u[1:] - u[:-1])
        right = along * (u[:, 1:] - u[:, :-1])
        u[:-1] += up
        u[1:] -= up
        u[:, :-1] += right
        u[:, 1:] -= right
        if step % EVERY == 0:
            seen.append(u[rows, columns])
    return seen


class Experiment(NamedTuple):
    """What is known: the temperatures at the start, where readings were taken, and the readings themselves."""

    start: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    measured: list


def objective(log_diffusivity, experiment, march=readings):
    """The function to minimise, of all the logarithms of diffusivities in one row."""
    start, rows, columns, measured = experiment
    log_k = log_diffusivity.reshape(CELLS, CELLS)
    total = 0.0
    for expected, found in zip(march(np.exp(log_k), start, rows, columns), measured, strict=True):
        miss = (expected - found) / NOISE
        total = total + np.sum(miss * miss)
    up = log_k[1:] - log_k[:-1]
    right = log_k[:, 1:] - log_k[:, :-1]
    return 0.5 * total + 0.5 * WEIGHT * (np.sum(up * up) + np.sum(right * right))


# --- the experiment -----------------------------------------------------------------------------------------------


def bump(row, column, width):
    """A bell of height 1 around a point; lengths in cells."""
    y, x = np.mgrid[:CELLS, :CELLS] + 0.5
    return np.exp(-0.5 * ((y - row) ** 2 + (x - column) ** 2) / width**2)


def true_diffusivity():
    """The field to be found, in mm²/s: a ring that conducts well around a core that does not, and a soft corner."""
    y, x = np.mgrid[:CELLS, :CELLS] + 0.5
    ring = np.exp(-(((np.hypot(y - 36.0, x - 38.0) - 17.0) / 4.5) ** 2))
    return 2.5 * np.exp(0.75 * ring - 0.9 * bump(36.0, 38.0, 6.0) - 0.8 * bump(14.0, 12.0, 7.0))


def flash():
    """The temperatures at time 0, in K: sixteen hot spots."""
    centres = (8.0, 24.0, 40.0, 56.0)
    return 20.0 * sum(bump(row, column, 3.0) for row in centres for column in centres)


def measure(diffusivity, seed=1):
    """An experiment with this plate: cells drawn by chance, readings with normal errors."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(CELLS**2, round(OBSERVED * CELLS**2), replace=False)
    rows, columns = np.divmod(np.sort(cells), CELLS)
    start = flash()
    exact = readings(diffusivity, start, rows, columns)
    return Experiment(start, rows, columns, [u + NOISE * rng.normal(size=u.shape) for u in exact])


# --- the fit ------------------------------------------------------------------------------------------------------


def fit(experiment, iterations):
    """L-BFGS-B on all the logarithms, from the same diffusivity everywhere."""
    result = minimize(
        dt.value_and_gradient(lambda log_k: objective(log_k, experiment)),
        np.full(CELLS**2, np.log(GUESS)),
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(np.log(LOW), np.log(HIGH)),
        options={"maxiter": iterations, "maxcor": 20},
    )
    if result.status not in (0, 1):  # 1: as many iterations as were allowed
        raise RuntimeError(f"the optimiser did not reach a minimum: {result.message}")
    return result


def misfit(diffusivity, experiment):
    """The root mean square of the errors of the readings, in units of the noise: about 1 where the fit is good."""
    start, rows, columns, measured = experiment
    return float(np.sqrt(np.mean(((np.array(readings(diffusivity, start, rows, columns)) - measured) / NOISE) ** 2)))


def separate(f):
    """A copy of a function with bytecode of its own.

    CPython specialises bytecode for the types that it sees. A program that runs on plain and on traced arrays in
    turn would lose that, look slower than it is, and flatter the ratio.
    """
    return types.FunctionType(f.__code__.replace(), f.__globals__, f.__name__, f.__defaults__, f.__closure__)


def cost_of_a_gradient(experiment, log_k, runs=RUNS):
    """Seconds of one plain run, of one gradient with its value, and their ratio: medians, measured in turn."""
    plain, march = separate(objective), separate(readings)
    value_and_gradient = dt.value_and_gradient(lambda log_k: objective(log_k, experiment))
    samples = []
    for _ in range(runs + 1):
        begin = process_time()
        plain(log_k, experiment, march)
        middle = process_time()
        value_and_gradient(log_k)
        samples.append((middle - begin, process_time() - middle))
    samples = samples[1:]  # the first one warms caches and memory pools
    seconds = [statistics.median(sample) for sample in zip(*samples, strict=True)]
    return *seconds, statistics.median(gradient / run for run, gradient in samples)


def draw(truth, estimate, experiment, output):
    """Write the figure as PNG and SVG; return the two paths."""
    figure = Figure(figsize=(10.6, 3.4), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06)
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    side = CELLS * CELL
    shared = {"origin": "lower", "extent": (0.0, side, 0.0, side)}
    span = {"vmin": min(truth.min(), estimate.min()), "vmax": max(truth.max(), estimate.max()), "cmap": "viridis"}
    error = estimate - truth
    largest = np.abs(error).max()

    panels[0].imshow(truth, **shared, **span)
    field = panels[1].imshow(estimate, **shared, **span)
    figure.colorbar(field, ax=panels[:2], label="diffusivity (mm²/s)", shrink=0.83, pad=0.02)
    field = panels[2].imshow(error, **shared, vmin=-largest, vmax=largest, cmap="RdBu_r")
    figure.colorbar(field, ax=panels[2], label="error (mm²/s)", shrink=0.83, pad=0.04)
    x, y = (experiment.columns + 0.5) * CELL, (experiment.rows + 0.5) * CELL
    panels[2].plot(x, y, ".", color="black", markersize=2.2, markeredgewidth=0.0)
    middle = (np.arange(CELLS) + 0.5) * CELL
    panels[0].contour(middle, middle, experiment.start, [10.0], colors="white", linewidths=0.7, linestyles="dotted")

    titles = ("Truth, and where the flash was", "Estimate", f"Error, and the {len(x)} sensors")
    for panel, title in zip(panels, titles, strict=True):
        panel.set_title(title, loc="left", fontsize=10, fontweight="bold")
        panel.set_xlabel("x (mm)")
        panel.set_xticks(np.arange(0.0, side, 16.0))
        panel.set_yticks(np.arange(0.0, side, 16.0))
    panels[0].set_ylabel("y (mm)")

    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    paths = [output / f"heat_inverse.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=200)
    return paths


def main(output=OUTPUT, iterations=500):
    """Measure, fit, print and draw.

    Parameters
    ----------
    output : path
        The folder for the figure; it is made if need be.
    iterations : int
        How many iterations the optimiser may take.

    Returns
    -------
    dict
        The ``truth`` and the ``estimate``, diffusivities of all cells in mm²/s; the relative error in the Euclidean
        norm, of the guess and of the estimate: ``error_before`` and ``error``; the root mean square of the readings'
        errors in units of the noise, ``misfit_before`` and ``misfit``; the ``objective`` at the estimate; the
        optimiser's ``iterations`` and ``evaluations``; the seconds of a ``plain_run`` and of a ``gradient``, and the
        ``cost_ratio`` of the two; the ``files`` written.
    """
    truth = true_diffusivity()
    experiment = measure(truth)
    found = fit(experiment, iterations)
    estimate = np.exp(found.x).reshape(CELLS, CELLS)
    guess = np.full_like(truth, GUESS)

    error_before, error = (float(np.linalg.norm(k - truth) / np.linalg.norm(truth)) for k in (guess, estimate))
    misfit_before, misfit_after = misfit(guess, experiment), misfit(estimate, experiment)
    plain_run, gradient, ratio = cost_of_a_gradient(experiment, found.x)
    files = draw(truth, estimate, experiment, output)

    print(f"{truth.size} diffusivities from {len(experiment.rows)} sensors, {STEPS // EVERY} readings each")
    print(f"{found.nit} iterations, {found.nfev} gradients")
    print()
    print(f"{'':<32}{'guess':>10}{'estimate':>10}")
    print(f"{'relative error':<32}{100 * error_before:>8.1f} %{100 * error:>8.1f} %")
    print(f"{'misfit (root mean square, K)':<32}{NOISE * misfit_before:>10.3f}{NOISE * misfit_after:>10.3f}")
    print()
    print(f"plain run {1e3 * plain_run:.1f} ms, value and gradient {1e3 * gradient:.1f} ms")
    print(f"gradient / plain run: {ratio:.2f}")
    print(f"figure: {', '.join(map(str, files))}")
    return {
        "truth": truth,
        "estimate": estimate,
        "error_before": error_before,
        "error": error,
        "misfit_before": misfit_before,
        "misfit": misfit_after,
        "objective": float(found.fun),
        "iterations": int(found.nit),
        "evaluations": int(found.nfev),
        "plain_run": plain_run,
        "gradient": gradient,
        "cost_ratio": ratio,
        "files": files,
    }


def command_line(arguments=None):
    """Run `main` with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder for the figure (default: examples/output)")
    main(parser.parse_args(arguments).output)


if __name__ == "__main__":
    command_line()
