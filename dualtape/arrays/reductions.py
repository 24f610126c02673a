"""Sums, products, extremes and their running forms."""

import operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from dualtape.arrays.apply import apply, apply_linear, is_array
from dualtape.arrays.elementwise import _any_traced, elementwise, times
from dualtape.arrays.moves import array, astype, broadcast_to
from dualtape.arrays.moves import where as _where
from dualtape.core import linear
from dualtape.core.array import Array, VarArray
from dualtape.core.traced import ROWS, Traced
from dualtape.core.values import plain_array, plain_of

__all__ = ["cumprod", "cumsum", "extreme", "mask_of", "mean", "prod", "std", "sum_", "var"]

_ABSENT = np._NoValue


def axes_of(x, axis):
    """The axes of a reduction, as a tuple of places from 0 on. As in NumPy, 0 and -1 count for arrays without axes."""
    if axis is not None and type(axis) is not int and type(axis) is not tuple:
        if isinstance(axis, (bool, np.bool_)):
            raise TypeError("an integer is required")
        axis = operator.index(axis)  # raises NumPy's error
    if x.ndim == 0 and axis in (0, -1, (0,), (-1,)):
        return ()
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


def mask_of(where):
    """The ``where=`` of a call: True, or an array of bools. As in NumPy, arrays must be of bools, lists need not."""
    if where is True or where is _ABSENT:
        return where
    mask = plain_of(where) if isinstance(where, Array) else where
    if not isinstance(mask, np.ndarray):
        mask = np.array(mask, dtype=bool)
    elif mask.dtype != bool:
        raise TypeError(
            f"Cannot cast array data from {mask.dtype!r} to {np.dtype(bool)!r} according to the rule 'safe'"
        )
    return True if mask.ndim == 0 and mask else mask


def operand_of(a, axis, dtype=None, keepdims=False, where=True, neutral=0.0):
    """What a reduction begins with: its operand, masked and cast, the axes, and whether they are kept."""
    x = as_array(a)
    if where is not True and where is not _ABSENT:
        x = _where(where, x, neutral)
    if dtype is not None:
        x = astype(x, dtype)
    return x, axes_of(x, axis), keepdims is not _ABSENT and bool(keepdims)


def along_one(a, axis, dtype):
    """What a running form begins with: its operand and the axis."""
    x = as_array(a)
    if dtype is not None:
        x = astype(x, dtype)
    if axis is None or x.ndim == 0:
        x, axis = np.ravel(x), 0 if axis is None else axis
    return x, normalize_axis_index(axis, x.ndim)


def sum_(a, axis=None, dtype=None, out=None, keepdims=False, initial=0, where=True):
    """np.sum."""
    x, axes, keepdims = operand_of(a, axis, dtype, keepdims)
    mask = True if where is _ABSENT else plain_of(where) if isinstance(where, Array) else where
    if dtype is not None and isinstance(x, np.ndarray):
        return np.sum(x, axis=axis, keepdims=keepdims, where=mask)
    shape = x.shape
    if x.size == 0:
        options = {} if initial is _ABSENT else {"initial": plain_of(initial)}
        nothing = np.sum(plain_of(x), axis=axes, keepdims=keepdims, **options)
        return plain_array(nothing, True) if isinstance(nothing, np.ndarray) else nothing
    if mask is True and isinstance(x, VarArray):
        out = linear.total(x, axes, keepdims)
        if out is not None:
            return out if initial is _ABSENT or _is_zero(initial) else out + initial
    total = apply_linear(
        lambda x: _plain_sum(x, axes, keepdims, mask),
        (x,),
        lambda bar, wanted: (_masked(spread(bar, shape, axes, keepdims), mask),),
    )
    return total if initial is _ABSENT or _is_zero(initial) else total + initial


def _plain_sum(x, axes, keepdims, mask):
    if isinstance(x, Array):
        return sum_(x, axes, keepdims=keepdims, where=mask)
    # all axes as None: NumPy's own pairwise order
    return np.sum(x, axis=None if len(axes) == x.ndim else axes, keepdims=keepdims, where=mask)


def _masked(x, mask):
    return x if mask is True else _where(mask, x, 0.0)


def _is_zero(x):
    return isinstance(x, (int, float)) and x == 0


def mean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    """np.mean."""
    x = as_array(a)
    if axis is None and dtype is None and not keepdims and where is True and isinstance(x, VarArray) and x.size:
        return x.sum() / x.size
    keepdims = keepdims is not _ABSENT and bool(keepdims)
    axes = _counted_axes(x, axis)
    if where is True or where is _ABSENT:
        count = int(np.prod([x.shape[k] for k in axes], dtype=np.intp))
        where = True
    else:
        count = np.sum(np.broadcast_to(plain_of(where), x.shape), axis=axes, keepdims=keepdims).astype(x.real.dtype)
    total = sum_(x, axis, dtype, None, keepdims, 0, where)
    return over(total, count)


