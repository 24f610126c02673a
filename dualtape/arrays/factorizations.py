"""Triangular factorizations: cholesky and qr."""

import functools

import numpy as np

from dualtape.arrays.apply import apply, with_value
from dualtape.arrays.parts import apply_parts
from dualtape.arrays.products import conjugate_transpose
from dualtape.arrays.protocol import register
from dualtape.arrays.reductions import as_array
from dualtape.arrays.singular import _outside, _wider, matrices
from dualtape.arrays.spectra import diagonal, of_triangle, on_diagonal, square
from dualtape.core.array import Array
from dualtape.core.values import plain_of

__all__ = ["cholesky", "cholesky_of", "qr"]


def solve_triangular(a, b, lower):
    """The solution of a triangular system: by substitution where all is plain."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.ndim == b.ndim == 2 and a.size and b.size:
        from scipy.linalg import solve_triangular as substitute  # late: SciPy takes longer to import than NumPy

        return substitute(a, b, lower=lower, check_finite=False)
    return np.linalg.solve(a, b)


@register(np.linalg.cholesky)
def cholesky(a, /, *, upper=False):
    """np.linalg.cholesky, a function of the triangle that it reads (Murray 2016, equation 8)."""
    x = of_triangle(square(as_array(a)), "U" if upper else "L")
    lower = cholesky_of(x, _upper if upper else np.linalg.cholesky)
    return conjugate_transpose(lower) if upper else lower


def _upper(x):
    return conjugate_transpose(np.linalg.cholesky(x, upper=True))


def cholesky_of(x, function):
    """The lower factor of a whole Hermitian matrix, as `function` computes it from plain ones."""

    def half(x):
        """The lower triangle with half of the diagonal."""
        n = x.shape[-1]
        return x * np.tril(np.ones((n, n), plain_of(x).real.dtype) - 0.5 * np.eye(n, dtype=plain_of(x).real.dtype))

    def jvp(k, t, low, x):
        inner = conjugate_transpose(solve_triangular(low, conjugate_transpose(t), True))
        inner = solve_triangular(low, inner, True)
        return low @ half(inner)

    def vjp(k, bar, low, x):
        high = conjugate_transpose(low)
        inner = half(high @ bar)
        inner = solve_triangular(high, inner + conjugate_transpose(inner), False)
        return 0.5 * conjugate_transpose(solve_triangular(high, conjugate_transpose(inner), False))

    return apply(
        lambda x: cholesky_of(x, function) if isinstance(x, Array) else function(x),
        (x,),
        jvp,
        vjp,
        reads=("out",),
    )


@functools.cache
def _qr_result():
    return type(np.linalg.qr(np.eye(1)))


@register(np.linalg.qr)
def qr(a, mode="reduced"):
    """np.linalg.qr, of matrices whose first columns are independent.

    The columns of a complete Q beyond those of A, which A does not determine, do not turn within their space.
    """
    x = matrices(as_array(a))
    plain = {"full": "reduced", "f": "reduced", "economic": "raw", "e": "raw"}.get(mode, mode)
    if plain == "raw":
        values, parts = np.linalg.qr(plain_of(x), mode), _reflections(x)
        if not isinstance(values, tuple):  # "economic"
            return with_value(np.swapaxes(parts[0], -1, -2), values)
        return tuple(with_value(p, v) for p, v in zip(parts, values, strict=True))
    if plain not in ("reduced", "complete", "r"):
        np.linalg.qr(np.eye(1), mode)  # raises NumPy's error
    q, r = _qr(x, "reduced" if plain == "r" else plain)
    return r if plain == "r" else _qr_result()(q, r)


def _qr(x, mode):
    m, n = x.shape[-2:]
    k = min(m, n)

    def turn(c, p):
        """The turn of Q that keeps R triangular with a real diagonal: anti-Hermitian."""
        lower = _wider(np.tril(c, -1), p)
        out = lower - conjugate_transpose(lower)
        return out + on_diagonal(_wider(1j * diagonal(c).imag, p)) if c.dtype.kind == "c" else out

    def jvp(_, t, parts, x):
        q, r = parts
        p = q.shape[-1]
        # dA R^-1 of the first k columns
        first = conjugate_transpose(t[..., :k])
        over = conjugate_transpose(solve_triangular(conjugate_transpose(r[..., :k, :k]), first, True))
        omega = turn(conjugate_transpose(q) @ over, p)
        dq = q @ omega
        return dq + _outside(q, over) if p < m else dq, conjugate_transpose(q) @ t - omega @ r

    def vjp(_, bars, parts, x):
        (q, r), (qbar, rbar) = parts, bars
        p = q.shape[-1]
        inner = conjugate_transpose(q) @ qbar - rbar @ conjugate_transpose(r)
        cbar = np.tril(inner - conjugate_transpose(inner), -1)[..., :k]
        if inner.dtype.kind == "c":
            cbar = cbar + _tall(on_diagonal(1j * diagonal(inner).imag[..., :k]), p)
        over = q @ cbar
        if p < m:
            over = over + _outside(q, qbar)
        first = conjugate_transpose(solve_triangular(r[..., :k, :k], conjugate_transpose(over), False))
        return q @ rbar + _wider(first, n)

    return apply_parts(lambda x: np.linalg.qr(x, mode), (x,), jvp, vjp, reads=("out",))


def _tall(x, m):
    return np.swapaxes(_wider(np.swapaxes(x, -1, -2), m), -1, -2)


def _reflections(x):
    """The transpose of R, with Householder's vectors below the diagonal of R, and their factors, as LAPACK has them."""
    a = np.copy(x)
    m, n = x.shape[-2:]
    factors = []
    for i in range(min(m, n)):
        first, rest = a[..., i, i], a[..., i + 1 :, i]
        plain = plain_of(first)
        # nothing to reflect
        none = ~np.any(plain_of(rest), axis=-1) & (plain.imag == 0)
        square = np.sum((rest * np.conjugate(rest)).real, axis=-1) + (first * np.conjugate(first)).real
        norm = np.sqrt(np.where(none, 1.0, square))
        beta = np.where(none, first, -np.copysign(norm, plain.real))
        factor = np.where(none, 0.0, (beta - first) / np.where(none, 1.0, beta))
        below = rest / np.expand_dims(np.where(none, 1.0, first - beta), -1)
        v = np.concatenate([np.ones((*below.shape[:-1], 1), below.dtype), below], axis=-1)
        v = np.expand_dims(v, -1)
        others = a[..., i:, i + 1 :]
        turn = np.expand_dims(np.conjugate(factor), (-2, -1)) * (v @ (conjugate_transpose(v) @ others))
        a[..., i:, i + 1 :] = others - turn
        a[..., i, i] = beta
        a[..., i + 1 :, i] = below
        factors.append(as_array(factor))
    factors = np.stack(factors, axis=-1) if factors else np.zeros((*x.shape[:-2], 0), x.dtype)
    return np.swapaxes(a, -1, -2), factors
