"""Singular values and what is made from them: svd, pinv, lstsq.

With A = U S V^H, P = U^H dA V and its Hermitian and anti-Hermitian parts H and K: ds = Re diag(P), and within the
spaces of the vectors dU = U (F o H + G o K), dV = V (F o H - G o K), where F_ij = 1 / (s_j - s_i) and G_ij =
1 / (s_j + s_i) (Townsend 2016, with its quotients by s_j^2 - s_i^2 taken apart). F is 0 for singular values that are
equal up to rounding, as for eigenvalues, and G only where both are 0. Singular values that are 0 up to rounding have
derivative 0, as abs has, where they are computed alone; beside vectors they have that of the vectors' signs, so that
(u * s) @ vh has its own.
"""

import functools

import numpy as np

from dualtape.arrays.apply import apply
from dualtape.arrays.parts import apply_parts
from dualtape.arrays.products import _real_like, conjugate_transpose
from dualtape.arrays.protocol import register
from dualtape.arrays.reductions import as_array
from dualtape.arrays.repeated import Watch, same_for_equal
from dualtape.arrays.spectra import (
    anti_and_hermitian,
    diagonal,
    eigh,
    eigvalsh,
    inverse_gaps,
    of_triangle,
    on_diagonal,
    result_type,
    square,
)
from dualtape.core.array import Array
from dualtape.core.values import plain_of

__all__ = ["decomposed", "lstsq", "pinv", "svd", "svdvals", "values"]


def matrices(x):
    """Raise NumPy's error for what is no stack of matrices."""
    if x.ndim < 2:
        np.linalg.svd(np.zeros(x.shape))  # raises NumPy's error
    return x


def _nothing(s, shape):
    """Where singular values are 0 up to rounding."""
    plain = plain_of(s)
    return plain <= max(*shape[-2:], 1) * np.finfo(plain.dtype).eps * plain.max(axis=-1, keepdims=True, initial=0.0)


def _inverse(s, shape):
    zero = _nothing(s, shape)
    return np.where(zero, 0.0, 1.0 / np.where(zero, 1.0, s))


def _wider(x, n):
    """A matrix with columns of zeros up to n of them."""
    more = n - x.shape[-1]
    if more <= 0:
        return x
    return np.concatenate([x, np.zeros((*x.shape[:-1], more), x.dtype)], axis=-1)


def _outside(q, x):
    """The part of columns that is orthogonal to those of q."""
    return x - q @ (conjugate_transpose(q) @ x)


def decomposed(x, watch, full=False):
    """U, s and V^H of a stack of matrices."""
    m, n = x.shape[-2:]
    k = min(m, n)

    def rows_(s):
        return np.expand_dims(s, -2)

    def jvp(_, t, parts, x):
        u, s, vh = parts
        v = conjugate_transpose(vh)
        p, q = u.shape[-1], v.shape[-1]
        inner = conjugate_transpose(u) @ t @ v
        zero = _nothing(s, (m, n))
        watch.tangents(s, lambda: _halves(plain_of(inner)[..., :k, :k], zero))
        turn_u = _turned(_wider(inner[..., :k], p), s, zero)
        turn_v = _turned(_wider(conjugate_transpose(inner)[..., :k], q), s, zero)
        du, dv = u @ turn_u, v @ turn_v
        if p < m:
            du = du + _outside(u, t @ v[..., :k]) * rows_(_inverse(s, (m, n)))
        if q < n:
            dv = dv + _outside(v, conjugate_transpose(t) @ u[..., :k]) * rows_(_inverse(s, (m, n)))
        return du, diagonal(inner)[..., :k].real, conjugate_transpose(dv)

    def vjp(_, bars, parts, x):
        (u, s, vh), (ubar, sbar, vhbar) = parts, bars
        v, vbar = conjugate_transpose(vh), conjugate_transpose(vhbar)
        p, q = u.shape[-1], v.shape[-1]
        turn_u, turn_v = conjugate_transpose(u) @ ubar, conjugate_transpose(v) @ vbar
        zero = _nothing(s, (m, n))
        watch.adjoints(s, sbar, [ubar[..., :k], vbar[..., :k]], lambda: _turns(turn_u, turn_v, zero))
        of_u, of_v = _turned_back(turn_u, s, zero)[..., :k], _turned_back(turn_v, s, zero)[..., :k]
        inner = _wider(of_u, q) + conjugate_transpose(_wider(of_v, p)) + _rectangle(sbar, p, q)
        out = u @ inner @ vh
        if p < m:
            rest = _outside(u, ubar[..., :k] * rows_(_inverse(s, (m, n))))
            out = out + rest @ vh[..., :k, :]
        if q < n:
            rest = _outside(v, vbar[..., :k] * rows_(_inverse(s, (m, n))))
            out = out + u[..., :k] @ conjugate_transpose(rest)
        return out

    parts = apply_parts(lambda x: np.linalg.svd(x, full_matrices=full), (x,), jvp, vjp, reads=("out",))
    return watch.results(parts, parts[1])


