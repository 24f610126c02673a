"""Determinants: det and slogdet.

The derivative of det by the elements are the cofactors. Where A is well conditioned these are det(A) A^-T. Elsewhere
A is turned by the orthogonal factors of its singular value decomposition, taken as constants, into a matrix whose
large singular values are apart in one block. Elimination of that block leaves a small matrix, whose cofactors are
polynomials (Faddeev and LeVerrier). So derivatives of every order are exact at singular matrices.
"""

import functools

import numpy as np

from dualtape.arrays.apply import apply
from dualtape.arrays.parts import apply_parts
from dualtape.arrays.products import _real_like
from dualtape.arrays.protocol import register
from dualtape.arrays.reductions import as_array
from dualtape.arrays.spectra import result_type, square
from dualtape.core.array import Array
from dualtape.core.values import plain_of

__all__ = ["det", "slogdet"]

_SINGULAR = 1e-9  # singular values below this part of the largest are eliminated by polynomials


@register(np.linalg.det)
def det(a):
    """np.linalg.det."""
    return _det(square(as_array(a)))


def _det(x):
    def jvp(k, t, out, x):
        return np.sum(cofactors(x) * t, axis=(-2, -1))

    def vjp(k, bar, out, x):
        if plain_of(x).ndim > 2:
            bar = np.expand_dims(bar, (-2, -1))
        return _real_like(bar * np.conjugate(cofactors(x)), x)

    return apply(lambda x: _det(x) if isinstance(x, Array) else np.linalg.det(x), (x,), jvp, vjp, reads=("args",))


def cofactors(x):
    """The derivatives of det by the elements of matrices, to be differentiated again."""
    plain = plain_of(x)
    n = plain.shape[-1]
    if plain.size == 0:
        return x
    if n == 1:
        return np.ones_like(plain)
    if not np.all(np.isfinite(plain)):
        return np.full_like(plain, np.nan)
    s = np.linalg.svd(plain, compute_uv=False)
    if np.all(s[..., -1] > _SINGULAR * s[..., 0]):
        d = _det(x)
        return (d if plain.ndim == 2 else np.expand_dims(d, (-2, -1))) * np.swapaxes(np.linalg.inv(x), -1, -2)
    if plain.ndim == 2:
        return _cofactors_of_singular(x)
    flat = np.reshape(x, (-1, n, n))
    return np.reshape(np.stack([cofactors(flat[k]) for k in range(flat.shape[0])]), plain.shape)


def _cofactors_of_singular(x):
    plain = plain_of(x)
    u, s, vh = np.linalg.svd(plain)
    r = int(np.sum(s > _SINGULAR * s[0])) if s[0] else 0
    scale = np.linalg.det(u) * np.linalg.det(vh)
    turned = u.conj().T @ x @ vh.conj().T
    if r == 0:
        inner = _polynomial_cofactors(turned)[0]
        return scale * (u.conj() @ inner @ vh.conj())
    a, b, c, d = turned[:r, :r], turned[:r, r:], turned[r:, :r], turned[r:, r:]
    over = np.linalg.solve(a, b)
    left = np.swapaxes(np.linalg.solve(np.swapaxes(a, -1, -2), np.swapaxes(c, -1, -2)), -1, -2)
    small, product = _polynomial_cofactors(d - c @ over)
    whole = _det(a)
    small = whole * small
    top = np.concatenate(
        [
            whole * product * np.swapaxes(np.linalg.inv(a), -1, -2) + left.T @ small @ over.T,
            -(left.T @ small),
        ],
        axis=1,
    )
    bottom = np.concatenate([-(small @ over.T), small], axis=1)
    return scale * (u.conj() @ np.concatenate([top, bottom], axis=0) @ vh.conj())


def _polynomial_cofactors(x):
    """Cofactors and determinant of a matrix by products alone (Faddeev and LeVerrier)."""
    n = x.shape[-1]
    one = np.eye(n, dtype=plain_of(x).dtype)
    adjugate = one
    for k in range(1, n):
        product = x @ adjugate
        adjugate = product - (np.trace(product) / k) * one
    sign = -1.0 if n % 2 == 0 else 1.0
    return sign * adjugate.T, sign * np.trace(x @ adjugate) / n


@functools.cache
def _slogdet_result():
    return result_type(np.linalg.slogdet)


@register(np.linalg.slogdet)
def slogdet(a):
    """np.linalg.slogdet: of real matrices the sign is plain."""
    x = square(as_array(a))
    if x.dtype.kind == "c":
        return _slogdet_result()(*_complex_slogdet(x))
    signs = []
    logarithm = _logdet(x, signs)
    return _slogdet_result()(signs[0], logarithm)


def _spread(x, like):
    return np.expand_dims(x, (-2, -1)) if like.ndim > 2 else x


def _logdet(x, signs):
    """The logarithm; the plain sign is put into a list."""

    def value(x):
        if isinstance(x, Array):
            return _logdet(x, signs)
        sign, logarithm = np.linalg.slogdet(x)
        signs.append(sign)
        return logarithm

    return apply(
        value,
        (x,),
        lambda k, t, out, x: np.sum(np.swapaxes(np.linalg.inv(x), -1, -2) * t, axis=(-2, -1)),
        lambda k, bar, out, x: _spread(bar, x) * np.swapaxes(np.linalg.inv(x), -1, -2),
        reads=("args",),
    )


def _complex_slogdet(x):
    def jvp(k, t, parts, x):
        slope = np.sum(np.swapaxes(np.linalg.inv(x), -1, -2) * t, axis=(-2, -1))
        return parts[0] * (1j * slope.imag), slope.real

    def vjp(k, bars, parts, x):
        bar = bars[1] + 1j * (np.conjugate(parts[0]) * bars[0]).imag
        return np.expand_dims(bar, (-2, -1)) * np.conjugate(np.swapaxes(np.linalg.inv(x), -1, -2))

    return apply_parts(lambda x: tuple(np.linalg.slogdet(x)), (x,), jvp, vjp)
