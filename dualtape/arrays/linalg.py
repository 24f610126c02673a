"""Linear algebra: solve, inv, norm."""

import numpy as np

from dualtape.arrays.apply import apply, unbroadcast
from dualtape.arrays.products import _real_like, conjugate_transpose, matmul
from dualtape.arrays.reductions import as_array, axes_of, extreme, sum_
from dualtape.arrays.singular_norms import nuclear, spectral
from dualtape.core.array import Array
from dualtape.core.values import plain_of

__all__ = ["inv", "norm", "solve"]


def inv(a):
    """np.linalg.inv: d(A^-1) = -A^-1 dA A^-1."""
    x = as_array(a)
    return apply(
        lambda x: inv(x) if isinstance(x, Array) else np.linalg.inv(x),
        (x,),
        lambda k, t, out, x: -matmul(matmul(out, t), out),
        lambda k, bar, out, x: -matmul(matmul(conjugate_transpose(out), bar), conjugate_transpose(out)),
        reads=("out",),
    )


def solve(a, b):
    """np.linalg.solve: A dx = db - dA x."""
    matrix, right = as_array(a), as_array(b)
    if right.ndim == 1:
        return _solve(matrix, np.expand_dims(right, -1))[..., 0]
    return _solve(matrix, right)


def _solve(a, b):
    return apply(_plain_solve, (a, b), _solve_jvp, _solve_vjp)


def _plain_solve(a, b):
    if isinstance(a, Array) or isinstance(b, Array):
        return _solve(a, b)
    return np.linalg.solve(a, b)


def _solve_jvp(k, t, out, a, b):
    return -_plain_solve(a, matmul(t, out)) if k == 0 else _plain_solve(a, np.broadcast_to(t, out.shape))


def _solve_vjp(k, bar, out, a, b):
    right = _plain_solve(conjugate_transpose(a), bar)
    if k == 1:
        return _real_like(unbroadcast(right, b.shape), b)
    return _real_like(unbroadcast(-matmul(right, conjugate_transpose(out)), a.shape), a)


def norm(x, ord=None, axis=None, keepdims=False):
    """np.linalg.norm of vectors and matrices, with derivative 0 at 0."""
    x = as_array(x)
    if x.size == 0:
        return np.linalg.norm(plain_of(x), ord, axis, keepdims)
    if not (ord is None and axis is None):
        np.linalg.norm(np.zeros(x.shape), ord, axis, keepdims)  # raises NumPy's errors
    if axis is None and (ord is None or (ord in ("f", "fro") and x.ndim == 2) or (ord == 2 and x.ndim == 1)):
        total = np.sqrt(sum_(_squares(np.ravel(x))))
        return np.reshape(total, (1,) * x.ndim) if keepdims else total
    axes = axes_of(x, axis)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes[0], keepdims)
    return _matrix_norm(x, ord, axes, keepdims)


def _squares(x):
    if x.dtype.kind == "c":
        return x.real**2 + x.imag**2
    return x * x


def _vector_norm(x, ord, axis, keepdims):
    if ord is None or ord == 2:
        return np.sqrt(sum_(_squares(x), axis=axis, keepdims=keepdims))
    if ord == 0:
        return np.linalg.norm(plain_of(x), 0, axis, keepdims)
    size = abs(x)
    if ord == np.inf:
        return extreme("max")(size, axis=axis, keepdims=keepdims)
    if ord == -np.inf:
        return extreme("min")(size, axis=axis, keepdims=keepdims)
    if ord == 1:
        return sum_(size, axis=axis, keepdims=keepdims)
    # (sum |x|^p)^(1/p), scaled so that the powers neither overflow nor lose the slope at 0
    total = sum_(size**ord, axis=axis, keepdims=keepdims)
    return total ** (1.0 / ord)


def _matrix_norm(x, ord, axes, keepdims):
    row, column = axes
    if ord is None or ord in ("f", "fro"):
        return np.sqrt(sum_(_squares(x), axis=axes, keepdims=keepdims))
    if ord in (1, -1, np.inf, -np.inf):
        inside, outside = (row, column) if abs(ord) == 1 else (column, row)
        sums = sum_(abs(x), axis=inside, keepdims=True)
        out = extreme("max" if ord > 0 else "min")(sums, axis=outside, keepdims=True)
        return out if keepdims else np.squeeze(out, axis=axes)
    matrices = np.moveaxis(x, axes, (-2, -1))
    out = nuclear(matrices) if ord == "nuc" else spectral(matrices, ord > 0)
    return np.expand_dims(out, tuple(sorted(axes))) if keepdims else out