def _turned(inner, s, zero):
    """The turn of vectors that an inner derivative causes."""
    by_gap, by_sum = _factors(s, zero, inner.shape[-1])
    adjoint = conjugate_transpose(inner)
    return 0.5 * (by_gap * (inner + adjoint) + by_sum * (inner - adjoint))


def _turned_back(turn, s, zero):
    """The transpose of `_turned`."""
    by_gap, by_sum = _factors(s, zero, turn.shape[-1])
    gap, total = by_gap * turn, by_sum * turn
    return 0.5 * (gap + conjugate_transpose(gap) + total - conjugate_transpose(total))


def _factors(s, zero, n):
    """1 / (s_j - s_i) and 1 / (s_j + s_i), 0 where they would be infinite up to rounding."""
    longer, none = _wider(s, n), np.ones((*zero.shape[:-1], n), bool)
    none[..., : zero.shape[-1]] = zero
    none = none[..., None, :] & none[..., :, None]
    total = np.expand_dims(longer, -2) + np.expand_dims(longer, -1)
    return inverse_gaps(longer), np.where(none, 0.0, 1.0 / np.where(none, 1.0, total))


def _halves(inner, zero):
    """What turns both vectors of a pair alike; of values that are zero also what turns them against each other."""
    adjoint = np.conjugate(np.swapaxes(inner, -1, -2))
    return inner + adjoint, np.where(zero[..., None, :], inner - adjoint, 0.0)


def _turns(turn_u, turn_v, zero):
    """The adjoints of turns within spaces: of both bases together, of values that are zero also of each by itself."""
    k = zero.shape[-1]
    of_u, of_v = plain_of(turn_u)[..., :k, :k], plain_of(turn_v)[..., :k, :k]
    alone = np.where(zero[..., None, :], of_u, 0.0)
    return [anti_and_hermitian(of_u + of_v), (anti_and_hermitian(alone)[0], np.zeros_like(alone))]


def _rectangle(d, p, q):
    """A p by q matrix with a diagonal."""
    square_ = _wider(on_diagonal(d), q)
    more = p - square_.shape[-2]
    if more <= 0:
        return square_
    return np.concatenate([square_, np.zeros((*square_.shape[:-2], more, q), square_.dtype)], axis=-2)


def values(x):
    """Singular values alone."""

    def vectors(x, quiet=False):
        u, _, vh = decomposed(x, Watch("the second derivative of np.linalg.svdvals", quiet, inner=True))
        return u, vh

    def jvp(k, t, out, x):
        u, vh = vectors(x)
        slopes = np.sum(np.conjugate(u) * (t @ conjugate_transpose(vh)), axis=-2).real
        return np.where(_nothing(out, x.shape), 0.0, slopes)

    def vjp(k, bar, out, x):
        u, vh = vectors(x, same_for_equal(bar, out))
        return (u * np.expand_dims(np.where(_nothing(out, x.shape), 0.0, bar), -2)) @ vh

    return apply(lambda x: values(x) if isinstance(x, Array) else np.linalg.svd(x, compute_uv=False), (x,), jvp, vjp)


@functools.cache
def _svd_result():
    return result_type(np.linalg.svd)


@register(np.linalg.svd)
def svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    """np.linalg.svd."""
    x = matrices(as_array(a))
    if not hermitian:
        return _svd_result()(*decomposed(x, Watch("np.linalg.svd"), full_matrices)) if compute_uv else values(x)
    square(x)
    if not compute_uv:
        w = abs(eigvalsh(x))
        return np.take_along_axis(w, np.argsort(plain_of(w), axis=-1)[..., ::-1], -1)
    w, u = eigh(x)
    sign = np.sign(plain_of(w))
    s = abs(w)
    order = np.argsort(plain_of(s), axis=-1)[..., ::-1]
    sign = np.take_along_axis(sign, order, -1)
    s = np.take_along_axis(s, order, -1)
    u = np.take_along_axis(u, np.expand_dims(order, -2), -1)
    return _svd_result()(u, s, conjugate_transpose(u * np.expand_dims(sign, -2)))


