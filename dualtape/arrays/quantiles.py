"""Order statistics: median, quantile, percentile, and the forms of them that leave out NaN.

An order statistic is one element of an array, found by its rank. Equal elements share its derivative equally, as for
`np.max`, which is the order statistic of the last rank.
"""

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from dualtape.arrays.moves import where
from dualtape.arrays.protocol import register
from dualtape.arrays.rearranging import element, plainly
from dualtape.arrays.reductions import apply_linear_around, as_array, axes_of, sum_
from dualtape.core.array import Array
from dualtape.core.values import level_of, plain_of

__all__ = ["quantile", "rank"]

# Positions of the quantile q in n ordered numbers, from 0 on: n q + a + q (1 - a - b) - 1, with (a, b) of
# Hyndman and Fan (1996), "Sample quantiles in statistical packages", types 4 to 9.
CONTINUOUS = {
    "interpolated_inverted_cdf": (0, 1), "hazen": (0.5, 0.5), "weibull": (0, 0), "linear": (1, 1),
    "median_unbiased": (1 / 3.0, 1 / 3.0), "normal_unbiased": (3 / 8.0, 3 / 8.0),
}  # fmt: skip
# The methods that choose elements.
CHOOSING = ("inverted_cdf", "closest_observation", "lower", "higher", "nearest")


def rank(x, k):
    """The elements of rank k along the last axis; k has the shape of the other axes."""
    plain = plain_of(x)
    k = np.broadcast_to(k, plain.shape[:-1])
    chosen = np.take_along_axis(np.sort(plain, axis=-1), k[..., None], -1)
    if not level_of(x):
        return chosen[..., 0]
    equal = plain == chosen
    with np.errstate(invalid="ignore"):
        weights = np.nan_to_num(equal / equal.sum(axis=-1, keepdims=True)).astype(x.dtype)
    return apply_linear_around(
        lambda x: rank(x, k) if isinstance(x, Array) else chosen[..., 0].copy()[()],
        x,
        lambda t: sum_(t * weights, axis=-1),
        lambda bar: np.expand_dims(bar, -1) * weights if isinstance(bar, (Array, np.ndarray)) else bar * weights,
    )


def _rows(x, axis):
    """An array with the axes that are to be reduced as one last axis, and the shape with keepdims."""
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    rest = [k for k in range(x.ndim) if k not in axes]
    shape = tuple(1 if k in axes else n for k, n in enumerate(x.shape))
    moved = np.transpose(x, (*rest, *axes))
    n = int(np.prod([x.shape[k] for k in axes], dtype=np.intp))
    return np.reshape(moved, (*[x.shape[k] for k in rest], n)), shape


def _floating(a):
    x = as_array(a)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def _shaped(out, lead, shape, keepdims):
    """A result in the shape that keepdims asks for, after the axes of the quantiles."""
    return np.reshape(out, (*lead, *shape)) if keepdims and keepdims is not np._NoValue else element(out)


# --- the median --------------------------------------------------------------------------------------------------


@register(np.median)
def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    """The middle element in order, or the mean of the middle two."""
    x, shape = _rows(_floating(a), axis)
    n = x.shape[-1]
    if n == 0:
        return _shaped(np.mean(x, axis=-1), (), shape, keepdims)
    out = rank(x, n // 2) if n % 2 else _mean(rank(x, n // 2 - 1), rank(x, n // 2))
    return _shaped(_poisoned(out, x), (), shape, keepdims)


def _mean(low, high):
    return (low + high) / 2.0


def _poisoned(out, x):
    """NaN for the rows that have one."""
    bad = np.isnan(plain_of(x)).any(axis=-1)
    return where(bad, np.nan, out) if bad.any() else out


@register(np.nanmedian)
def nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=np._NoValue):
    """The median of the elements that are not NaN."""
    x, shape = _rows(_floating(a), axis)
    count = np.sum(~np.isnan(plain_of(x)), axis=-1)
    if x.shape[-1] == 0:
        return _shaped(np.nanmean(x, axis=-1), (), shape, keepdims)
    high, low = count // 2, np.maximum((count - 1) // 2, 0)
    out = _mean(rank(x, low), rank(x, high))
    out = where(count % 2 == 1, rank(x, high), out) if np.ndim(count) else rank(x, high) if count % 2 else out
    if np.any(count == 0):
        np.nanmedian(np.full(1, np.nan))  # warns as NumPy does
    return _shaped(out, (), shape, keepdims)


# --- quantiles ---------------------------------------------------------------------------------------------------


def _position(n, q, method):
    """The position of quantile q in n ordered numbers, and the weight of the element after it."""
    if method in CONTINUOUS:
        first, last = CONTINUOUS[method]
        if method == "linear":
            place = (n - 1) * q
        else:
            place = n * q + (first + q * (1 - first - last)) - 1
        plain = plain_of(place)
        below = np.floor(plain)
        return int(np.clip(below, 0, n - 1)), int(np.clip(below + 1, 0, n - 1)), place - below
    # The others choose elements or the middle of two, with exact positions.
    place = float(np.quantile(np.arange(n, dtype=float), plain_of(q), method=method))
    return int(np.floor(place)), int(np.ceil(place)), place - np.floor(place)


def _between(low, high, weight):
    """A convex combination, from the nearer end as NumPy computes it."""
    step = high - low
    return low + step * weight if plain_of(weight) < 0.5 else high - step * (1 - weight)


