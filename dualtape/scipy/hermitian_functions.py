"""Functions of Hermitian matrices, exact where eigenvalues are repeated, in every order.

With A = V diag(w) V^H, the k-th derivative of f(A) in the directions E_1, ..., E_k is the sum over their orders of
V M V^H, where M_(i0, ik) sums f[w_i0, ..., w_ik] (V^H E_1 V)_(i0, i1) ... (V^H E_k V)_(i(k-1), ik) over the indices in
between, with divided differences of f (Daleckii and Krein 1965). The trace of its product with G does not change when G
takes the place of a direction, which gives the adjoint. So one rule, for k, makes that for k + 1.
"""

import functools
import itertools

import numpy as np
import scipy.linalg

from dualtape.arrays.apply import apply
from dualtape.arrays.products import _real_like, conjugate_transpose
from dualtape.arrays.protocol import no_rule
from dualtape.arrays.reductions import as_array
from dualtape.arrays.spectra import square
from dualtape.core.array import Array
from dualtape.core.values import plain_of
from dualtape.errors import conversion
from dualtape.forward import pushforward
from dualtape.scipy.dispatch import is_traced

__all__ = ["funm"]


def funm(A, func, disp=True):
    """`scipy.linalg.funm` of a Hermitian matrix: exact derivatives of every order, also at repeated eigenvalues.

    Parameters
    ----------
    A : array_like, shape (n, n)
        Equal to its adjoint up to rounding, if traced.
    func : callable
        The function of numbers, on arrays. It is differentiated as well, so it must take traced arrays; it must not
        depend on other traced values.
    disp : bool
        As for SciPy.

    Returns
    -------
    Array, or tuple of it and SciPy's estimate of the error where `disp` is False
    """
    if not is_traced(A):
        return scipy.linalg.funm(A, _plain(func), disp)
    x = square(as_array(A))
    plain = plain_of(x)
    if plain.ndim != 2:
        raise no_rule("scipy.linalg.funm of stacks of matrices")
    difference = np.max(np.abs(plain - np.conjugate(plain.T)), initial=0.0)
    if not difference <= 100 * max(len(plain), 1) * np.finfo(plain.dtype).eps * np.max(np.abs(plain), initial=0.0):
        raise no_rule("scipy.linalg.funm of a matrix that is not Hermitian")
    out = _derivative(func, (x,))
    return out if disp else (out, scipy.linalg.funm(plain, _plain(func), disp=False)[1])


def _plain(func):
    """A function that must give plain numbers at plain ones."""

    def plain(w):
        out = func(w)
        if is_traced(out):
            raise conversion(
                "scipy.linalg.funm with a function that depends on another traced value: what it gets",
                "Use dt.stop_gradient for the other value where it is constant.",
            )
        return out

    return plain


def _derivative(func, operands):
    """The derivative of func(A) in some directions, of which `operands` are A and the directions."""

    def value(*operands):
        if any(isinstance(x, Array) for x in operands):
            return _derivative(func, operands)
        if len(operands) == 1:
            return np.asarray(scipy.linalg.funm(operands[0], _plain(func)))
        return _plain_derivative(func, *operands)

    def with_direction(k, e, operands):
        """For A a further direction, for a direction another one in its place."""
        return value(*operands, e) if k == 0 else value(*operands[:k], e, *operands[k + 1 :])

    def vjp(k, bar, out, *operands):
        back = conjugate_transpose(with_direction(k, conjugate_transpose(bar), operands))
        return _real_like(back, operands[k])

    return apply(value, operands, lambda k, t, out, *operands: with_direction(k, t, operands), vjp, reads=("args",))


def _plain_derivative(func, x, *directions):
    w, v = np.linalg.eigh(x)
    inner = [v.conj().T @ e @ v for e in directions]
    letters = "abcdefghijkl"[: len(inner) + 1]
    pairs = ",".join(letters[k : k + 2] for k in range(len(inner)))
    term = f"{letters},{pairs}->{letters[0]}{letters[-1]}"
    slopes = divided_differences(func, w, len(inner))
    total = sum(np.einsum(term, slopes, *order, optimize=True) for order in itertools.permutations(inner))
    return v @ total @ v.conj().T


def divided_differences(func, w, order):
    """Divided differences of a function at all choices of points.

    Parameters
    ----------
    func : callable
        Of an array.
    w : ndarray, shape (n,)
        Points in ascending order; some may be equal.
    order : int

    Returns
    -------
    ndarray, shape (n,) * (order + 1)
    """
    table = np.asarray(_plain(func)(w))
    for k in range(1, order + 1):
        # ascending indices; each other order of them has the same difference
        places = np.array(list(itertools.combinations_with_replacement(range(len(w)), k + 1)), int).T
        places = places.reshape(k + 1, -1)
        low, high = table[tuple(places[:-1])], table[tuple(places[1:])]
        gap = w[places[-1]] - w[places[0]]
        apart = (gap > 0) & (np.abs(high - low) > 0.1 * np.maximum(np.abs(high), np.abs(low)))
        found = np.divide(high - low, gap, out=np.zeros_like(low), where=apart)
        near = w[places[:, ~apart]]
        if near.size:
            means = _means(func, near)
            found = found.astype(np.result_type(found, means), copy=False)
            found[~apart] = means
        table = np.empty((len(w),) * (k + 1), found.dtype)
        for turned in itertools.permutations(places):
            table[turned] = found
    return table


def _means(func, points):
    """Divided differences at close points: integrals of the derivative over their simplex (Hermite and Genocchi)."""
    order = len(points) - 1
    for _ in range(order):
        func = _slope(func)
    nodes, weights = _simplex(order)
    places = points[0] + nodes @ np.diff(points, axis=0)
    return weights @ np.reshape(func(np.ravel(places)), places.shape)


@functools.cache
def _simplex(order):
    """Points 1 > t_1 > t_2 > ... > 0 and weights for integrals over them."""
    nodes, weights = np.polynomial.legendre.leggauss(12 - 2 * order if order < 4 else 4)
    nodes, weights = (nodes + 1.0) / 2.0, weights / 2.0
    parts = np.stack(np.meshgrid(*[nodes] * order, indexing="ij"), axis=-1).reshape(-1, order)
    t = np.cumprod(parts, axis=1)
    whole = np.prod(np.meshgrid(*[weights] * order, indexing="ij"), axis=0).ravel()
    return t, whole * np.prod(t[:, :-1], axis=1)  # each t_k is a part of the one before


def _slope(func):
    return lambda w: pushforward(func, w, np.ones_like(w))[1]
