"""Recover the diffusivity of a plate from noisy temperatures at a tenth of its points, by exact derivatives.

The claim: an explicit solver of the heat equation, written in plain NumPy with slices and assignment in place
(`diffuse`, which knows nothing of dualtape), is differentiated as it stands, and the gradient by all of its 4096
unknowns costs a few runs of the program.

The temperature u of an insulated square of side 1 follows

    du/dt = div(k grad u)

from a pattern of hot spots. The unknown is the field log k: one number for each of 64 x 64 cells. A tenth of the
cells hold thermometers, read every ten of 200 time steps, with an error of known standard deviation sigma. The
estimate minimises

    1/2 sum ((u - reading) / sigma)^2  +  weight/2 sum (difference of log k between neighbours)^2

by L-BFGS-B, whose bounds keep k where the time step is stable. The readings are made by the same solver from a
known field, so the estimate can be compared with the truth.

Prints a summary to the terminal and writes ``heat_inverse.png`` and ``heat_inverse.svg`` to the output folder.

References
----------
C. R. Vogel, "Computational Methods for Inverse Problems", SIAM (2002).
"""

import argparse
import statistics
import sys
import time
import types
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize
from tqdm import tqdm

import dualtape as dt

OUTPUT = Path(__file__).parent / "output"

# Cells along a side, and time steps.
CELLS = 64
STEPS = 200
# Thermometers are read after every so many steps; the share of the cells that holds one; the error of a reading.
EVERY = 10
SHARE = 0.1
SIGMA = 0.01
# The weight of the smoothness of log k in the objective.
WEIGHT = 10.0
# The search keeps k between these bounds. A step of h^2 / (4 k) is the longest that is stable for a diffusivity k.
LOWEST, HIGHEST = 0.1, 4.0
TIME_STEP = 1.0 / (4.0 * HIGHEST * CELLS**2)


def diffuse(k, start, steps, every, rows, columns):
    """Temperatures at the thermometers, one row for each reading: plain NumPy, with assignment in place.

    Heat flows through the faces between cells, and what leaves one cell enters the next.

    Parameters
    ----------
    k : array
        The diffusivity of each cell of a square.
    start : array
        The temperatures at the beginning.
    steps, every : int
        The number of time steps of `TIME_STEP`, and of steps between two readings.
    rows, columns : array of int
        The places of the thermometers.
    """
    # What a difference of one degree moves through a face in one step.
    scale = 0.5 * TIME_STEP * len(k) ** 2
    kx = scale * (k[1:] + k[:-1])
    ky = scale * (k[:, 1:] + k[:, :-1])
    u = np.zeros_like(k)
    u[:] = start
    readings = []
    for step in range(1, steps + 1):
        qx = kx * (u[1:] - u[:-1])
        qy = ky * (u[:, 1:] - u[:, :-1])
        u[:-1] += qx
        u[1:] -= qx
        u[:, :-1] += qy
        u[:, 1:] -= qy
        if step % every == 0:
            readings.append(u[rows, columns])
    return np.stack(readings)


class Experiment(NamedTuple):
    """A plate with a known diffusivity, and what the thermometers on it read."""

    true_k: np.ndarray
    start: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    readings: np.ndarray


def bumps(centres, heights, width):
    """A sum of Gaussian bumps at the centres of the cells."""
    x = (np.arange(CELLS) + 0.5) / CELLS
    field = np.zeros((CELLS, CELLS))
    for (row, column), height in zip(centres, heights, strict=True):
        field += height * np.outer(
            np.exp(-0.5 * ((x - row) / width) ** 2), np.exp(-0.5 * ((x - column) / width) ** 2)
        )
    return field


def experiment(seed=2024):
    """A smooth field between 0.4 and 2.5, hot spots of height 1 all over the plate, and readings with noise."""
    rng = np.random.default_rng(seed)
    true_k = np.exp(bumps([(0.30, 0.28), (0.68, 0.72), (0.75, 0.22), (0.22, 0.78)], [0.9, 0.7, -0.9, -0.6], 0.13))
    grid = (np.arange(6) + 0.5) / 6
    spots = [(row, column) for row in grid for column in grid]
    start = bumps(spots + rng.uniform(-0.02, 0.02, (len(spots), 2)), np.ones(len(spots)), 0.035)
    places = rng.choice(CELLS**2, round(SHARE * CELLS**2), replace=False)
    rows, columns = np.divmod(np.sort(places), CELLS)
    readings = diffuse(true_k, start, STEPS, EVERY, rows, columns)
    return Experiment(true_k, start, rows, columns, readings + SIGMA * rng.standard_normal(readings.shape))


def misfit(plate, log_k, solver=diffuse):
    """Half the sum of squares of the misses of all readings, in standard deviations."""
    temperatures = solver(np.exp(log_k), plate.start, STEPS, EVERY, plate.rows, plate.columns)
    miss = (temperatures - plate.readings) / SIGMA
    return 0.5 * np.sum(miss * miss)


def roughness(log_k):
    """Half the sum of squares of the differences between neighbours."""
    down = log_k[1:] - log_k[:-1]
    across = log_k[:, 1:] - log_k[:, :-1]
    return 0.5 * (np.sum(down * down) + np.sum(across * across))


def objective(plate, solver=diffuse):
    """The function to minimise, of log k as one long vector (that is what SciPy's optimisers work on)."""

    def total(vector):
        log_k = vector.reshape(CELLS, CELLS)
        return misfit(plate, log_k, solver) + WEIGHT * roughness(log_k)

    return total


