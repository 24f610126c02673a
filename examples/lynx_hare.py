"""Fit the predator-prey equations to a century-old record of lynx and hare pelts, by exact derivatives.

The claim: a likelihood that runs an adaptive differential equation solver, written in plain Python with its
loops, branches and rejected steps (``dormand_prince.py``), is differentiated as it stands. Three derivatives
do the work:

* ``dt.value_and_gradient`` and ``dt.hessian`` feed the optimiser, a trust-region Newton method;
* ``dt.hessian`` at the maximum gives the standard errors;
* ``dt.jacobian`` of the fitted curves gives the band around them.

The model, as in the case study of Carpenter (2018): hares u and lynx v, in thousands of pelts, follow

    du/dt = (alpha - beta v) u        dv/dt = (delta u - gamma) v

and each pelt count y is log-normal around its curve z, log y ~ Normal(log z, sigma), with one scale sigma for
each species. The eight parameters (four rates, two initial populations, two scales) are positive, so the
search runs over their logarithms, and the standard error of a parameter p is p times that of log p (the delta
method). The inverse Hessian in the parameters themselves gives the same number: at a maximum the gradient is
zero, and there the two Hessians differ only by the factors dp / d(log p) = p.

Writes a table to the terminal and ``lynx_hare.png`` and ``lynx_hare.svg`` to the output folder.

References
----------
B. Carpenter, "Predator-Prey Population Dynamics: the Lotka-Volterra model in Stan", Stan case studies (2018).
C. G. Hewitt, "The Conservation of the Wild Life of Canada" (1921): the pelts, as tabulated by J. M. Mahaffy
and P. Howard.
"""

import argparse
import csv
import math
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize
from tqdm import tqdm

import dualtape as dt
from dormand_prince import IntegrationError, solve

HERE = Path(__file__).parent
DATA = HERE / "data" / "lynx_hare.csv"
OUTPUT = HERE / "output"

# Relative tolerance of the solver: at 1e-8 the likelihood is right to nine digits.
TOLERANCE = 1e-8
# Half the width of a 90 % interval, in standard deviations.
Z90 = statistics.NormalDist().inv_cdf(0.95)


class Parameter(NamedTuple):
    """One row of the table: a parameter, and the posterior mean that Carpenter (2018) reports for it."""

    name: str
    meaning: str
    unit: str
    published: float


PARAMETERS = (
    Parameter("alpha", "growth of hares", "1/year", 0.55),
    Parameter("beta", "hares lost to each lynx", "1/year/thousand", 0.028),
    Parameter("gamma", "decline of lynx", "1/year", 0.80),
    Parameter("delta", "lynx gained from each hare", "1/year/thousand", 0.024),
    Parameter("hare_0", "hares in the first year", "thousand", 34.0),
    Parameter("lynx_0", "lynx in the first year", "thousand", 6.0),
    Parameter("sigma_hare", "scatter of log hares", "", 0.25),
    Parameter("sigma_lynx", "scatter of log lynx", "", 0.25),
)


class DataError(ValueError):
    """The table of pelts cannot be used; the message names the file and the line."""


class Pelts(NamedTuple):
    """The record: calendar years, and the pelts of each species in thousands."""

    years: list
    hare: list
    lynx: list


