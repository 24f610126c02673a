"""The derivative of a program with a loop, a branch, an early return and a print: a sine from its series.

The claim, and the program, are those of Innes et al. (2019), section 2: differentiating a program means
differentiating what it does, and nothing has to be rewritten first. The number of terms depends on the input,
the loop stops when a term is small, and each term that counts is announced as it is added.

* Forward and reverse mode give the same derivative, that of the polynomial which the program happened to sum:
  0.5403023037918872 at 1.0, where the cosine is 0.5403023058681398. The difference is the next term.
* The reverse sweep goes back over recorded arithmetic and does not run the program again, so nothing is
  printed twice.
* Control flow has the last word. Within 1e-8 of zero the program returns before it adds a term, so its
  derivative is 0 there, though the derivative of the sine is 1.

Writes a table to the terminal and ``taylor_sine.png`` and ``taylor_sine.svg`` to the output folder.

References
----------
M. Innes, A. Edelman, K. Fischer, C. Rackauckas, E. Saba, V. B. Shah and W. Tebbutt, "A Differentiable
Programming System to Bridge Machine Learning and Scientific Computing", arXiv:1907.07587 (2019).
"""

import argparse
import math
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

import dualtape as dt

OUTPUT = Path(__file__).parent / "output"
POINTS = (0.0, 0.5, 1.0, math.pi / 3, 2.0, 3.0)


def sine(x, announce=print):
    """Sum the series of sin x until a term falls below 1e-8, announcing each power that is added."""
    total, sign = 0.0, -1.0
    for i in range(1, 20):
        if i % 2 == 1:
            term = x**i / math.factorial(i)
            if abs(term) < 1e-8:
                return total
            announce(i)
            sign = -sign
            total += sign * term
    return total


def silent(i):
    """Announce nothing."""


def powers(x):
    """The powers that `sine` adds at x."""
    added = []
    sine(x, added.append)
    return added


def differentiate(x):
    """All that the table says of one point."""

    def quiet_sine(x):
        return sine(x, silent)

    return {
        "x": x,
        "powers": powers(x),
        "value": quiet_sine(x),
        "forward": dt.derivative(quiet_sine, x),
        "reverse": dt.gradient(quiet_sine, x),
        # Forward mode over forward mode, then over reverse mode.
        "second": dt.derivative(dt.derivative(quiet_sine), x),
        "second_reverse": dt.hessian(quiet_sine, x),
    }


def draw(output):
    """Write the figure as PNG and SVG; return the two paths."""
    # An even number of points: the one at zero, where the program returns 0 at once, would be a stray dot.
    xs = np.linspace(-3.0, 3.0, 1200).tolist()
    rows = [differentiate(x) for x in xs]
    counts = np.array([len(row["powers"]) for row in rows])
    slopes = np.array([row["reverse"] for row in rows])
    errors = np.abs(slopes - np.cos(xs))

    figure = Figure(figsize=(7.2, 5.8), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.0, 1.15))
    above.plot(xs, np.sin(xs), color="#9dbcd4", linewidth=5, label="sin x")
    above.plot(xs, np.cos(xs), color="#e6b89c", linewidth=5, label="cos x")
    above.plot(xs, [row["value"] for row in rows], color="#1f4e70", linewidth=1.3, label="s, the program")
    above.plot(xs, slopes, color="#8c3b14", linewidth=1.3, label="s', its derivative")
    above.set_ylabel("value")
    above.legend(frameon=False, fontsize=9, ncols=2, loc="upper left")
    above.set_ylim(-1.15, 1.75)

    for count in sorted(set(counts.tolist())):
        chosen = counts == count
        below.plot(
            np.array(xs)[chosen],
            # Rounding sets the floor, and a difference of exactly zero has no logarithm.
            np.log10(np.maximum(errors[chosen], 1e-17)),
            ".",
            markersize=3.5,
            color=colormaps["viridis"](0.94 * (1.0 - count / counts.max())),
            label=f"{count}",
        )
    below.set_ylabel(r"$\log_{10}\,|s' - \cos x|$")
    below.set_xlabel("x (radians)")
    below.set_xlim(-3.0, 3.0)
    below.legend(
        title="terms",
        frameon=False,
        fontsize=9,
        title_fontsize=9,
        markerscale=3,
        ncols=1,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
    )
    for panel in (above, below):
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(color="0.92", linewidth=0.6)
        panel.set_axisbelow(True)

    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    paths = [output / f"taylor_sine.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=200)
    return paths


def main(output=OUTPUT):
    """Differentiate, print and draw.

    Parameters
    ----------
    output : path
        The folder for the figure; it is made if need be.

    Returns
    -------
    dict
        ``rows``, one dict for each point of the table (x, the powers added, value, forward, reverse, second,
        second_reverse), and the ``files`` written.
    """
    print("Reverse mode at x = 1. The program prints the powers that it adds, once:")
    print(f"derivative {dt.gradient(sine, 1.0)!r}, cos(1) = {math.cos(1.0)!r}\n")

    rows = [differentiate(x) for x in POINTS]
    print(f"{'x':>8} {'powers':>8} {'forward':>20} {'reverse':>20} {'cos x':>20} {'second':>20}")
    for row in rows:
        added = f"1..{row['powers'][-1]}" if row["powers"] else "none"
        print(
            f"{row['x']:8.5f} {added:>8} {row['forward']:20.16f} {row['reverse']:20.16f} "
            f"{math.cos(row['x']):20.16f} {row['second']:20.16f}"
        )
    files = draw(output)
    print(f"\nfigure: {', '.join(map(str, files))}")
    return {"rows": rows, "files": files}


def command_line(arguments=None):
    """Run `main` with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder for the figure (default: examples/output)")
    main(parser.parse_args(arguments).output)


if __name__ == "__main__":
    command_line()