def _of_rows(x, q, method, weak):
    """A quantile along the last axis. A weak one leaves the dtype of the array."""
    low, high, weight = _position(x.shape[-1], q, method)
    if not level_of(weight):
        weight = float(weight) if weak else np.float64(weight)
    if low == high or (not level_of(weight) and weight == 0):
        return rank(x, low)
    return _between(rank(x, low), rank(x, high), weight)


def _quantile(a, q, axis, method, keepdims, weights, ignore_nan):
    x = _floating(a)
    if x.dtype.kind == "c":
        raise TypeError("a must be an array of real numbers")
    probe = np.ones(3, dtype=x.dtype)
    np.quantile(probe, plain_of(as_array(q)), method=method, weights=None if weights is None else probe)  # raises
    quantiles = as_array(q)
    if quantiles.ndim > 2:
        raise ValueError("q must be a scalar or 1d")
    weak = type(q) in (int, float)
    if weights is not None:
        return _weighted(x, quantiles, axis, method, keepdims, plainly(weights), ignore_nan)
    rows, shape = _rows(x, axis)
    if ignore_nan and x.size == 0:
        return np.nanmean(plain_of(x), axis=axis, keepdims=keepdims)
    if rows.shape[-1] == 0 or not quantiles.size:
        return np.quantile(plain_of(x), plain_of(quantiles), axis=axis, method=method, keepdims=keepdims)
    flat = np.reshape(quantiles, -1)
    qs = [flat[k] for k in range(flat.shape[0])] if quantiles.ndim else [element(quantiles)]
    if ignore_nan:
        outs = [_over_numbers(rows, one, method, weak) for one in qs]
    else:
        outs = [_poisoned(_of_rows(rows, one, method, weak), rows) for one in qs]
    out = _gathered(outs, quantiles)
    if not weak and method not in CHOOSING and x.dtype != np.float64:  # a quantile of float64 counts as an operand
        out = as_array(out).astype(np.result_type(x.dtype, quantiles.dtype))
    return _shaped(out, quantiles.shape, shape, keepdims)


def _over_numbers(rows, q, method, weak):
    """A quantile along the last axis of the elements that are not NaN: rows of equal counts together."""
    count = np.sum(~np.isnan(plain_of(rows)), axis=-1)
    if rows.ndim == 1:
        n = int(count)
        return _of_rows(rows[~np.isnan(plain_of(rows))], q, method, weak) if n else rank(rows, 0)
    parts, places = [], []
    for n in np.unique(count):
        chosen = np.flatnonzero(count == n)
        some = np.reshape(rows, (-1, rows.shape[-1]))[chosen]
        if n:
            order = np.argsort(np.isnan(plain_of(some)), axis=-1, kind="stable")[:, :n]
            some = np.take_along_axis(some, order, -1)
        parts.append(as_array(_of_rows(some, q, method, weak) if n else rank(some, 0)))
        places.append(chosen)
    out = np.concatenate(parts)[np.argsort(np.concatenate(places))] if parts else plain_of(rows)[..., 0]
    return np.reshape(out, count.shape)


def _weighted(x, quantiles, axis, method, keepdims, weights, ignore_nan):
    """By the inverse of the weighted distribution, which is constant between its steps: it chooses elements."""
    plain = plain_of(x)
    rows, shape = _rows(x, axis)
    if np.shape(weights) != plain.shape:
        whole = np.expand_dims(weights, [k for k in range(plain.ndim) if k not in axes_of(x, axis)])
        if np.ndim(weights) != len(axes_of(x, axis)):
            raise TypeError("1D weights expected when shapes of a and weights differ.")
        weights = np.broadcast_to(whole, plain.shape)
    measure, _ = _rows(np.asarray(weights), axis)
    data = plain_of(rows)
    order = np.argsort(data, axis=-1, kind="stable")
    ranks = np.argsort(order, axis=-1).astype(np.float64)
    ranks[np.isnan(data)] = np.nan
    function = np.nanquantile if ignore_nan else np.quantile
    chosen = function(ranks, plain_of(quantiles), axis=-1, method=method, weights=measure)
    outs = []
    for k in np.reshape(chosen, (-1, *data.shape[:-1])):
        bad = np.isnan(k)
        out = rank(rows, np.where(bad, 0, k).astype(int))
        outs.append(as_array(where(bad, np.nan, out) if bad.any() else out))
    return _shaped(_gathered(outs, quantiles), quantiles.shape, shape, keepdims)


def _gathered(outs, quantiles):
    """One result for each quantile as one array."""
    if not quantiles.ndim:
        return outs[0]
    out = np.stack([as_array(o) for o in outs])
    return np.reshape(out, (*quantiles.shape, *out.shape[1:]))


def _register_quantiles(f, ignore_nan, scale):
    def quantiles(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None):
        q = _divided(q, scale)
        return _quantile(a, q, axis, method, keepdims, weights, ignore_nan)

    quantiles.__name__ = f.__name__
    quantiles.__doc__ = f"np.{f.__name__}."
    register(f)(quantiles)
    return quantiles


def _divided(q, scale):
    """Quantiles from percentages."""
    if scale == 1:
        return q
    return q / scale if isinstance(q, (float, int)) else element(as_array(q) / scale)


quantile = _register_quantiles(np.quantile, False, 1)
_register_quantiles(np.percentile, False, 100)
_register_quantiles(np.nanquantile, True, 1)
_register_quantiles(np.nanpercentile, True, 100)