def read_pelts(path):
    """Read a CSV with the columns year, lynx and hare; lines that start with # are comments.

    Raises
    ------
    OSError
        The file cannot be read.
    DataError
        A column is missing, a row is malformed, a count is not positive, or the years do not increase.
    """
    years, hare, lynx = [], [], []
    with open(path, newline="", encoding="utf-8") as file:
        lines = [
            (number, line) for number, line in enumerate(file, start=1) if line.strip() and not line.startswith("#")
        ]
    if not lines:
        raise DataError(f"{path}: the file holds no table")
    columns = [name.strip() for name in next(csv.reader([lines[0][1]]))]
    if sorted(columns) != ["hare", "lynx", "year"]:
        raise DataError(f"{path}, line {lines[0][0]}: expected the columns year,lynx,hare, not {','.join(columns)}")
    for number, line in lines[1:]:
        where = f"{path}, line {number}"
        fields = next(csv.reader([line]))
        if len(fields) != len(columns):
            raise DataError(f"{where}: expected {len(columns)} fields, found {len(fields)}")
        try:
            row = dict(zip(columns, map(float, fields), strict=True))
        except ValueError as problem:
            raise DataError(f"{where}: {problem}") from None
        for species in ("hare", "lynx"):
            if not 0.0 < row[species] < math.inf:
                raise DataError(
                    f"{where}: {row[species]:g} thousand {species} pelts: counts must be positive "
                    "and finite, for the model takes their logarithms"
                )
        if not math.isfinite(row["year"]) or (years and not row["year"] > years[-1]):
            raise DataError(f"{where}: the years must increase, and {fields[columns.index('year')]} does not")
        years.append(row["year"])
        hare.append(row["hare"])
        lynx.append(row["lynx"])
    if len(years) < 4:
        raise DataError(f"{path}: {len(years)} years are too few for eight parameters")
    return Pelts(years, hare, lynx)


def populations(logs, times):
    """Hares and lynx at the times (years since the first count), for the logarithms of the parameters."""
    alpha, beta, gamma, delta, hare_0, lynx_0 = [dt.exp(value) for value in logs[:6]]

    def rates(t, state):
        u, v = state
        return [(alpha - beta * v) * u, (delta * u - gamma) * v]

    return solve(rates, [hare_0, lynx_0], times, rtol=TOLERANCE, atol=0.01 * TOLERANCE).states


def negative_log_likelihood(pelts):
    """The function to minimise: -log L of the logarithms of the parameters.

    The constants are left out: log(2 pi) / 2 and log y for each of the counts.
    """
    times = [year - pelts.years[0] for year in pelts.years]
    log_hare = [math.log(y) for y in pelts.hare]
    log_lynx = [math.log(y) for y in pelts.lynx]

    def minus_log_l(logs):
        sigma_hare, sigma_lynx = dt.exp(logs[6]), dt.exp(logs[7])
        total = len(times) * (logs[6] + logs[7])
        for (u, v), log_u, log_v in zip(populations(logs, times), log_hare, log_lynx, strict=True):
            miss_u = (log_u - dt.log(u)) / sigma_hare
            miss_v = (log_v - dt.log(v)) / sigma_lynx
            total = total + 0.5 * (miss_u * miss_u + miss_v * miss_v)
        return total

    return minus_log_l


def starting_point(pelts):
    """Rough parameters from two straight lines.

    Integrated over a year, the equations say that log u rises by alpha less beta times the lynx of that year,
    and log v by delta times the hares less gamma. Lines through the yearly changes of the logarithms against
    the mean counts of the other species give the four rates.

    Raises
    ------
    DataError
        The lines slope the wrong way: the record is not that of a predator and its prey.
    """
    lines = []
    for own, other in ((pelts.hare, pelts.lynx), (pelts.lynx, pelts.hare)):
        change = np.diff(np.log(own)) / np.diff(pelts.years)
        lines.append(np.polyfit(0.5 * (np.array(other[1:]) + np.array(other[:-1])), change, 1))
    (slope_u, level_u), (slope_v, level_v) = lines
    rough = [level_u, -slope_u, -level_v, slope_v, pelts.hare[0], pelts.lynx[0], 0.5, 0.5]
    if min(rough) <= 0.0:
        raise DataError(
            "the counts are not those of a predator and its prey: lynx must slow the growth of hares, "
            f"and hares feed that of lynx (rough rates: {', '.join(f'{rate:.3g}' for rate in rough[:4])})"
        )
    return np.log(rough)


