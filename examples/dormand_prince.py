"""An adaptive Dormand-Prince 5(4) solver in plain Python, written without automatic differentiation in mind.

The claim it serves: a numerical method full of loops, branches and data-dependent step sizes needs no change
to be differentiated. Nothing here imports dualtape or asks what kind of number it is given. The state and the
step size are whatever supports ``+ - * / **``, comparisons, ``abs`` and ``max``: Python floats, or the traced
numbers of a differentiation.

Run as a program, it solves the predator-prey equations for a rising number of correct digits and prints what
each tolerance costs.

References
----------
J. R. Dormand and P. J. Prince, "A family of embedded Runge-Kutta formulae", J. Comp. Appl. Math. 6
(1980), 19-26.
E. Hairer, S. P. Norsett and G. Wanner, "Solving Ordinary Differential Equations I", 2nd edition (1993), II.4.
"""

# The lengths are checked once, on entry: zip(strict=True) would check them nine times a step.
# ruff: noqa: B905

import argparse
from itertools import pairwise
from typing import NamedTuple

# Table 5.2 of Hairer, Norsett and Wanner. A stage's nodes are the sums of its row.
C2, C3, C4, C5 = 1 / 5, 3 / 10, 4 / 5, 8 / 9
A21 = 1 / 5
A31, A32 = 3 / 40, 9 / 40
A41, A42, A43 = 44 / 45, -56 / 15, 32 / 9
A51, A52, A53, A54 = 19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729
A61, A62, A63, A64, A65 = 9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656
# The last row is the fifth-order result, so the last stage of a step is the first of the next one.
B1, B3, B4, B5, B6 = 35 / 384, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84
# The fifth-order weights less the fourth-order ones.
E1, E3, E4, E5, E6, E7 = 71 / 57600, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40

# Hairer's PI control: the exponent of this step's error, then that of the last accepted one.
BETA = 0.04
ALPHA = 0.2 - 0.75 * BETA
SAFETY, SHRINK, GROW = 0.9, 0.2, 10.0


class IntegrationError(RuntimeError):
    """The solver cannot go on: the step size has shrunk to nothing, or the steps allowed are used up."""


class Solution(NamedTuple):
    """What `solve` returns: the states at the output times, and what they cost."""

    states: list
    accepted: int
    rejected: int
    evaluations: int


def norm(vector, scale):
    """The largest entry of a vector in units of its tolerance."""
    largest = 0.0
    for v, s in zip(vector, scale):
        ratio = abs(v) / s
        # A NaN must win, and every comparison with one is false.
        if not ratio <= largest:
            largest = ratio
    return largest


def first_step(f, t, y, slope, rtol, atol):
    """A starting step from the sizes of the state and of its first two derivatives (Hairer et al., II.4)."""
    scale = [atol + rtol * abs(v) for v in y]
    size, speed = norm(y, scale), norm(slope, scale)
    guess = 1e-6 if size < 1e-5 or speed < 1e-5 else 0.01 * size / speed
    ahead = f(t + guess, [v + guess * k for v, k in zip(y, slope)])
    bend = norm([b - a for a, b in zip(slope, ahead)], scale) / guess
    fastest = max(speed, bend)
    if fastest <= 1e-15:
        return max(1e-6, guess * 1e-3)
    return min(100 * guess, (0.01 / fastest) ** 0.2)


