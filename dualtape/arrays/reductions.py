"""Sums, products, extremes and their running forms."""

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from dualtape.arrays.apply import apply, apply_linear, is_array
from dualtape.arrays.elementwise import _any_traced, elementwise, times
from dualtape.arrays.moves import array, astype, broadcast_to, where
from dualtape.core import linear
from dualtape.core.array import Array, VarArray
from dualtape.core.traced import ROWS, Traced
from dualtape.core.values import plain_array, plain_of

__all__ = ["cumprod", "cumsum", "extreme", "mean", "prod", "std", "sum_", "var"]

_ABSENT = np._NoValue


def axes_of(x, axis):
    """The axes of a reduction, as a tuple of places from 0 on."""
    return tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)


def spread(bar, shape, axes, keepdims):
    """The transpose of a sum: the adjoint repeated along the summed axes."""
    if not keepdims and is_array(bar):
        bar = np.expand_dims(bar, axes) if axes else bar
    return broadcast_to(bar, shape)


def as_array(x):
    """An operand of a function as an array of some kind."""
    if isinstance(x, Array):
        return x
    if isinstance(x, np.ndarray) and x.dtype != object:
        return x
    return array(x) if isinstance(x, (Traced, list, tuple, np.ndarray)) else np.asarray(x)


def sum_(a, axis=None, dtype=None, out=None, keepdims=False, initial=0, where=True):
    """np.sum."""
    x = as_array(a)
    keepdims = keepdims is not _ABSENT and bool(keepdims)
    if where is not True and where is not _ABSENT:
        x = _masked(x, where, 0.0)
    if dtype is not None:
        x = astype(x, dtype)
        if isinstance(x, np.ndarray):
            return np.sum(x, axis=axis, keepdims=keepdims)
    axes = axes_of(x, axis)
    shape = x.shape
    if x.size == 0:
        options = {} if initial is _ABSENT else {"initial": plain_of(initial)}
        nothing = np.sum(plain_of(x), axis=axes, keepdims=keepdims, **options)
        return plain_array(nothing, True) if isinstance(nothing, np.ndarray) else nothing
    if isinstance(x, VarArray):
        out = linear.total(x, axes, keepdims)
        if out is not None:
            return out if initial is _ABSENT or _is_zero(initial) else out + initial
    total = apply_linear(
        lambda x: _plain_sum(x, axes, keepdims), (x,), lambda bar, wanted: (spread(bar, shape, axes, keepdims),)
    )
    return total if initial is _ABSENT or _is_zero(initial) else total + initial


def _plain_sum(x, axes, keepdims):
    if isinstance(x, Array):
        return sum_(x, axes, keepdims=keepdims)
    # all axes as None: NumPy's own pairwise order
    return np.sum(x, axis=None if len(axes) == x.ndim else axes, keepdims=keepdims)


def _is_zero(x):
    return isinstance(x, (int, float)) and x == 0


def _masked(x, mask, neutral):
    return where(mask, x, neutral)


def mean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    """np.mean."""
    x = as_array(a)
    if axis is None and dtype is None and not keepdims and where is True and isinstance(x, VarArray) and x.size:
        return x.sum() / x.size
    keepdims = keepdims is not _ABSENT and bool(keepdims)
    axes = axes_of(x, axis)
    if where is True or where is _ABSENT:
        count = int(np.prod([x.shape[k] for k in axes], dtype=np.intp))
        where = True
    else:
        count = np.sum(np.broadcast_to(plain_of(where), x.shape), axis=axes, keepdims=keepdims).astype(x.real.dtype)
    total = sum_(x, axis, dtype, None, keepdims, 0, where)
    return total / count


def var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=_ABSENT, correction=_ABSENT):
    """np.var: the mean of squared distances from the mean."""
    x = as_array(a)
    keepdims = keepdims is not _ABSENT and bool(keepdims)
    ddof = ddof if correction is _ABSENT else correction
    axes = axes_of(x, axis)
    masked = where is not True and where is not _ABSENT
    if masked:
        mask = np.broadcast_to(plain_of(where), x.shape)
        count = np.sum(mask, axis=axes, keepdims=True).astype(x.real.dtype)
    else:
        mask = True
        count = int(np.prod([x.shape[k] for k in axes], dtype=np.intp))
    center = sum_(x, axis, dtype, None, True, 0, mask) / count if mean is _ABSENT else mean
    distance = x - center
    squares = distance * distance if x.dtype.kind != "c" else (distance * np.conjugate(distance)).real
    total = sum_(squares, axis, dtype, None, keepdims, 0, mask)
    count = np.sum(mask, axis=axes, keepdims=keepdims).astype(x.real.dtype) if masked else count
    return total / np.maximum(count - ddof, 0)


def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, **options):
    """np.std, with derivative 0 where all elements are equal."""
    v = var(a, axis, dtype, None, ddof, keepdims, **options)
    return elementwise(ROWS["sqrt"], (v,)) if isinstance(v, (Array, Traced)) else np.sqrt(v)