def maximise(minus_log_l, start, progress):
    """Newton's method in a trust region (trust-exact); `progress` shows the iterations on the terminal."""

    def value_and_gradient(logs):
        try:
            return dt.value_and_gradient(minus_log_l, logs)
        except (IntegrationError, OverflowError):
            # A step so long that the solver fails is a bad step: the trust region shrinks and tries again.
            return math.inf, np.full(len(logs), math.nan)

    with tqdm(desc="maximum likelihood", unit=" iterations", disable=not progress) as bar:

        def show(intermediate_result):
            bar.set_postfix_str(f"-log L = {intermediate_result.fun:.6f}", refresh=False)
            bar.update()

        result = minimize(
            value_and_gradient,
            start,
            jac=True,
            hess=lambda logs: dt.hessian(minus_log_l, logs),
            method="trust-exact",
            callback=show,
            # The parameters are logarithms: 0.3 is a change by a third, 1 one by a factor of e.
            options={"initial_trust_radius": 0.3, "max_trust_radius": 1.0, "gtol": 1e-6},
        )
    if not result.success:
        raise RuntimeError(f"the optimiser did not reach a maximum of the likelihood: {result.message}")
    return result


def covariance_of_logs(minus_log_l, logs):
    """The inverse Hessian of -log L: the covariance of the estimated logarithms of the parameters."""
    hessian = dt.hessian(minus_log_l, logs)
    try:
        np.linalg.cholesky(hessian)
    except np.linalg.LinAlgError:
        raise RuntimeError("the Hessian is not positive definite: this point is no maximum") from None
    return np.linalg.inv(hessian)


class Curves(NamedTuple):
    """The fitted curves: logarithms and their standard deviations, one row for each species (hares, lynx)."""

    years: np.ndarray
    log_z: np.ndarray
    deviation: np.ndarray


def curves(logs, covariance, first_year, last_year):
    """The fit, month by month, with its uncertainty by the delta method.

    To first order the curve log z(t) moves by J(t) times an error in the parameters, so its variance is
    J C J^T with C the covariance of the parameters.
    """
    months = round(12 * (last_year - first_year))
    times = [month / 12 for month in range(months + 1)]

    def log_populations(values):
        return [dt.log(z) for state in populations(values, times) for z in state]

    log_z = np.array(log_populations(logs.tolist())).reshape(-1, 2)
    jacobian = np.asarray(dt.jacobian(log_populations, logs)).reshape(-1, 2, len(logs))
    variance = np.einsum("tsi,ij,tsj->ts", jacobian, covariance, jacobian)
    return Curves(first_year + np.array(times), log_z.T, np.sqrt(variance).T)


def coverage(pelts, fitted, sigmas):
    """How many counts lie inside the 90 % band for observations, and how many there are."""
    inside = 0
    for counts, log_z, deviation, sigma in zip(
        (pelts.hare, pelts.lynx), fitted.log_z, fitted.deviation, sigmas, strict=True
    ):
        miss = np.log(counts) - np.interp(pelts.years, fitted.years, log_z)
        width = np.hypot(np.interp(pelts.years, fitted.years, deviation), sigma)
        inside += int(np.sum(np.abs(miss) <= Z90 * width))
    return inside, 2 * len(pelts.years)


def cost_of_a_gradient(minus_log_l, logs, repeats=25):
    """Seconds of one plain evaluation and of one gradient with its value: medians, measured in turn."""
    values = logs.tolist()
    plain, gradient = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        minus_log_l(values)
        middle = time.perf_counter()
        dt.value_and_gradient(minus_log_l, logs)
        plain.append(middle - start)
        gradient.append(time.perf_counter() - middle)
    return statistics.median(plain), statistics.median(gradient)


def table(estimates, errors):
    """The estimates with their standard errors, beside the published posterior means."""
    lines = [f"{'parameter':<11}{'estimate':>10}{'std. error':>12}{'published':>11}   meaning"]
    for parameter, value, error in zip(PARAMETERS, estimates, errors, strict=True):
        name, meaning, unit, published = parameter
        meaning += f" ({unit})" if unit else ""
        lines.append(f"{name:<11}{value:>#10.4g}{error:>#12.2g}{published:>11g}   {meaning}")
    return "\n".join(lines)


