"""Derivatives of the rows by mpmath, from each row's oracle, and points to compare at."""

import math
import random

import mpmath
from mpmath import mp

# Steps of the central differences, relative to the point. Their error, the square of it, is far below float64, also
# where a singular point is 1e-10 away; the digits hold what a second difference loses, and derivatives that are
# 1e-300 of the value (tanh, softplus and log_ndtr in their tails).
STEP = 30
DIGITS = 900
# What has fewer magnitudes to bridge, and is slow in many digits.
_TAILS = {"erf": 440, "erfc": 440, "ndtr": 440, "log_ndtr": 440}
_SLOW = (
    "gamma lgamma digamma polygamma j0 j1 jv i0 i1 iv sinc_n log_ndtr_n rgamma beta betaln gammainc gammaincc "
    "gamma_density betainc beta_density hyp1f1 erfinv erfcinv ndtri erfcx erfcx_n i0e i1e ive y0 y1 yn yv k0 k1 kv"
)
# Limits at integral orders, which mpmath finds by working with many more digits than asked for.
_SLOWEST = dict.fromkeys(("y1", "k0", "k1", "kv"), 90)
_DIGITS = _TAILS | dict.fromkeys(_SLOW.split(), 140) | _SLOWEST


def oracle(rule):
    """The value of a row as a function of mpmath numbers."""
    return eval(f"lambda {', '.join(rule.args)}: {rule.oracle}", {"mp": mp})


def derivatives(rule, point):
    """Value, first and second partials of a row, as mpmath numbers.

    Parameters
    ----------
    rule : Rule
    point : sequence of float

    Returns
    -------
    value : mpf
    first : list of (mpf or None)
    second : dict from (i, j) to mpf
    """
    f = oracle(rule)
    digits = _DIGITS.get(rule.name, DIGITS)
    with mpmath.workdps(digits):
        x = [mp.mpf(c) for c in point]
        h = [(abs(c) or mp.one) * mp.mpf(10) ** -STEP for c in x]

        def at(*shifts):
            moved = list(x)
            for i, k in shifts:
                moved[i] += k * h[i]
            return f(*moved)

        places = [i for i, text in enumerate(rule.partials) if text is not None]
        value = f(*x)
        around = {i: (at((i, 1)), at((i, -1))) for i in places}
        first = [None] * rule.arity
        second = {}
        for i in places:
            up, down = around[i]
            first[i] = (up - down) / (2 * h[i])
            second[i, i] = (up - 2 * value + down) / h[i] ** 2
            for j in places:
                if j > i:
                    corners = at((i, 1), (j, 1)) - at((i, 1), (j, -1)) - at((i, -1), (j, 1)) + at((i, -1), (j, -1))
                    second[i, j] = corners / (4 * h[i] * h[j])
        # What is left of a zero after rounding is a zero.
        noise = abs(value) * mp.mpf(10) ** (10 - digits)
        for i, j in second:
            if abs(second[i, j]) < noise / (h[i] * h[j]):
                second[i, j] = mp.zero
    return value, first, second


def points(rule, count, seed=0):
    """Points of the row's domain, evenly, and of its reach, by magnitude and by distance from its ends."""
    generator = random.Random(f"{rule.name} {seed}")
    for _ in range(count):
        yield [_even(generator, box, text) for box, text in zip(rule.domain, rule.partials, strict=True)]
    for _ in range(count if rule.reach else 0):
        yield [_by_magnitude(generator, box, text) for box, text in zip(rule.reach, rule.partials, strict=True)]


def _even(generator, box, text):
    return float(generator.randint(*box)) if text is None else generator.uniform(*box)


def _by_magnitude(generator, box, text):
    low, high = box
    if text is None:
        return float(generator.randint(low, high))
    if generator.random() < 0.25:
        # Near an end: what is singular is singular there.
        width = min(high - low, max(1.0, abs(low) / 2)) * 10.0 ** generator.uniform(-12, -1)
        return generator.choice([low + width, high - width])
    if low > 0:
        return _between(generator, low, high)
    sign = generator.choice([-1.0, 1.0] if high > 0 else [-1.0])
    limit = high if sign > 0 else -low
    return sign * _between(generator, min(1e-10, 1 / limit), limit)


def _between(generator, low, high):
    """A number between two positive ones, evenly in its logarithm."""
    return 10.0 ** generator.uniform(math.log10(low), math.log10(high))
