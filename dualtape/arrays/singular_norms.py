"""Norms that are singular values of matrices, by derivatives of any order.

The largest singular value has the derivative Re(u^H dA v), the sum of all of them <M, dA> with M = U V^H, the unitary
factor of the polar decomposition A = M H. Derivatives of singular *vectors* by themselves exist where no two singular
values are equal. So M is differentiated without them, by a Lyapunov equation (Higham 2008, section 8.9), and of the
vectors only the pair of the largest or smallest one, by a bordered linear system (Magnus 1985), which does not see
whether others are equal.
"""

import numpy as np

from dualtape.arrays.apply import apply
from dualtape.arrays.elementwise import _any_traced
from dualtape.arrays.products import conjugate_transpose, matmul
from dualtape.core.array import Array
from dualtape.core.values import plain_of
from dualtape.errors import equal_singular_values

__all__ = ["nuclear", "spectral"]


def _column(x):
    return np.expand_dims(x, -1)


def _real(x):
    return x.real if x.dtype.kind == "c" else x


def _inner(x, y):
    """Re <x, y> of matrices."""
    return np.sum(_real(np.conjugate(x) * y if x.dtype.kind == "c" else x * y), axis=(-2, -1))


def _scaled(bar, matrix):
    return np.expand_dims(bar, (-2, -1)) * matrix


def _slope(function, x, factor, *options):
    """A number for each matrix, with the derivative <factor(x), dx>."""
    return apply(
        lambda x: _slope(function, x, factor, *options) if isinstance(x, Array) else function(x, *options),
        (x,),
        lambda k, t, out, x: _inner(factor(x, *options), t),
        lambda k, bar, out, x: _scaled(bar, factor(x, *options)),
        reads=("args",),
    )


# --- the sum of all ----------------------------------------------------------------------------------------------


def nuclear(x):
    """The sum of the singular values."""
    return _slope(lambda x: np.linalg.svd(x, compute_uv=False).sum(axis=-1), x, polar)


def polar(x):
    """M = U V^H. Singular values that are zero count as none."""
    if x.shape[-2] < x.shape[-1]:
        return conjugate_transpose(polar(conjugate_transpose(x)))
    return apply(_plain_polar, (x,), _polar_jvp, _polar_vjp)


def _plain_polar(x):
    if isinstance(x, Array):
        return polar(x)
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return (u * (s != 0)[..., None, :]) @ vh


def _hermitian_factor(m, x):
    h = matmul(conjugate_transpose(m), x)
    return 0.5 * (h + conjugate_transpose(h))


def _polar_jvp(k, t, m, x):
    h, adjoint = _hermitian_factor(m, x), conjugate_transpose(m)
    inside = matmul(adjoint, t)
    turn = matmul(m, lyapunov(h, inside - conjugate_transpose(inside)))
    if x.shape[-2] == x.shape[-1]:
        return turn
    return turn + divide(h, t - matmul(m, inside))


def _polar_vjp(k, bar, m, x):
    h = _hermitian_factor(m, x)
    inside = matmul(conjugate_transpose(m), bar)
    w = lyapunov(h, inside)
    turn = matmul(m, w - conjugate_transpose(w))
    if x.shape[-2] == x.shape[-1]:
        return turn
    return turn + divide(h, bar - matmul(m, inside))


def lyapunov(h, c):
    """Z with H Z + Z H = C, for positive semidefinite H."""
    return apply(
        lambda h, c: lyapunov(h, c) if _any_traced(h, c) else _in_eigenbasis(h, c, True),
        (h, c),
        lambda k, t, z, h, c: lyapunov(h, t) if k else -lyapunov(h, matmul(t, z) + matmul(z, t)),
        _lyapunov_vjp,
    )


def _lyapunov_vjp(k, bar, z, h, c):
    w = lyapunov(h, bar)
    if k:
        return w
    adjoint = conjugate_transpose(z)
    return -(matmul(w, adjoint) + matmul(adjoint, w))


