"""Products of arrays: matmul, dot, outer, einsum and their kin."""

import functools

import numpy as np

from dualtape.arrays.apply import apply, is_array, unbroadcast
from dualtape.arrays.moves import scatter
from dualtape.arrays.reductions import as_array, sum_
from dualtape.core import linear
from dualtape.core.array import Array
from dualtape.core.traced import Traced, to_number
from dualtape.core.view import view_by

__all__ = ["dot", "einsum", "inner", "matmul", "outer", "tensordot", "vdot"]


def operator_matmul(a, b):
    """A @ b."""
    for x in (a, b):
        if not is_array(x) and not isinstance(x, (list, tuple)):
            if to_number(x) is None:
                return NotImplemented
            raise ValueError(
                "matmul: Input operand does not have enough dimensions (has 0, gufunc core with signature "
                "(n?,k),(k,m?)->(n?,m?) requires 1)"
            )
    return matmul(a, b)


def matmul(a, b):
    """np.matmul: stacks of matrices, vectors taken for rows on the left and columns on the right."""
    x, y = as_array(a), as_array(b)
    out = linear.product(x, y)
    if out is not None:
        return out
    return apply(_plain_matmul, (x, y), _matmul_jvp, _matmul_vjp, reads=("args",))


def _plain_matmul(x, y):
    if isinstance(x, Array) or isinstance(y, Array):
        return matmul(x, y)
    return np.matmul(x, y)


def _matmul_jvp(k, t, out, x, y):
    return _plain_matmul(t, y) if k == 0 else _plain_matmul(x, t)


def conjugate_transpose(x):
    """The transpose of the last two axes, conjugated."""
    x = np.swapaxes(x, -1, -2)
    return np.conjugate(x) if x.dtype.kind == "c" else x


def _matmul_vjp(k, bar, out, x, y):
    if x.ndim == 1 and y.ndim == 1:
        return _real_like(bar * _conjugated(y if k == 0 else x), (x, y)[k])
    left = np.expand_dims(x, 0) if x.ndim == 1 else x
    right = np.expand_dims(y, -1) if y.ndim == 1 else y
    if x.ndim == 1:
        bar = np.expand_dims(bar, -2)
    if y.ndim == 1:
        bar = np.expand_dims(bar, -1)
    if k == 0:
        part = unbroadcast(_plain_matmul(bar, conjugate_transpose(right)), left.shape)
        part = part[0] if x.ndim == 1 else part
    else:
        part = unbroadcast(_plain_matmul(conjugate_transpose(left), bar), right.shape)
        part = part[..., 0] if y.ndim == 1 else part
    return _real_like(part, (x, y)[k])


def pull_matmul(k, bar, other):
    """The adjoint of one factor of a product of two matrices, from the other, which is plain."""
    other = conjugate_transpose(other)
    return _plain_matmul(bar, other) if k == 0 else _plain_matmul(other, bar)


def _conjugated(x):
    return np.conjugate(x) if x.dtype.kind == "c" else x


def _real_like(bar, x):
    return bar.real if is_array(bar) and bar.dtype.kind == "c" and x.dtype.kind != "c" else bar


def dot(a, b, out=None):
    """np.dot."""
    x, y = as_array(a), as_array(b)
    if x.ndim == 0 or y.ndim == 0:
        return x * y
    if x.ndim <= 2 and y.ndim <= 2:
        if x.shape[-1] != y.shape[0 if y.ndim == 1 else -2]:
            np.dot(np.empty(x.shape), np.empty(y.shape))  # raises NumPy's error
        return matmul(x, y)
    return tensordot(x, y, ((x.ndim - 1,), (max(y.ndim - 2, 0),)))


def inner(a, b):
    """np.inner."""
    x, y = as_array(a), as_array(b)
    if x.ndim == 0 or y.ndim == 0:
        return x * y
    return tensordot(x, y, ((x.ndim - 1,), (y.ndim - 1,)))


def vdot(a, b):
    """np.vdot."""
    x, y = np.ravel(as_array(a)), np.ravel(as_array(b))
    return matmul(_conjugated(x), y)


def outer(a, b, out=None):
    """np.outer."""
    x, y = np.ravel(as_array(a)), np.ravel(as_array(b))
    return np.expand_dims(x, 1) * np.expand_dims(y, 0)


def tensordot(a, b, axes=2):
    """np.tensordot, as one matrix product."""
    x, y = as_array(a), as_array(b)
    try:
        left, right = axes
        left = [left] if isinstance(left, (int, np.integer)) else list(left)
        right = [right] if isinstance(right, (int, np.integer)) else list(right)
    except TypeError:
        left, right = list(range(-axes, 0)), list(range(axes))
    if any(not -a.ndim <= k < a.ndim for a, axes in ((x, left), (y, right)) for k in axes):
        raise IndexError("tuple index out of range")
    left, right = [k % x.ndim for k in left], [k % y.ndim for k in right]
    if len(left) != len(right) or any(x.shape[i] != y.shape[j] for i, j in zip(left, right, strict=True)):
        raise ValueError("shape-mismatch for sum")
    free_x = [k for k in range(x.ndim) if k not in left]
    free_y = [k for k in range(y.ndim) if k not in right]
    n = int(np.prod([x.shape[k] for k in left], dtype=np.intp))
    rows = np.reshape(np.transpose(x, free_x + left), (int(np.prod([x.shape[k] for k in free_x], dtype=np.intp)), n))
    columns = np.reshape(
        np.transpose(y, right + free_y), (n, int(np.prod([y.shape[k] for k in free_y], dtype=np.intp)))
    )
    shape = tuple(x.shape[k] for k in free_x) + tuple(y.shape[k] for k in free_y)
    product = matmul(rows, columns)
    return np.reshape(product, shape) if shape else product[0, 0]