def draw(pelts, fitted, sigmas, output):
    """Write the figure as PNG and SVG; return the two paths."""
    # A Figure without pyplot needs no display and leaves no global state behind.
    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    species = (("Snowshoe hare", "#2f6690", pelts.hare), ("Canadian lynx", "#b5532a", pelts.lynx))
    for panel, (name, colour, counts), log_z, deviation, sigma in zip(
        panels, species, fitted.log_z, fitted.deviation, sigmas, strict=True
    ):
        observation = np.hypot(deviation, sigma)
        for width, alpha, label in (
            (observation, 0.14, "90 % of observations"),
            (deviation, 0.38, "90 % band of the fit"),
        ):
            panel.fill_between(
                fitted.years,
                np.exp(log_z - Z90 * width),
                np.exp(log_z + Z90 * width),
                color=colour,
                alpha=alpha,
                linewidth=0,
                label=label,
            )
        panel.plot(fitted.years, np.exp(log_z), color=colour, linewidth=1.8, label="maximum likelihood")
        panel.plot(
            pelts.years,
            counts,
            "o",
            color="black",
            markersize=4.5,
            markerfacecolor="white",
            label="pelts counted",
        )
        panel.set_title(name, loc="left", fontsize=11, fontweight="bold", color=colour)
        panel.set_ylabel("Pelts (thousands)")
        panel.set_ylim(bottom=0.0)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", color="0.9", linewidth=0.6)
        panel.set_axisbelow(True)
        handles, labels = panel.get_legend_handles_labels()
        panel.legend(handles[::-1], labels[::-1], frameon=False, fontsize=9, loc="best")
    figure.align_ylabels()
    panels[-1].set_xlabel("Year")
    panels[-1].set_xlim(pelts.years[0] - 0.4, pelts.years[-1] + 0.4)
    panels[-1].xaxis.get_major_locator().set_params(integer=True)

    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    paths = [output / f"lynx_hare.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=200)
    return paths


def main(data=DATA, output=OUTPUT, progress=True):
    """Fit, print and draw.

    Parameters
    ----------
    data : path
        The table of pelts.
    output : path
        The folder for the figure; it is made if need be.
    progress : bool
        Show the optimiser's progress on the terminal.

    Returns
    -------
    dict
        ``estimates`` and ``standard_errors`` by the names of the parameters; ``minus_log_l`` at the maximum
        and the largest entry of the ``gradient`` there; the optimiser's ``iterations`` and ``evaluations``;
        the ``coverage``, how many counts of how many lie in the band for observations; the ``cost_ratio`` of
        one gradient to one plain evaluation; the ``files`` written.
    """
    pelts = read_pelts(data)
    minus_log_l = negative_log_likelihood(pelts)
    result = maximise(minus_log_l, starting_point(pelts), progress)
    covariance = covariance_of_logs(minus_log_l, result.x)
    estimates = np.exp(result.x)
    errors = estimates * np.sqrt(np.diag(covariance))
    fitted = curves(result.x, covariance, pelts.years[0], pelts.years[-1])

    inside, total = coverage(pelts, fitted, estimates[6:])
    plain, gradient = cost_of_a_gradient(minus_log_l, result.x)
    files = draw(pelts, fitted, estimates[6:], output)

    print(table(estimates, errors))
    print()
    print(f"-log L without constants: {result.fun:.5f} (largest slope {np.abs(result.jac).max():.0e})")
    print(f"counts inside the 90 % band for observations: {inside} of {total}")
    print(f"one plain evaluation {1e3 * plain:.2f} ms, one gradient {1e3 * gradient:.2f} ms")
    print(f"one gradient costs {gradient / plain:.2f} plain evaluations")
    print(f"figure: {', '.join(map(str, files))}")
    names = [p.name for p in PARAMETERS]
    return {
        "estimates": dict(zip(names, estimates.tolist(), strict=True)),
        "standard_errors": dict(zip(names, errors.tolist(), strict=True)),
        "minus_log_l": float(result.fun),
        "gradient": float(np.abs(result.jac).max()),
        "iterations": int(result.nit),
        "evaluations": int(result.nfev),
        "coverage": (inside, total),
        "cost_ratio": gradient / plain,
        "files": files,
    }


def command_line(arguments=None):
    """Run `main` with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="CSV with the columns year,lynx,hare")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder for the figure (default: examples/output)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    try:
        main(options.data, options.output, progress=not options.quiet)
    except (DataError, OSError) as problem:
        sys.exit(f"lynx_hare: {problem}")


if __name__ == "__main__":
    command_line()