def divide(h, x):
    """X H^-1, for positive semidefinite H of constant rank."""
    return apply(
        lambda h, x: divide(h, x) if _any_traced(h, x) else _in_eigenbasis(h, x, False),
        (h, x),
        lambda k, t, y, h, x: divide(h, t) if k else -divide(h, matmul(y, t)),
        lambda k, bar, y, h, x: divide(h, bar) if k else -matmul(conjugate_transpose(y), divide(h, bar)),
    )


def _in_eigenbasis(h, c, both):
    """C divided by the eigenvalues of H, or by their sums in pairs; 0 where they are 0."""
    values, q = np.linalg.eigh(plain_of(h))
    values = np.maximum(values, 0.0)
    adjoint = q.conj().mT
    inside = (adjoint @ plain_of(c) if both else plain_of(c)) @ q
    by = values[..., None, :] + (values[..., :, None] if both else 0.0)
    inside = np.divide(inside, by, out=np.zeros_like(inside), where=np.broadcast_to(by != 0, inside.shape))
    return (q @ inside if both else inside) @ adjoint


# --- the largest or the smallest -----------------------------------------------------------------------------------


def spectral(x, largest):
    """The largest or the smallest singular value; equal ones share the derivative."""
    return _slope(lambda x, largest: _chosen(np.linalg.svd(x, compute_uv=False), largest), x, _direction, largest)


def _chosen(values, largest):
    return values[..., 0] if largest else values[..., -1]


def _direction(x, largest):
    """U v^H."""
    if isinstance(x, Array):
        values = np.linalg.svd(plain_of(x), compute_uv=False)
        if np.any(np.sum(values == _column(_chosen(values, largest)), axis=-1) > 1):
            raise equal_singular_values()
        u, v = _halves(pair(x, largest), x)
        return matmul(_column(u), conjugate_transpose(_column(v)))
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    share = (s == _column(_chosen(s, largest))) & (s != 0)
    return (u * (share / np.maximum(share.sum(-1, keepdims=True), 1))[..., None, :].astype(s.dtype)) @ vh


def _halves(w, x):
    return w[..., : x.shape[-2]], w[..., x.shape[-2] :]


def pair(x, largest):
    """The singular vectors u and v, one after the other in a vector."""

    def function(x):
        if isinstance(x, Array):
            return pair(x, largest)
        u, _, vh = np.linalg.svd(x, full_matrices=False)
        k = 0 if largest else -1
        return np.concatenate([u[..., :, k], vh[..., k, :].conj()], axis=-1)

    def jvp(k, t, w, x):
        u, v = _halves(w, x)
        right = np.concatenate([_times(t, v), _times(conjugate_transpose(t), u)], axis=-1)
        return _solve_bordered(x, w, right)

    def vjp(k, bar, w, x):
        u, v = _halves(w, x)
        p, q = _halves(_solve_bordered(x, w, bar), x)
        adjoint = lambda z: conjugate_transpose(_column(z))
        return matmul(_column(p), adjoint(v)) + matmul(_column(u), adjoint(q))

    return apply(function, (x,), jvp, vjp)


def _times(matrix, vector):
    return matmul(matrix, _column(vector))[..., 0]


def _solve_bordered(x, w, right):
    """Solve for y: (s I - J) y + c w = right and w^H y = 0, where J = [[0, A], [A^H, 0]] has the eigenvector w."""
    m, n = x.shape[-2:]
    u, v = _halves(w, x)
    s = _real(matmul(conjugate_transpose(_column(u)), matmul(x, _column(v))))
    s = s * np.eye(m + n, dtype=s.dtype)
    rows = [
        np.concatenate([s[..., :m, :m], -x, _column(u)], axis=-1),
        np.concatenate([-conjugate_transpose(x), s[..., m:, m:], _column(v)], axis=-1),
        np.concatenate([conjugate_transpose(_column(w)), np.zeros((*x.shape[:-2], 1, 1), x.dtype)], axis=-1),
    ]
    matrix = np.concatenate([_cast(r, x.dtype) for r in rows], axis=-2)
    border = np.zeros((*x.shape[:-2], 1), x.dtype)
    return np.linalg.solve(matrix, _column(np.concatenate([right, border], axis=-1)))[..., :-1, 0]


def _cast(x, dtype):
    return x if x.dtype == dtype else x.astype(dtype)
