"""Tails of distributions as functions of their shape parameters.

With a variable v on the whole line in which the logarithm L of the density is concave and has no singularity nearby, a
tail is the integral of exp(L(v0 - u)) or exp(L(v0 + u)) over u > 0. Gauss' rule on panels that grow geometrically, up
to where the density has dropped by 20 digits, finds it to rounding, and, differentiated term by term, its derivatives
of every order: places and weights are plain.
"""

import math

import numpy as np
import scipy.special as sp

from dualtape.core.values import plain_of

__all__ = ["BETA", "CHI2", "GAMMA", "T", "integral_of_tail", "log_tail"]


def _log_cosh(v):
    return np.logaddexp(v, -v) - math.log(2.0)


# For a distribution: the logarithm of the density in the variable on the line, that variable, and up to where its lower
# tail is to be integrated, rather than the upper one.
GAMMA = (
    lambda v, a: a * v - np.exp(v) - sp.gammaln(a),
    lambda y, a: np.log(y),
    lambda a: a,
)
CHI2 = (
    lambda v, df: df / 2.0 * v - np.exp(v) - sp.gammaln(df / 2.0),
    lambda y, df: np.log(y / 2.0),
    lambda df: df,
)
BETA = (
    lambda v, a, b: a * sp.log_expit(v) + b * sp.log_expit(-v) - sp.betaln(a, b),
    lambda y, a, b: np.log(y) - np.log1p(-y),
    lambda a, b: a / (a + b),
)
T = (
    lambda v, df: -df * _log_cosh(v) - sp.betaln(0.5, df / 2.0),
    lambda y, df: np.arcsinh(y / np.sqrt(df)),
    lambda df: 0.0,
)

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(14)
_PANELS = 14
_DROP = 48.0


def integral_of_tail(tail, y, shapes, upper, logarithm=False):
    """The distribution function of `tail`, or 1 less it, or the logarithm, at points inside of the support."""
    log_density, line, middle = tail
    sign = np.where(plain_of(y) <= middle(*[plain_of(s) for s in shapes]), 1.0, -1.0)
    log_part = log_tail(log_density, line(y, *shapes), shapes, sign)
    own_tail = sign == (-1.0 if upper else 1.0)
    if logarithm:
        rest = np.where(own_tail, -1.0, log_part)
        return np.where(own_tail, log_part, np.log1p(-np.exp(rest)))
    part = np.exp(log_part)
    return np.where(own_tail, part, 1.0 - part)


def log_tail(log_density, start, shapes, sign):
    """The logarithm of a tail.

    Parameters
    ----------
    log_density : callable
        ``log_density(v, *shapes)``, concave in v.
    start : array_like
        Where the tail starts; not on the other side of the largest density.
    shapes : sequence of array_like
        Shape parameters, traced or not.
    sign : ndarray
        1 for the lower tail, -1 for the upper one.

    Returns
    -------
    ndarray or Array
    """
    first = log_density(start, *shapes)
    places, weights = _places(log_density, plain_of(start), [plain_of(s) for s in shapes], sign, plain_of(first))
    terms = np.exp(log_density(start - sign * places, *shapes) - first)
    return first + np.log(np.sum(weights * terms, axis=0))


def _places(log_density, start, shapes, sign, first):
    """Places and weights, the nodes along a new first axis."""

    def drop(u):
        return first - log_density(start - sign * u, *shapes)

    shape = np.broadcast_shapes(np.shape(start), np.shape(sign), *map(np.shape, shapes))
    far, near = _where(drop, _DROP, shape), _where(drop, 0.5, shape)
    near = np.minimum(near, 1.0)
    growth = (far / near) ** (1.0 / (_PANELS - 1))
    ends = [np.zeros(shape), *[near * growth**k for k in range(_PANELS)]]
    places, weights = [], []
    for low, high in zip(ends, ends[1:], strict=False):
        for x, w in zip(_NODES, _WEIGHTS, strict=True):
            places.append(low + (high - low) * (x + 1.0) / 2.0)
            weights.append((high - low) * w / 2.0)
    return np.stack(places), np.stack(weights)


def _where(drop, level, shape):
    """Where the density has dropped to a level: some 3 digits are enough."""
    high = np.full(shape, 1e-8)
    for _ in range(120):
        short = ~(drop(high) >= level)
        if not np.any(short):
            break
        high = np.where(short, 2.0 * high, high)
    low = high / 2.0
    for _ in range(10):
        middle = (low + high) / 2.0
        short = ~(drop(middle) >= level)
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return high