@register(np.linalg.svdvals)
def svdvals(x, /):
    """np.linalg.svdvals."""
    return values(matrices(as_array(x)))


# --- inverses of matrices of any shape -----------------------------------------------------------------------------


@register(np.linalg.pinv)
def pinv(a, rcond=None, hermitian=False, *, rtol=np._NoValue):
    """np.linalg.pinv at matrices near which the rank does not change (Golub and Pereyra 1973, equation 4.12)."""
    x = matrices(as_array(a))
    options = {"rcond": plain_of(rcond), "hermitian": hermitian}
    if rtol is not np._NoValue:
        options["rtol"] = plain_of(rtol)
    return _pinv(of_triangle(square(x)) if hermitian else x, options)


def _pinv(x, options):
    def jvp(k, t, p, x):
        th, ph = conjugate_transpose(t), conjugate_transpose(p)
        left = p @ (ph @ (th - (th @ x) @ p))
        right = ((th - p @ (x @ th)) @ ph) @ p
        return left + right - p @ t @ p

    def vjp(k, bar, p, x):
        barh, ph = conjugate_transpose(bar), conjugate_transpose(p)
        left = ((barh - x @ (p @ barh)) @ p) @ ph
        right = ph @ (p @ (barh - (barh @ p) @ x))
        return left + right - ph @ bar @ ph

    return apply(lambda x: _pinv(x, options) if isinstance(x, Array) else np.linalg.pinv(x, **options), (x,), jvp, vjp)


@register(np.linalg.lstsq)
def lstsq(a, b, rcond=None):
    """np.linalg.lstsq: the solution of least norm, sums of squared residuals, the rank, and singular values."""
    matrix, right = as_array(a), as_array(b)
    rcond = plain_of(rcond)
    rank = np.linalg.lstsq(plain_of(matrix), plain_of(right), rcond)[2]
    if right.ndim == 1:
        x, residuals, s = _lstsq(matrix, np.expand_dims(right, -1), rcond)
        return x[..., 0], residuals, rank, s
    x, residuals, s = _lstsq(matrix, right, rcond)
    return x, residuals, rank, s


def _lstsq(a, b, rcond):
    cut = np.finfo(plain_of(a).dtype).eps
    cut = cut * max(a.shape) if rcond is None else cut if rcond == -1 else rcond

    def function(a, b):
        x, residuals, _, s = np.linalg.lstsq(a, b, rcond)
        return x, residuals, s

    def jvp(k, t, parts, a, b):
        x, residuals, _ = parts
        p, rest = _pinv(a, {"rcond": cut}), b - a @ x
        d = t if k else -(t @ x)
        dx = p @ d
        ds = None
        if k == 0:
            th = conjugate_transpose(t)
            extra = th @ (conjugate_transpose(p) @ x)
            dx = dx + p @ (conjugate_transpose(p) @ (th @ rest)) + extra - p @ (a @ extra)
            u, _, vh = decomposed(a, Watch("np.linalg.lstsq", quiet=True))
            ds = np.sum(np.conjugate(u) * (t @ conjugate_transpose(vh)), axis=-2).real
        dres = 2.0 * np.sum((np.conjugate(rest) * d).real, axis=0) if residuals.size else None
        return dx, dres, ds

    def vjp(k, bars, parts, a, b):
        x, residuals, _ = parts
        xbar, rbar, sbar = bars
        p, rest = _pinv(a, {"rcond": cut}), b - a @ x
        d = conjugate_transpose(p) @ xbar
        if residuals.size:
            d = d + 2.0 * rest * rbar
        if k:
            return _real_like(d, b)
        xbarh = conjugate_transpose(xbar)
        out = -(d @ conjugate_transpose(x))
        out = out + rest @ ((xbarh @ p) @ conjugate_transpose(p))
        out = out + (conjugate_transpose(p) @ x) @ (xbarh - (xbarh @ p) @ a)
        u, _, vh = decomposed(a, Watch("np.linalg.lstsq", quiet=True))
        return _real_like(out + (u * sbar) @ vh, a)

    return apply_parts(function, (a, b), jvp, vjp)
