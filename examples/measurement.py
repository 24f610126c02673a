"""Derivatives of numbers that know their own uncertainty.

The claim of Innes et al. (2019), section 3.1: differentiation that composes with types it has never heard of. The
numbers here are those of the package ``uncertainties``, which carries an error bar through arithmetic and
remembers which errors have the same origin. dualtape knows nothing of the package, nor the package of dualtape,
and yet the derivative of a program at a measured point comes out as a measured number.

For f(x) = x**2 + 3 x + 1 at x = 1/3 +- 0.01 the derivative 2 x + 3 is 3.6667 +- 0.02. The 0.02 is the test: reverse
mode adds x to x, one contribution from each factor of the square, and the two errors are the same error. Taken
for independent they would give 0.0141.

Writes a table to the terminal and ``measurement.png`` and ``measurement.svg`` to the output folder.

References
----------
M. Innes, A. Edelman, K. Fischer, C. Rackauckas, E. Saba, V. B. Shah and W. Tebbutt, "A Differentiable
Programming System to Bridge Machine Learning and Scientific Computing", arXiv:1907.07587 (2019).
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from uncertainties import correlation_matrix, covariance_matrix, ufloat

import dualtape as dt

OUTPUT = Path(__file__).parent / "output"
SAMPLES = 20_000


def polynomial(x):
    """The program of the paper."""
    return x**2 + 3 * x + 1


def wave(x):
    """A program with functions beyond arithmetic; dualtape's act on any kind of number."""
    return dt.sin(x) * dt.exp(x)


def ratio(a, b):
    """A program of two measurements."""
    return a * b**2 / (a + b)


def samples_of_the_derivative(x, count=SAMPLES):
    """The derivative of `polynomial` at points drawn around x, one gradient for each: what 3.67 +- 0.02 sums up."""
    points = np.random.default_rng(1).normal(x.nominal_value, x.std_dev, count)
    return np.array([dt.gradient(polynomial, point) for point in points.tolist()])


def draw(derivative, independent, samples, output):
    """Write the figure as PNG and SVG; return the two paths."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    panel = figure.subplots()
    panel.hist(samples, bins=60, density=True, color="#c9d6df", label=f"{len(samples):,} gradients at drawn x")
    grid = np.linspace(derivative.nominal_value - 0.085, derivative.nominal_value + 0.085, 400)
    for deviation, colour, style, label in (
        (derivative.std_dev, "#1f4e70", "-", "one gradient at 1/3 ± 0.01"),
        (independent, "#b5532a", "--", "as if the two errors were independent"),
    ):
        density = np.exp(-0.5 * ((grid - derivative.nominal_value) / deviation) ** 2)
        panel.plot(
            grid,
            density / (deviation * np.sqrt(2.0 * np.pi)),
            style,
            color=colour,
            linewidth=1.8,
            label=f"{label}: ± {deviation:.4f}",
        )
    panel.set_xlabel("derivative of x² + 3x + 1")
    panel.set_ylabel("probability density")
    panel.set_xlim(grid[0], grid[-1])
    panel.set_ylim(0.0, 40.0)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, fontsize=9, loc="upper left")

    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    paths = [output / f"measurement.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=200)
    return paths


def main(output=OUTPUT):
    """Differentiate measured numbers, print and draw.

    Parameters
    ----------
    output : path
        The folder for the figure; it is made if need be.

    Returns
    -------
    dict
        Pairs (value, uncertainty) of ``value``, ``gradient`` and ``derivative`` of the polynomial, of
        ``second``, its second derivative, of ``wave``, the derivative of sin x exp x, and of ``d_da`` and
        ``d_db``, those of a b**2 / (a + b), with their ``covariance``; ``independent``, the uncertainty of the
        gradient had the two uses of x lost their correlation; ``sampled``, mean and deviation of gradients at
        drawn points; the ``files`` written.
    """
    x = ufloat(1 / 3, 0.01)
    value, gradient = dt.value_and_gradient(polynomial, x)
    derivative = dt.derivative(polynomial, x)
    second = dt.derivative(dt.derivative(polynomial), x)
    # Two numbers of the same size and of different origin: what x + x gives once its correlation is lost.
    independent = (ufloat(1 / 3, 0.01) + ufloat(1 / 3, 0.01) + 3).std_dev
    samples = samples_of_the_derivative(x)

    y = ufloat(0.5, 0.1)
    of_wave = dt.gradient(wave, y)

    a, b = ufloat(2.0, 0.1), ufloat(3.0, 0.2)
    d_da, d_db = dt.gradient(ratio, a, b)

    print(f"{'x':<28} {x:.6f}")
    print(f"{'x**2 + 3 x + 1':<28} {value:.6f}")
    print(f"{'  derivative, reverse mode':<28} {gradient:.6f}")
    print(f"{'  derivative, forward mode':<28} {derivative:.6f}")
    print(f"{'  sampled':<28} {samples.mean():.6f}+/-{samples.std():.6f}")
    print(f"{'y':<28} {y:.6f}")
    print(f"{'derivative of sin y exp y':<28} {of_wave:.6f}")
    print(f"{'a, b':<28} {a:.6f}, {b:.6f}")
    print(f"{'derivatives of a b**2/(a+b)':<28} {d_da:.6f}, {d_db:.6f}")
    print(f"{'  their correlation':<28} {correlation_matrix([d_da, d_db])[0, 1]:.6f}")
    files = draw(gradient, independent, samples, output)
    print(f"figure: {', '.join(map(str, files))}")

    def pair(number):
        # A derivative that does not depend on x is a plain number, without an uncertainty.
        return getattr(number, "nominal_value", number), getattr(number, "std_dev", 0.0)

    return {
        "value": pair(value),
        "gradient": pair(gradient),
        "derivative": pair(derivative),
        "second": pair(second),
        "wave": pair(of_wave),
        "d_da": pair(d_da),
        "d_db": pair(d_db),
        "covariance": np.array(covariance_matrix([d_da, d_db])),
        "independent": independent,
        "sampled": (float(samples.mean()), float(samples.std())),
        "files": files,
    }


def command_line(arguments=None):
    """Run `main` with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder for the figure (default: examples/output)")
    main(parser.parse_args(arguments).output)


if __name__ == "__main__":
    command_line()