def solve(f, y0, times, *, rtol=1e-6, atol=1e-9, max_steps=100_000):
    """Integrate y' = f(t, y) from ``times[0]`` and return the states at all ``times``.

    Parameters
    ----------
    f : callable
        ``f(t, y)`` returns the sequence of derivatives of the sequence ``y``.
    y0 : sequence of numbers
        The state at ``times[0]``.
    times : sequence of float
        Output times, increasing. Steps end on them exactly, so no interpolation enters the result.
    rtol, atol : float
        A step is accepted when each component's error estimate is at most
        ``atol + rtol * max(|before|, |after|)``.
    max_steps : int
        Steps allowed in all, rejected ones included.

    Returns
    -------
    Solution
        ``states[i]`` is the list of components at ``times[i]``.

    Raises
    ------
    ValueError
        Times that do not increase, tolerances that are not positive, or a state and a derivative of
        different lengths.
    IntegrationError
        The step size underflowed (a singularity, or a derivative that is not finite), or ``max_steps``
        were not enough (often a stiff equation).

    Examples
    --------
    >>> solution = solve(lambda t, y: [-y[0]], [1.0], [0.0, 1.0], rtol=1e-10)
    >>> abs(solution.states[-1][0] - 0.36787944117144233) < 1e-9
    True
    """
    times, y = list(times), list(y0)
    if not times:
        raise ValueError("times is empty: give the starting time and at least one output time")
    if not all(a < b for a, b in pairwise(times)):
        raise ValueError("times must increase strictly")
    if not (rtol > 0 and atol > 0):
        raise ValueError(f"tolerances must be positive, not rtol={rtol}, atol={atol}")
    t = times[0]
    k1 = f(t, y)
    if len(k1) != len(y):
        raise ValueError(f"f returned {len(k1)} derivatives for a state of {len(y)} components")

    states = [y]
    evaluations, accepted, rejected = 1, 0, 0
    last_error = 1e-4
    if len(times) > 1:
        proposal = first_step(f, t, y, k1, rtol, atol)
        evaluations += 1
    for goal in times[1:]:
        arrived, grown = False, GROW
        while not arrived:
            left = goal - t
            # Two equal steps to the goal, rather than a full one and a sliver.
            arrived = not proposal < left
            h = left if arrived else 0.5 * left if proposal > 0.5 * left else proposal
            if accepted + rejected >= max_steps:
                raise IntegrationError(
                    f"{max_steps} steps took the solution only to t = {t:.6g} of {times[-1]:.6g}: "
                    "the equation may be stiff, or the tolerance too tight (rtol, atol, max_steps)"
                )
            # Written so that a NaN ends here too.
            if not h > 4e-16 * max(abs(t), abs(goal)):
                raise IntegrationError(
                    f"the step size fell to {h:.1e} at t = {t:.9g}: "
                    "the solution has a singularity there, or its derivative is not finite"
                )

            k2 = f(t + C2 * h, [v + h * (A21 * a) for v, a in zip(y, k1)])
            k3 = f(t + C3 * h, [v + h * (A31 * a + A32 * b) for v, a, b in zip(y, k1, k2)])
            k4 = f(
                t + C4 * h,
                [v + h * (A41 * a + A42 * b + A43 * c) for v, a, b, c in zip(y, k1, k2, k3)],
            )
            k5 = f(
                t + C5 * h,
                [v + h * (A51 * a + A52 * b + A53 * c + A54 * d) for v, a, b, c, d in zip(y, k1, k2, k3, k4)],
            )
            end = goal if arrived else t + h
            k6 = f(
                end,
                [
                    v + h * (A61 * a + A62 * b + A63 * c + A64 * d + A65 * e)
                    for v, a, b, c, d, e in zip(y, k1, k2, k3, k4, k5)
                ],
            )
            after = [
                v + h * (B1 * a + B3 * c + B4 * d + B5 * e + B6 * g) for v, a, c, d, e, g in zip(y, k1, k3, k4, k5, k6)
            ]
            k7 = f(end, after)
            evaluations += 6
            error = norm(
                [
                    h * (E1 * a + E3 * c + E4 * d + E5 * e + E6 * g + E7 * w)
                    for a, c, d, e, g, w in zip(k1, k3, k4, k5, k6, k7)
                ],
                [atol + rtol * max(abs(v), abs(w)) for v, w in zip(y, after)],
            )

            if error <= 1.0:
                accepted += 1
                # An error of zero has no negative power, and one of 1e-10 asks for the most growth already.
                change = grown if error < 1e-10 else SAFETY * error**-ALPHA * last_error**BETA
                change = SHRINK if change < SHRINK else grown if change > grown else change
                suggestion = h * change
                # A step cut short by the goal says little about how long the next one may be.
                proposal = proposal if suggestion < proposal and h < proposal else suggestion
                last_error = error if error > 1e-4 else 1e-4
                t, y, k1, grown = end, after, k7, GROW
            else:
                rejected += 1
                arrived = False
                # No growth right after a rejection: it would only be rejected again.
                grown = 1.0
                change = SAFETY * error**-ALPHA if error < 1e10 else SHRINK
                proposal = h * (change if change > SHRINK else SHRINK)
        states.append(y)
    return Solution(states, accepted, rejected, evaluations)


def predator_prey(t, state):
    """The Lotka-Volterra equations of Rackauckas et al. (2019), section 2.1."""
    x, y = state
    return [1.5 * x - x * y, x * y - 3.0 * y]


def main():
    """Solve the predator-prey equations at six tolerances; return rows (tolerance, error, evaluations)."""
    exact = [1.02634476757509, 0.90969107813604]  # by collocation, at a tolerance of 1e-13
    rows = []
    print(f"{'rtol':>8} {'error at t = 10':>16} {'evaluations':>12} {'rejected':>9}")
    for digits in range(2, 13, 2):
        rtol = 10.0**-digits
        solution = solve(predator_prey, [1.0, 1.0], [0.0, 10.0], rtol=rtol, atol=rtol)
        error = max(abs(a - b) for a, b in zip(solution.states[-1], exact))
        print(f"{rtol:8.0e} {error:16.2e} {solution.evaluations:12d} {solution.rejected:9d}")
        rows.append((rtol, error, solution.evaluations))
    return rows


def command_line(arguments=None):
    """Run `main`; there is no option but --help."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(
        arguments
    )
    main()


if __name__ == "__main__":
    command_line()