def over(total, count):
    """A sum over a count, as NumPy divides by zero."""
    return total / count if type(count) is int and count else np.divide(total, count)


def _counted_axes(x, axis):
    """The axes of a mean; other than sums, those of arrays without axes have no axis 0."""
    return axes_of(x, axis) if x.ndim or axis is None else normalize_axis_tuple(axis, 0)


def var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=_ABSENT, correction=_ABSENT):
    """np.var: the mean of squared distances from the mean."""
    x = as_array(a)
    keepdims = keepdims is not _ABSENT and bool(keepdims)
    ddof = ddof if correction is _ABSENT else correction
    axes = _counted_axes(x, axis)
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
    return over(total, np.maximum(count - ddof, 0) if masked else max(count - ddof, 0))


def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, **options):
    """np.std, with derivative 0 where all elements are equal."""
    v = var(a, axis, dtype, None, ddof, keepdims, **options)
    return elementwise(ROWS["sqrt"], (v,)) if isinstance(v, (Array, Traced)) else np.sqrt(v)


def extreme(name):
    """np.max or np.min: equal elements share the derivative equally."""
    function = getattr(np, name)
    binary = ROWS["maximum" if name == "max" else "minimum"]

    def reduction(a, axis=None, out=None, keepdims=False, initial=_ABSENT, where=True, eligible=None):
        if where is not True and where is not _ABSENT and initial is _ABSENT:
            raise ValueError(f"reduction operation {name}imum which has no identity needs initial= with where=")
        x, axes, keepdims = operand_of(a, axis, None, keepdims, where, initial)
        plain = plain_of(x)
        if initial is not _ABSENT and plain.size == 0:
            shape = function(plain, axis=axes, keepdims=keepdims, initial=0.0).shape
            if isinstance(initial, (Array, Traced)):
                return np.copy(np.broadcast_to(array(initial), shape)) if shape else initial
            return np.full(shape, initial, dtype=np.result_type(x.dtype, plain_of(initial)))[()]
        best = function(plain, axis=axes, keepdims=True)
        with np.errstate(invalid="ignore"):
            chosen = (plain == best) | (np.isnan(plain) & np.isnan(best))
            if eligible is not None:  # the elements that are not there to stand for NaN
                chosen &= eligible
            weights = chosen / np.maximum(chosen.sum(axis=axes, keepdims=True), 1)
        weights = weights.astype(x.dtype)
        result = linear.chosen(x, axes, keepdims, best if keepdims else function(plain, axis=axes), weights)
        if result is None:
            result = _general(x, axes, keepdims, eligible, weights)
        if initial is not _ABSENT:
            return elementwise(binary, (result, initial))
        return result

    def _general(x, axes, keepdims, eligible, weights):
        return apply_linear_around(
            lambda x: _plain_extreme(x, axes, keepdims, eligible),
            x,
            lambda t: sum_(t * weights, axes, keepdims=keepdims),
            lambda bar: spread(bar, weights.shape, axes, keepdims) * weights,
        )

    def _plain_extreme(x, axes, keepdims, eligible):
        if isinstance(x, Array):
            return reduction(x, axes, keepdims=keepdims, eligible=eligible)
        return function(x, axis=axes, keepdims=keepdims)

    reduction.__name__ = name
    return reduction


def apply_linear_around(function, x, tangent, transpose):
    """A function of one array whose derivative is a linear map that needs no primal."""
    return apply(function, (x,), lambda k, t, out, x: tangent(t), lambda k, bar, out, x: transpose(bar), reads=())


def prod(a, axis=None, dtype=None, out=None, keepdims=False, initial=1, where=True):
    """np.prod, with derivatives that are exact at zeros."""
    x, axes, keepdims = operand_of(a, axis, dtype, keepdims, where, 1.0)
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
    if x.size == 0:
        return x
    rest = [k for k in range(x.ndim) if k not in axes]
    order = (*rest, *axes)
    moved = np.transpose(x, order)
    flat = np.reshape(moved, (*[x.shape[k] for k in rest], -1))
    one = np.ones((*flat.shape[:-1], 1), dtype=x.dtype)
    before = _running(np.concatenate([one, flat[..., :-1]], axis=-1))
    after = np.flip(_running(np.concatenate([one, np.flip(flat, -1)[..., :-1]], axis=-1)), -1)
    both = np.reshape(before * after, moved.shape)
    return np.transpose(both, np.argsort(order))


def _running(x):
    return cumprod(x, -1) if isinstance(x, Array) else np.cumprod(x, axis=-1)


