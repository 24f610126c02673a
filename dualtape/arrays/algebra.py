"""The rest of numpy.linalg: what is made of products, sums and inverses."""

import operator

import numpy as np

from dualtape.arrays import linalg
from dualtape.arrays.moves import where
from dualtape.arrays.protocol import constant, register, vecdot
from dualtape.arrays.rearranging import element
from dualtape.arrays.reductions import as_array, sum_
from dualtape.arrays.singular import matrices, values
from dualtape.arrays.spectra import square
from dualtape.core.values import plain_of

__all__ = ["cond", "cross", "matrix_power", "multi_dot", "tensorinv", "tensorsolve"]

constant(np.linalg.matrix_rank)


@register(np.linalg.matrix_power)
def matrix_power(a, n):
    """np.linalg.matrix_power, by NumPy's own sequence of products."""
    x = square(as_array(a))
    try:
        n = operator.index(n)
    except TypeError:
        np.linalg.matrix_power(np.eye(1), n)  # raises NumPy's error
        raise
    if n == 0:
        return np.zeros_like(x) + np.eye(x.shape[-1], dtype=x.dtype)
    if n < 0:
        x, n = np.linalg.inv(x), -n
    if n == 1:
        return x  # no copy, as NumPy's
    if n == 2:
        return x @ x
    if n == 3:
        return (x @ x) @ x
    power = result = None
    while n:
        power = x if power is None else power @ power
        n, bit = divmod(n, 2)
        if bit:
            result = power if result is None else result @ power
    return result


@register(np.linalg.multi_dot)
def multi_dot(arrays, *, out=None):
    """np.linalg.multi_dot: a product of matrices in the order of fewest multiplications."""
    xs = [as_array(a) for a in arrays]
    if len(xs) < 2:
        raise ValueError("Expecting at least two arrays.")
    first, last = xs[0].ndim == 1, xs[-1].ndim == 1
    if first:
        xs[0] = np.expand_dims(xs[0], 0)
    if last:
        xs[-1] = np.expand_dims(xs[-1], -1)
    if any(x.ndim != 2 for x in xs):
        np.linalg.multi_dot([np.zeros(x.shape) for x in xs])  # raises NumPy's error
    result = _chain(xs, _order([x.shape[0] for x in xs] + [xs[-1].shape[1]]), 0, len(xs) - 1)
    if first:
        result = result[0]
    return result[..., 0] if last else result


def _order(sizes):
    """Where to part each run of a chain of matrices (Cormen, Leiserson, Rivest, Stein, section 14.2)."""
    n = len(sizes) - 1
    cost = np.zeros((n, n))
    split = np.zeros((n, n), int)
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            costs = [cost[i, k] + cost[k + 1, j] + float(sizes[i]) * sizes[k + 1] * sizes[j + 1] for k in range(i, j)]
            split[i, j] = i + int(np.argmin(costs))
            cost[i, j] = min(costs)
    return split


def _chain(xs, split, i, j):
    if i == j:
        return xs[i]
    k = int(split[i, j])
    return np.dot(_chain(xs, split, i, k), _chain(xs, split, k + 1, j))


@register(np.linalg.tensorinv)
def tensorinv(a, ind=2):
    """np.linalg.tensorinv."""
    x = as_array(a)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    shape = x.shape[ind:] + x.shape[:ind]
    n = int(np.prod(x.shape[ind:], dtype=np.intp))
    return np.reshape(np.linalg.inv(np.reshape(x, (n, -1))), shape)


@register(np.linalg.tensorsolve)
def tensorsolve(a, b, axes=None):
    """np.linalg.tensorsolve."""
    x, right = as_array(a), as_array(b)
    if axes is not None:
        order = [k for k in range(x.ndim) if k not in [axis % x.ndim for axis in axes]]
        x = np.transpose(x, order + [axis % x.ndim for axis in axes])
    shape = x.shape[-(x.ndim - right.ndim) :]
    n = int(np.prod(shape, dtype=np.intp))
    if x.size != n**2:
        raise np.linalg.LinAlgError(
            "Input arrays must satisfy the requirement             prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])"
        )
    return np.reshape(np.linalg.solve(np.reshape(x, (n, n)), np.ravel(right)), shape)


@register(np.linalg.trace)
def trace(x, /, *, offset=0, dtype=None):
    """np.linalg.trace, of the last two axes."""
    return sum_(np.diagonal(as_array(x), offset, -2, -1), axis=-1, dtype=dtype)


@register(np.linalg.vecdot)
def linalg_vecdot(x1, x2, /, *, axis=-1):
    """np.linalg.vecdot."""
    x, y = as_array(x1), as_array(x2)
    return vecdot(np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1))


@register(np.linalg.cross)
def cross(x1, x2, /, *, axis=-1):
    """np.linalg.cross."""
    x, y = as_array(x1), as_array(x2)
    if x.shape[axis] != 3 or y.shape[axis] != 3:
        raise ValueError(
            "Both input arrays must be (arrays of) 3-dimensional vectors, "
            f"but they are {x.shape[axis]} and {y.shape[axis]} dimensional instead."
        )
    a, b = np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1)
    parts = [a[..., (k + 1) % 3] * b[..., (k + 2) % 3] - a[..., (k + 2) % 3] * b[..., (k + 1) % 3] for k in range(3)]
    return np.stack([as_array(p) for p in parts], axis=axis)


@register(np.linalg.matrix_norm)
def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """np.linalg.matrix_norm."""
    return linalg.norm(as_array(x), ord, (-2, -1), keepdims)


@register(np.linalg.vector_norm)
def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """np.linalg.vector_norm."""
    x = as_array(x)
    if axis is None:
        flat = linalg.norm(np.ravel(x), ord)
        return np.reshape(as_array(flat), (1,) * x.ndim) if keepdims else flat
    if not isinstance(axis, tuple):
        return linalg.norm(x, ord, axis, keepdims)
    plain = plain_of(x)
    shape = np.linalg.vector_norm(plain, axis=axis, keepdims=keepdims, ord=ord).shape
    axes = [k % x.ndim for k in axis]
    rest = [k for k in range(x.ndim) if k not in axes]
    moved = np.transpose(x, rest + axes)
    flat = np.reshape(moved, (*[x.shape[k] for k in rest], -1))
    out = linalg.norm(flat, ord, -1)
    return np.reshape(as_array(out), shape) if shape != np.shape(plain_of(out)) else out


@register(np.linalg.cond)
def cond(x, p=None):
    """np.linalg.cond."""
    x = as_array(x)
    if x.size == 0:
        np.linalg.cond(plain_of(x), p)  # raises NumPy's error
    if p is None or p in (2, -2):
        s = values(matrices(x))
        with np.errstate(all="ignore"):
            return _infinite(s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1], x)
    square(matrices(x))
    singular = np.asarray(np.linalg.slogdet(plain_of(x))[0] == 0)
    if singular.any():
        regular = where(np.expand_dims(singular, (-2, -1)), np.eye(x.shape[-1], dtype=x.dtype), x)
        return element(where(singular, np.inf, cond(regular, p)))
    return linalg.norm(x, p, axis=(-2, -1)) * linalg.norm(np.linalg.inv(x), p, axis=(-2, -1))


def _infinite(ratio, x):
    """Infinity, with derivative 0, where a ratio is not a number though the matrix has numbers only."""
    lost = np.isnan(plain_of(ratio)) & ~np.isnan(plain_of(x)).any(axis=(-2, -1))
    return element(where(lost, np.inf, ratio)) if lost.any() else ratio
