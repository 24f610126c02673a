"""Derivatives found without dualtape: the independent side of every comparison.

Programs under test take the module of their functions as first argument, ``f(m, x)``: with ``m = dt`` they
are differentiated, with ``m = cmath`` they take a complex step, with ``m = mpmath.mp`` they are evaluated in
50 digits, where a difference quotient has 20 good ones.
"""

import cmath

import mpmath
from mpmath import mp

DIGITS = 50


def complex_step(f, x, h=1e-30):
    """f'(x) of an analytic f, to machine precision: Im f(x + ih) / h (Squire and Trapp 1998)."""
    return f(cmath, complex(x, h)).imag / h


def mp_value(f, *xs):
    """f in 50 digits, rounded to a float."""
    with mpmath.workdps(DIGITS):
        return float(f(mp, *map(mp.mpf, xs)))


def mp_derivative(f, x, order=1):
    """The derivative of f at x of the given order, rounded to a float."""
    with mpmath.workdps(DIGITS):
        return float(mp.diff(lambda t: f(mp, t), mp.mpf(x), order))


def mp_gradient(f, xs):
    """The partial derivatives of ``f(m, xs)`` for a list xs."""
    with mpmath.workdps(DIGITS):
        point = [mp.mpf(x) for x in xs]
        return [float(mp.diff(_along(f, point, i), point[i])) for i in range(len(point))]


def mp_hessian(f, xs):
    """The matrix of second partial derivatives of ``f(m, xs)`` for a list xs."""
    with mpmath.workdps(DIGITS):
        point = [mp.mpf(x) for x in xs]
        n = len(point)

        def entry(i, j):
            if i == j:
                return mp.diff(_along(f, point, i), point[i], 2)
            outer = lambda t: mp.diff(_along(f, [*point[:i], t, *point[i + 1 :]], j), point[j])
            return mp.diff(outer, point[i])

        upper = {(i, j): float(entry(i, j)) for i in range(n) for j in range(i, n)}
        return [[upper[min(i, j), max(i, j)] for j in range(n)] for i in range(n)]


def _along(f, point, i):
    """F as a function of its i-th entry alone."""
    return lambda t: f(mp, [*point[:i], t, *point[i + 1 :]])