def cumsum(a, axis=None, dtype=None, out=None):
    """np.cumsum."""
    x, axis = along_one(a, axis, dtype)
    return apply_linear(
        lambda x: _plain_cumsum(x, axis),
        (x,),
        lambda bar, wanted: (np.flip(_plain_cumsum(np.flip(bar, axis), axis), axis),),
    )


def _plain_cumsum(x, axis):
    return cumsum(x, axis) if isinstance(x, Array) else np.cumsum(x, axis=axis)


def cumprod(a, axis=None, dtype=None, out=None):
    """np.cumprod, with derivatives that are exact at zeros: of y[i] = x[i] y[i-1] the tangent is a recurrence too."""
    x, axis = along_one(a, axis, dtype)
    return apply(
        lambda x: cumprod(x, axis) if isinstance(x, Array) else np.cumprod(x, axis=axis),
        (x,),
        lambda k, t, out, x: recurrence(x, times(t, _shifted(out, axis, 1.0)), axis),
        lambda k, bar, out, x: times(_backwards(bar, x, axis), _conjugate(_shifted(out, axis, 1.0))),
    )


def recurrence(a, b, axis):
    """y[i] = a[i] y[i-1] + b[i] along an axis, from 0 on: the tangent and the adjoint of running products."""
    return apply(
        lambda a, b: recurrence(a, b, axis) if _any_traced(a, b) else _plain_recurrence(a, b, axis),
        (a, b),
        lambda k, t, y, a, b: recurrence(a, t if k else times(t, _shifted(y, axis, 0.0)), axis),
        lambda k, bar, y, a, b: _recurrence_vjp(k, bar, y, a, axis),
    )


def _recurrence_vjp(k, bar, y, a, axis):
    w = _backwards(bar, a, axis)
    return w if k else times(w, _conjugate(_shifted(y, axis, 0.0)))


def _backwards(bar, a, axis):
    """w[i] = bar[i] + conj(a[i+1]) w[i+1]: the adjoint of a recurrence."""
    following = _shifted(np.flip(_conjugate(a), axis), axis, 0.0)
    return np.flip(recurrence(following, np.flip(bar, axis), axis), axis)


def _shifted(x, axis, first):
    """The elements before, along an axis; before the first one a number."""
    shape = list(x.shape)
    shape[axis] = min(1, shape[axis])
    key = (slice(None),) * axis + (slice(None, -1),)
    return np.concatenate([np.full(shape, first, dtype=x.dtype), x[key]], axis=axis)


def _plain_recurrence(a, b, axis):
    a, b = plain_of(a), plain_of(b)
    out = np.zeros(np.broadcast_shapes(a.shape, b.shape), dtype=np.result_type(a, b))
    rows = np.moveaxis(out, axis, 0)
    y = 0.0
    with np.errstate(all="ignore"):
        for k, (factor, term) in enumerate(zip(np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0), strict=True)):
            y = factor * y + term
            rows[k] = y
    return out


def accumulate(function, x, axis):
    """A binary function along an axis, all its intermediate results."""
    rows = np.moveaxis(x, axis, 0)
    if len(rows) == 0:
        return np.moveaxis(rows, 0, axis).copy()
    parts = [rows[0]]
    for k in range(1, len(rows)):
        parts.append(function(parts[-1], rows[k]))
    return np.stack([as_array(p) for p in parts], axis=axis)


def reduce(function, x, axes, keepdims, start=None, mask=True):
    """A binary function along axes, one element after the other: its last result.

    Parameters
    ----------
    function : callable
    x : Array
    axes : tuple of int
    keepdims : bool
    start : number, optional
        What to begin with; the first element by default.
    mask : array_like of bool
        Which elements to take.
    """
    rest = [k for k in range(x.ndim) if k not in axes]
    shape = tuple(x.shape[k] for k in rest)
    rows = np.reshape(np.transpose(x, (*axes, *rest)), (-1, *shape))
    chosen = None if mask is True else np.transpose(np.broadcast_to(mask, x.shape), (*axes, *rest)).reshape(-1, *shape)
    first = 0 if start is not None or not len(rows) else 1
    if start is not None and not isinstance(start, (Array, Traced)):
        start = x.dtype.type(start)  # a number weighs no more than the array
    result = rows[0] if first else start if not shape else np.broadcast_to(as_array(start), shape)
    for k in range(first, len(rows)):
        step = function(result, rows[k])
        result = step if chosen is None else _where(chosen[k], step, result)
    if first and len(rows) == 1 and isinstance(result, Array):
        result = result.copy()  # the operand itself so far, into which the program may not write
    return np.reshape(result, [1 if k in axes else n for k, n in enumerate(x.shape)]) if keepdims else result