def fit(plate, start, iterations, progress):
    """Minimise from `start`, an array of log k; `progress` shows the iterations on the terminal."""
    total = objective(plate)
    with tqdm(desc="least squares", unit=" iterations", disable=not progress) as bar:

        def show(intermediate_result):
            bar.set_postfix_str(f"objective = {intermediate_result.fun:.2f}", refresh=False)
            bar.update()

        return minimize(
            lambda vector: dt.value_and_gradient(total, vector),
            start.reshape(-1),
            jac=True,
            method="L-BFGS-B",
            bounds=[(np.log(LOWEST), np.log(HIGHEST))] * start.size,
            callback=show,
            options={"maxiter": iterations, "ftol": 1e-8, "maxcor": 20},
        )


def copy_of(function):
    """The same function with bytecode of its own.

    The interpreter specialises bytecode to the types that it meets. A copy that has never seen traced values is
    timed as the plain program would run by itself.
    """
    return types.FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )


def cost_of_a_gradient(plate, log_k, repeats=15):
    """Seconds of one plain run and of one gradient with its value: medians, measured in turn."""
    vector = log_k.reshape(-1)
    total = objective(plate)
    alone = copy_of(objective(plate, copy_of(diffuse)))
    plain, gradient = [], []
    for _ in range(repeats):
        begin = time.process_time()
        alone(vector)
        middle = time.process_time()
        dt.value_and_gradient(total, vector)
        plain.append(middle - begin)
        gradient.append(time.process_time() - middle)
    return statistics.median(plain), statistics.median(gradient)


def relative_error(k, true_k):
    """The norm of the error over the norm of the truth."""
    return float(np.linalg.norm(k - true_k) / np.linalg.norm(true_k))


def draw(plate, k, output):
    """Write the figure as PNG and SVG; return the two paths."""
    # A Figure without pyplot needs no display and leaves no global state behind.
    figure = Figure(figsize=(10.5, 3.7), layout="constrained")
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    style = {"origin": "lower", "extent": (0.0, 1.0, 0.0, 1.0)}
    scale = {"vmin": min(plate.true_k.min(), k.min()), "vmax": max(plate.true_k.max(), k.max())}
    for panel, title, field in zip(panels, ("Truth", "Estimate"), (plate.true_k, k), strict=False):
        image = panel.imshow(field, cmap="viridis", **scale, **style)
        panel.set_title(title, loc="left", fontsize=11, fontweight="bold")
    figure.colorbar(image, ax=panels[:2], label="diffusivity $k$", pad=0.02)
    error = 100.0 * (k / plate.true_k - 1.0)
    largest = np.abs(error).max()
    image = panels[2].imshow(error, cmap="RdBu_r", vmin=-largest, vmax=largest, **style)
    panels[2].plot(
        (plate.columns + 0.5) / CELLS, (plate.rows + 0.5) / CELLS, ".", color="black", markersize=2.0, markeredgewidth=0
    )
    panels[2].set_title("Error, and the thermometers (dots)", loc="left", fontsize=11, fontweight="bold")
    figure.colorbar(image, ax=panels[2], label="error of $k$ (%)", pad=0.02)
    for panel in panels:
        panel.set_xlabel("$x$")
    panels[0].set_ylabel("$y$")

    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    paths = [output / f"heat_inverse.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=200)
    return paths


def main(output=OUTPUT, progress=True, iterations=200):
    """Make the readings, fit, print and draw.

    Parameters
    ----------
    output : path
        The folder for the figure; it is made if need be.
    progress : bool
        Show the optimiser's progress on the terminal.
    iterations : int
        The most iterations of the optimiser.

    Returns
    -------
    dict
        For the uniform initial guess and the estimate, as pairs: ``misfit``, the mean square of the misses in
        standard deviations, and ``error``, the relative error of k. The estimated field ``k``; the optimiser's
        ``iterations`` and ``evaluations``; the ``cost_ratio`` of one gradient to one plain run; the ``files``
        written.
    """
    plate = experiment()
    guess = np.zeros_like(plate.true_k)
    result = fit(plate, guess, iterations, progress)
    log_k = result.x.reshape(guess.shape)
    k = np.exp(log_k)
    misfits = tuple(float(2.0 * misfit(plate, field) / plate.readings.size) for field in (guess, log_k))
    errors = tuple(relative_error(field, plate.true_k) for field in (np.exp(guess), k))
    plain, gradient = cost_of_a_gradient(plate, log_k)
    files = draw(plate, k, output)

    print(f"{k.size} unknowns, {plate.readings.size} readings of {len(plate.rows)} thermometers, {STEPS} time steps")
    print(f"{'':<16}{'mean square miss':>18}{'relative error of k':>22}")
    for name, square, error in zip(("initial guess", "estimate"), misfits, errors, strict=True):
        print(f"{name:<16}{square:>18.3f}{100.0 * error:>20.2f} %")
    print(f"{result.nit} iterations, {result.nfev} gradients")
    print(f"one plain run {1e3 * plain:.2f} ms, one gradient {1e3 * gradient:.2f} ms")
    print(f"one gradient = {gradient / plain:.2f} plain runs")
    print(f"figure: {', '.join(map(str, files))}")
    return {
        "misfit": misfits,
        "error": errors,
        "k": k,
        "iterations": int(result.nit),
        "evaluations": int(result.nfev),
        "cost_ratio": gradient / plain,
        "files": files,
    }


def command_line(arguments=None):
    """Run `main` with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder for the figure (default: examples/output)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    try:
        main(options.output, progress=not options.quiet)
    except OSError as problem:
        sys.exit(f"heat_inverse: {problem}")


if __name__ == "__main__":
    command_line()