def extreme(name):
    """np.max or np.min: equal elements share the derivative equally."""
    function = getattr(np, name)
    binary = ROWS["maximum" if name == "max" else "minimum"]

    def reduction(a, axis=None, out=None, keepdims=False, initial=_ABSENT, where=True):
        x = as_array(a)
        keepdims = keepdims is not _ABSENT and bool(keepdims)
        if where is not True and where is not _ABSENT:
            if initial is _ABSENT:
                raise ValueError(f"reduction operation {name}imum which has no identity needs initial= with where=")
            x = _masked(x, where, initial)
        axes = axes_of(x, axis)
        plain = plain_of(x)
        if initial is not _ABSENT and plain.size == 0:
            return np.full(function(plain, axis=axes, keepdims=keepdims, initial=0.0).shape, initial)[()]
        best = function(plain, axis=axes, keepdims=True)
        with np.errstate(invalid="ignore"):
            chosen = (plain == best) | (np.isnan(plain) & np.isnan(best))
            weights = chosen / chosen.sum(axis=axes, keepdims=True)
        weights = weights.astype(x.dtype)
        result = apply_linear_around(
            lambda x: _plain_extreme(function, x, axes, keepdims),
            x,
            lambda t: sum_(t * weights, axes, keepdims=keepdims),
            lambda bar: spread(bar, weights.shape, axes, keepdims) * weights,
        )
        if initial is not _ABSENT:
            return elementwise(binary, (result, initial))
        return result

    def _plain_extreme(function, x, axes, keepdims):
        if isinstance(x, Array):
            return reduction(x, axes, keepdims=keepdims)
        return function(x, axis=axes, keepdims=keepdims)

    reduction.__name__ = name
    return reduction


def apply_linear_around(function, x, tangent, transpose):
    """A function of one array whose derivative is a linear map that needs no primal."""
    return apply(function, (x,), lambda k, t, out, x: tangent(t), lambda k, bar, out, x: transpose(bar), reads=())


def prod(a, axis=None, dtype=None, out=None, keepdims=False, initial=1, where=True):
    """np.prod, with derivatives that are exact at zeros."""
    x = as_array(a)
    keepdims = keepdims is not _ABSENT and bool(keepdims)
    if where is not True and where is not _ABSENT:
        x = _masked(x, where, 1.0)
    if dtype is not None:
        x = astype(x, dtype)
    axes = axes_of(x, axis)
    out = apply(
        lambda x: _plain_prod(x, axes, keepdims),
        (x,),
        lambda k, t, out, x: sum_(t * _others(x, axes), axes, keepdims=keepdims),
        lambda k, bar, out, x: times(spread(bar, x.shape, axes, keepdims), _conjugate(_others(x, axes))),
        reads=("args",),
    )
    return out if initial is _ABSENT or (isinstance(initial, (int, float)) and initial == 1) else out * initial


def _conjugate(x):
    return np.conjugate(x) if x.dtype.kind == "c" else x


def _plain_prod(x, axes, keepdims):
    if isinstance(x, Array):
        return prod(x, axes, keepdims=keepdims)
    return np.prod(x, axis=axes, keepdims=keepdims)


def _others(x, axes):
    """For each element the product of the others along the axes."""
    rest = [k for k in range(x.ndim) if k not in axes]
    order = (*rest, *axes)
    moved = np.transpose(x, order)
    flat = np.reshape(moved, (*[x.shape[k] for k in rest], -1))
    n = flat.shape[-1]
    if n == 0:
        return x
    one = np.ones((*flat.shape[:-1], 1), dtype=x.dtype)
    before = _running(np.concatenate([one, flat[..., :-1]], axis=-1))
    after = np.flip(_running(np.concatenate([one, np.flip(flat, -1)[..., :-1]], axis=-1)), -1)
    both = np.reshape(before * after, moved.shape)
    return np.transpose(both, np.argsort(order))


def _running(x):
    return cumprod(x, -1) if isinstance(x, Array) and _any_traced(x) else np.cumprod(plain_of(x), axis=-1)


def cumsum(a, axis=None, dtype=None, out=None):
    """np.cumsum."""
    x = as_array(a)
    if dtype is not None:
        x = astype(x, dtype)
    if axis is None:
        x, axis = np.ravel(x), 0
    if x.ndim == 0:
        x = np.reshape(x, (1,))
    (axis,) = normalize_axis_tuple(axis, x.ndim)
    return apply_linear(
        lambda x: _plain_cumsum(x, axis),
        (x,),
        lambda bar, wanted: (np.flip(_plain_cumsum(np.flip(bar, axis), axis), axis),),
    )


def _plain_cumsum(x, axis):
    return cumsum(x, axis) if isinstance(x, Array) else np.cumsum(x, axis=axis)


def cumprod(a, axis=None, dtype=None, out=None):
    """np.cumprod, with derivatives that are exact at zeros: products one after the other."""
    x = as_array(a)
    if dtype is not None:
        x = astype(x, dtype)
    if axis is None:
        x, axis = np.ravel(x), 0
    if x.ndim == 0:
        x = np.reshape(x, (1,))
    (axis,) = normalize_axis_tuple(axis, x.ndim)
    return accumulate(lambda p, q: p * q, x, axis)


def accumulate(function, x, axis):
    """A binary function along an axis, all its intermediate results."""
    rows = np.moveaxis(x, axis, 0)
    if len(rows) == 0:
        return np.moveaxis(rows, 0, axis).copy()
    parts = [rows[0]]
    for k in range(1, len(rows)):
        parts.append(function(parts[-1], rows[k]))
    return np.stack([as_array(p) for p in parts], axis=axis)


def reduce(function, x, axis, keepdims):
    """A binary function along an axis, its last result."""
    rows = np.moveaxis(x, axis, 0)
    if len(rows) == 0:
        raise ValueError("zero-size array to a reduction operation which has no identity")
    result = rows[0]
    for k in range(1, len(rows)):
        result = function(result, rows[k])
    return np.expand_dims(result, axis) if keepdims else result
