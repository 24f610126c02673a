"""Reductions that leave out NaN: its places get no derivative."""

import warnings

import numpy as np

from dualtape.arrays.moves import where
from dualtape.arrays.protocol import register
from dualtape.arrays.reductions import as_array, axes_of, cumprod, cumsum, extreme, over, prod, sum_
from dualtape.core.array import Array
from dualtape.core.traced import Traced
from dualtape.core.values import plain_of

__all__ = ["nanmean", "nansum", "nanvar"]

_ABSENT = np._NoValue


def _without(a, value):
    """An array with a value in place of NaN, and the mask of its numbers."""
    x = as_array(a)
    numbers = ~np.isnan(plain_of(x))
    return (x if numbers.all() else _like(where(numbers, x, value), x)), numbers


def _like(out, x):
    return out.astype(x.dtype) if out.dtype != x.dtype else out


def _kept(keepdims):
    return keepdims is not _ABSENT and bool(keepdims)


def _and(numbers, mask):
    return numbers if mask is True or mask is _ABSENT else numbers & np.broadcast_to(plain_of(mask), numbers.shape)


@register(np.nansum)
def nansum(a, axis=None, dtype=None, out=None, keepdims=_ABSENT, initial=_ABSENT, where=_ABSENT):
    """Sum of the numbers."""
    x, _ = _without(a, 0.0)
    return sum_(x, axis, dtype, None, _kept(keepdims), initial, where)


@register(np.nanprod)
def nanprod(a, axis=None, dtype=None, out=None, keepdims=_ABSENT, initial=_ABSENT, where=_ABSENT):
    """Product of the numbers."""
    x, _ = _without(a, 1.0)
    return prod(x, axis, dtype, None, _kept(keepdims), initial, where)


@register(np.nancumsum)
def nancumsum(a, axis=None, dtype=None, out=None):
    """Sums of the numbers up to each place."""
    return cumsum(_without(a, 0.0)[0], axis, dtype)


@register(np.nancumprod)
def nancumprod(a, axis=None, dtype=None, out=None):
    """Products of the numbers up to each place."""
    return cumprod(_without(a, 1.0)[0], axis, dtype)


@register(np.nanmean)
def nanmean(a, axis=None, dtype=None, out=None, keepdims=_ABSENT, *, where=_ABSENT):
    """Mean of the numbers."""
    x, numbers = _without(a, 0.0)
    axes, keep = axes_of(x, axis), _kept(keepdims)
    count = np.sum(_and(numbers, where), axis=axes, keepdims=keep)
    total = sum_(x, axes, dtype, None, keep, 0, where)
    return _quotient(total, count, "Mean of empty slice")


def _quotient(total, count, warning):
    """A sum over a count, NaN where nothing was counted."""
    if np.any(count <= 0):
        warnings.warn(warning, RuntimeWarning, stacklevel=4)
        count = np.where(count <= 0, np.nan, count)[()]
    if isinstance(total, (Array, np.ndarray, np.generic)):
        count = np.asarray(count).astype(total.real.dtype)[()]
    return over(total, count)


@register(np.nanvar)
def nanvar(a, axis=None, dtype=None, out=None, ddof=0, keepdims=_ABSENT, *, where=_ABSENT, mean=_ABSENT,
           correction=_ABSENT):  # fmt: skip
    """Variance of the numbers."""
    x, numbers = _without(a, 0.0)
    mask = _and(numbers, where)
    axes, keep = axes_of(x, axis), _kept(keepdims)
    real = x.real.dtype
    if mean is _ABSENT:
        whole = np.sum(mask, axis=axes, keepdims=True)
        mean = sum_(x, axes, dtype, None, True, 0, where) / np.maximum(whole, 1).astype(real)
    distance = _masked(numbers, x - mean)
    squares = distance * distance if x.dtype.kind != "c" else (distance * np.conjugate(distance)).real
    freedom = np.sum(mask, axis=axes, keepdims=keep) - (ddof if correction is _ABSENT else correction)
    total = sum_(squares, axes, dtype, None, keep, 0, where)
    return _quotient(total, freedom, "Degrees of freedom <= 0 for slice.")


def _masked(mask, x):
    return where(mask, x, 0.0)


@register(np.nanstd)
def nanstd(a, axis=None, dtype=None, out=None, ddof=0, keepdims=_ABSENT, *, where=_ABSENT, mean=_ABSENT,
           correction=_ABSENT):  # fmt: skip
    """Standard deviation of the numbers, with derivative 0 where all are equal."""
    return np.sqrt(nanvar(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction))


def _nan_extreme(name, limit):
    reduction = extreme(name)

    def nan_extreme(a, axis=None, out=None, keepdims=_ABSENT, initial=_ABSENT, where=_ABSENT):
        x, numbers = _without(a, limit)
        keep = _kept(keepdims)
        if where is not _ABSENT and where is not True and initial is _ABSENT:
            raise ValueError(f"np.nan{name} with where= needs initial=")
        result = reduction(x, axis, None, keep, initial, True if where is _ABSENT else where, eligible=numbers)
        axes = axes_of(x, axis)
        nothing = ~np.any(numbers, axis=axes, keepdims=keep)
        if not np.any(nothing) or initial is not _ABSENT:
            return result
        warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=3)
        return _nan_where(nothing, result)

    nan_extreme.__name__ = f"nan{name}"
    nan_extreme.__doc__ = f"np.nan{name}: equal elements share the derivative equally."
    return nan_extreme


def _nan_where(mask, x):
    out = where(mask, np.nan, x)
    return out if isinstance(x, (Traced, float)) or out.dtype == x.dtype else out.astype(x.dtype)


register(np.nanmax)(_nan_extreme("max", -np.inf))
register(np.nanmin)(_nan_extreme("min", np.inf))
