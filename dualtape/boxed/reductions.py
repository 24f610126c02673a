"""Sums, products, extremes, running forms and sorts of arrays of other libraries."""

import math
import operator

from dualtape.boxed.apply import apply, apply_linear
from dualtape.boxed.array import BoxedArray, is_any_array, level_of, plain
from dualtape.boxed.backends import kind_of, namespace_of
from dualtape.boxed.elementwise import elementwise, times, where
from dualtape.boxed.indexing import take_along_axis
from dualtape.boxed.shape import astype, axes_of, broadcast_to, concat, conj, flip, moveaxis, real, reshape

__all__ = ["cumulative_prod", "cumulative_sum", "max_", "mean", "min_", "prod", "std", "sum_", "var"]


def spread(bar, shape, axes, keepdims):
    """The transpose of a sum: the adjoint repeated along the summed axes."""
    if not keepdims:
        bar = reshape(bar, tuple(1 if k in axes else n for k, n in enumerate(shape)))
    return broadcast_to(bar, shape)


def sum_(x, /, axis=None, dtype=None, keepdims=False):
    """The sum along axes."""
    if dtype is not None:
        x = astype(x, dtype, copy=False)
    axes, shape = axes_of(x, axis), plain(x).shape

    def function(x):
        if level_of(x):
            return sum_(x, axis=axes, keepdims=keepdims)
        near = plain(x)
        return namespace_of(near).sum(near, axis=axes, keepdims=keepdims, dtype=near.dtype)

    return apply_linear(function, (x,), lambda k, bar: spread(bar, shape, axes, keepdims))


def _count(x, axes):
    return math.prod(plain(x).shape[k] for k in axes)


def mean(x, /, axis=None, dtype=None, keepdims=False):
    """The mean along axes."""
    axes = axes_of(x, axis)
    return sum_(x, axes, dtype, keepdims) / _divisor(_count(x, axes))


def _divisor(n):
    return float(n) if n > 0 else math.nan


def var(x, /, axis=None, correction=0.0, keepdims=False, *, ddof=None, dtype=None):
    """The variance along axes: the mean of squared distances from the mean."""
    if dtype is not None:
        x = astype(x, dtype, copy=False)
    axes = axes_of(x, axis)
    distance = x - mean(x, axes, keepdims=True)
    squares = distance * distance if kind_of(plain(x)) != "c" else real(distance * conj(distance))
    rest = _count(x, axes) - (correction if ddof is None else ddof)
    return sum_(squares, axes, keepdims=keepdims) / _divisor(rest)


def std(x, /, axis=None, correction=0.0, keepdims=False, *, ddof=None, dtype=None):
    """The standard deviation along axes, with derivative 0 where all elements are equal."""
    return elementwise("sqrt", var(x, axis, correction, keepdims, ddof=ddof, dtype=dtype))


def extreme(name):
    """Max or min: equal elements share the derivative equally."""

    def function(x, /, axis=None, keepdims=False):
        axes, shape = axes_of(x, axis), plain(x).shape
        near = plain(x)
        xp = namespace_of(near)
        best = getattr(xp, name)(near, axis=axes, keepdims=True)
        chosen = (near == best) | (xp.isnan(near) & xp.isnan(best))
        weights = xp.astype(chosen, near.dtype)
        weights = weights / xp.sum(weights, axis=axes, keepdims=True)

        def value(x):
            if level_of(x):
                return function(x, axis=axes, keepdims=keepdims)
            return getattr(xp, name)(plain(x), axis=axes, keepdims=keepdims)

        return apply(
            value,
            (x,),
            lambda k, t, out, x: sum_(t * weights, axes, keepdims=keepdims),
            lambda k, bar, out, x: spread(bar, shape, axes, keepdims) * weights,
            reads=False,
        )

    function.__name__ = name
    return function


max_ = extreme("max")
min_ = extreme("min")


def prod(x, /, axis=None, dtype=None, keepdims=False):
    """The product along axes, with derivatives that are exact at zeros."""
    if dtype is not None:
        x = astype(x, dtype, copy=False)
    axes = axes_of(x, axis)

    def function(x):
        if level_of(x):
            return prod(x, axis=axes, keepdims=keepdims)
        near = plain(x)
        return namespace_of(near).prod(near, axis=axes, keepdims=keepdims, dtype=near.dtype)

    return apply(
        function,
        (x,),
        lambda k, t, out, x: sum_(t * _others(x, axes), axes, keepdims=keepdims),
        lambda k, bar, out, x: times(spread(bar, plain(x).shape, axes, keepdims), conj(_others(x, axes))),
    )


def _others(x, axes):
    """For each element the product of the others along the axes."""
    shape = plain(x).shape
    last = tuple(range(len(shape) - len(axes), len(shape)))
    moved = moveaxis(x, axes, last)
    lines = reshape(moved, (*plain(moved).shape[: len(shape) - len(axes)], _count(x, axes)))
    if plain(lines).shape[-1] == 0:
        return x
    before = _shifted(cumulative_prod(lines, axis=-1), -1, 1.0)
    after = flip(_shifted(cumulative_prod(flip(lines, -1), axis=-1), -1, 1.0), -1)
    return moveaxis(reshape(before * after, plain(moved).shape), last, axes)