# --- einsum ------------------------------------------------------------------------------------------------------


def einsum(*operands, out=None, optimize=False, dtype=None, order="K", casting="safe"):
    """np.einsum in all its forms."""
    if isinstance(operands[0], str):
        parsed = [operands[0], *[as_array(x) for x in operands[1:]]]
    else:
        parsed = [
            as_array(x) if (k % 2 == 0 and k != len(operands) - 1) or is_array(x) else x for k, x in enumerate(operands)
        ]
        if len(operands) % 2:
            parsed[-1] = operands[-1]
    arrays = [x for x in parsed if is_array(x)]
    if isinstance(operands[0], str):
        subscripts, target = _subscripts_of_text(operands[0], tuple([x.shape for x in arrays]))
    else:
        subscripts, target = _subscripts([_outline(x.shape) if is_array(x) else x for x in parsed])
    sources = ",".join(subscripts)
    if len(arrays) == 1 and set(sources) == set(target) and isinstance(arrays[0], Array):
        text, options = f"{sources}->{target}", {"optimize": optimize, "dtype": dtype, "order": order}
        view = view_by(arrays[0], lambda p: np.einsum(text, p, **options, casting=casting))
        if view is not None:  # nothing is summed: NumPy gives a view, into which the program may write
            return view
    if dtype is not None:
        for x in arrays:
            if not np.can_cast(x.dtype, dtype, casting):
                raise TypeError(f"Cannot cast array data from {x.dtype!r} to {np.dtype(dtype)!r} by {casting!r}")
        arrays = [x.astype(dtype) for x in arrays]
    return _einsum(subscripts, target, arrays, optimize)


def _outline(shape):
    """An array of a shape, without memory of that size."""
    return np.broadcast_to(0.0, shape)


@functools.lru_cache(maxsize=256)
def _subscripts_of_text(text, shapes):
    return _subscripts([text, *map(_outline, shapes)])


def _subscripts(operands):
    """The letters of each operand, and of the result; raises NumPy's errors."""
    sources, target, _ = np._core.einsumfunc._parse_einsum_input(operands)
    np.einsum_path(f"{sources}->{target}", *[x for x in operands if is_array(x)])
    return sources.split(","), target


def _einsum(subscripts, target, arrays, optimize):
    text = ",".join(subscripts) + "->" + target

    def function(*xs):
        if any(isinstance(x, (Array, Traced)) for x in xs):
            return _einsum(subscripts, target, [as_array(x) for x in xs], optimize)
        value = np.einsum(text, *xs, optimize=optimize)
        return value.copy() if isinstance(value, np.ndarray) and value.base is not None else value

    def jvp(k, t, out, *xs):
        return function(*[as_array(t) if j == k else x for j, x in enumerate(xs)])

    def vjp(k, bar, out, *xs):
        return _einsum_adjoint(k, as_array(bar), subscripts, target, xs, optimize)

    if not any(isinstance(x, (Array, Traced)) for x in arrays):
        return function(*arrays)  # as most sweeps do
    return apply(function, arrays, jvp, vjp, reads=("args",))


def _einsum_adjoint(k, bar, subscripts, target, xs, optimize):
    own = subscripts[k]
    x = xs[k]
    others = [(s, o) for j, (s, o) in enumerate(zip(subscripts, xs, strict=True)) if j != k]
    available = set(target).union(*[s for s, _ in others]) if others else set(target)
    letters = "".join(dict.fromkeys(own))
    sizes = dict(zip(own, x.shape, strict=True))
    have = "".join(c for c in letters if c in available)
    terms = [_conjugated(o) for _, o in others]
    part = _einsum([target, *[s for s, _ in others]], have, [bar, *terms], optimize)
    part = as_array(part)
    if have == own and part.shape == x.shape:
        return _real_like(part, x)
    for place, c in enumerate(have):  # an axis of length 1 that was broadcast
        if sizes[c] == 1 and part.shape[place] != 1:
            part = sum_(part, axis=place, keepdims=True)
    lengths = dict(zip(have, part.shape, strict=True))
    shape = tuple(lengths.get(c, 1) for c in letters)
    part = np.reshape(part, shape)
    full = tuple(sizes[c] for c in letters)
    if part.shape != full:
        part = part + np.zeros(full)
    if len(letters) != len(own):  # repeated letters: only the diagonal counts
        grid = dict(zip(letters, np.ogrid[tuple(slice(sizes[c]) for c in letters)], strict=True))
        part = scatter(part, tuple(grid[c] for c in own), x.shape)
    return _real_like(part, x)