def _shifted(x, axis, first, by=1):
    """The elements some places before, along an axis; before the first one a number."""
    near = plain(x)
    (axis,) = axes_of(near, axis)
    shape = list(near.shape)
    by = min(by, shape[axis])
    key = (slice(None),) * axis + (slice(None, shape[axis] - by), ...)
    shape[axis] = by
    head = namespace_of(near).full(tuple(shape), first, dtype=near.dtype, device=near.device)
    return concat([head, x[key]], axis=axis)


def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    """The running sum along an axis."""
    x, axis = _line(x, axis, dtype)

    def running(x):
        if level_of(x):
            return cumulative_sum(x, axis=axis)
        return namespace_of(plain(x)).cumulative_sum(plain(x), axis=axis, dtype=plain(x).dtype)

    out = apply_linear(running, (x,), lambda k, bar: flip(cumulative_sum(flip(bar, axis), axis=axis), axis))
    return _with_first(out, axis, 0.0) if include_initial else out


def _line(x, axis, dtype):
    if dtype is not None:
        x = astype(x, dtype, copy=False)
    if axis is None:
        if len(x.shape) != 1:
            raise ValueError("an axis must be given for arrays that have other than one")
        axis = 0
    return x, axes_of(x, axis)[0]


def _with_first(x, axis, first):
    near = plain(x)
    shape = tuple(1 if k == axis else n for k, n in enumerate(near.shape))
    return concat([namespace_of(near).full(shape, first, dtype=near.dtype, device=near.device), x], axis=axis)


def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    """The running product along an axis, with derivatives that are exact at zeros."""
    x, axis = _line(x, axis, dtype)

    def running(x):
        if level_of(x):
            return cumulative_prod(x, axis=axis)
        return namespace_of(plain(x)).cumulative_prod(plain(x), axis=axis, dtype=plain(x).dtype)

    def backwards(bar, x):
        """w[i] = bar[i] + conj(x[i+1]) w[i+1]."""
        following = _shifted(flip(conj(x), axis), axis, 0.0)
        return flip(recurrence(following, flip(bar, axis), axis), axis)

    out = apply(
        running,
        (x,),
        lambda k, t, out, x: recurrence(x, times(t, _shifted(out, axis, 1.0)), axis),
        lambda k, bar, out, x: times(backwards(bar, x), conj(_shifted(out, axis, 1.0))),
    )
    return _with_first(out, axis, 1.0) if include_initial else out


def recurrence(a, b, axis):
    """y[i] = a[i] y[i-1] + b[i] along an axis, from 0 on, in log2(n) steps on whole arrays."""
    n = plain(a).shape[axis]
    by = 1
    while by < n:
        b = times(_shifted(b, axis, 0.0, by), a) + b
        a = times(_shifted(a, axis, 1.0, by), a)
        by *= 2
    return b


def sort(x, /, axis=-1, descending=False, stable=True):
    """The elements in order along an axis."""
    near = plain(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    places = namespace_of(near).argsort(plain(x), axis=axis, descending=descending, stable=stable)
    return take_along_axis(x, places, axis=axis)


def diff(x, /, axis=-1, n=1, prepend=None, append=None):
    """Differences of neighbours along an axis."""
    parts = [p for p in (prepend, x, append) if p is not None]
    if len(parts) > 1:
        x = concat(parts, axis=axis)
    (axis,) = axes_of(x, axis)
    lead = (slice(None),) * axis
    for _ in range(operator.index(n)):
        x = x[(*lead, slice(1, None), ...)] - x[(*lead, slice(None, -1), ...)]
    return x


def clip(x, /, min=None, max=None):
    """The elements within bounds; derivative 1 on the closed interval."""
    bounds = [b for b in (min, max) if b is not None]
    if not bounds:
        return elementwise("pos", x)
    out = x
    if min is not None:
        out = where(_beyond(plain(out), plain(min), operator.lt), min, out)
    if max is not None:
        out = where(_beyond(plain(out), plain(max), operator.gt), max, out)
    return out if isinstance(out, BoxedArray) else x


def _beyond(x, bound, beyond):
    """Where a bound decides: it is NaN, or elements lie beyond it."""
    return beyond(x, bound) | (bound != bound) if is_any_array(bound) else beyond(x, bound)


def _flat(running):
    """A running form as NumPy has it: over all elements where no axis is given."""

    def function(x, axis=None, dtype=None):
        flat = axis is None
        return running(reshape(x, (-1,)) if flat else x, axis=0 if flat else axis, dtype=dtype)

    return function


def functions():
    """The functions of this file, by the names that libraries have for them."""
    return {
        "sum": sum_, "mean": mean, "var": var, "std": std, "max": max_, "min": min_, "amax": max_, "amin": min_,
        "prod": prod, "cumulative_sum": cumulative_sum, "cumulative_prod": cumulative_prod,
        "cumsum": _flat(cumulative_sum), "cumprod": _flat(cumulative_prod),
        "sort": sort, "diff": diff, "clip": clip,
    }  # fmt: skip
