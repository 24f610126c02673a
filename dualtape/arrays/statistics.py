"""Averages, covariances, and counts."""

import operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from dualtape.arrays.moves import scatter
from dualtape.arrays.protocol import register
from dualtape.arrays.rearranging import element, plainly
from dualtape.arrays.reductions import as_array, sum_
from dualtape.core.array import Array
from dualtape.core.values import level_of, plain_of

__all__ = ["average", "cov"]


@register(np.average)
def average(a, axis=None, weights=None, returned=False, *, keepdims=np._NoValue):
    """The weighted mean; weights may be traced."""
    x = as_array(a)
    keep = keepdims is not np._NoValue and bool(keepdims)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    axis = None if axis is None else axes
    if weights is None:
        mean = np.mean(x, axis=axis, keepdims=keep)
        if not returned:
            return mean
        n = int(np.prod([x.shape[k] for k in axes], dtype=np.intp))
        plain = plain_of(mean)
        return mean, np.full(np.shape(plain), n, dtype=np.asarray(plain).dtype)[()]
    w = as_array(weights)
    if w.shape != x.shape:
        if axis is None:
            raise TypeError("Axis must be specified when shapes of a and weights differ.")
        if w.shape != tuple(x.shape[k] for k in axes):
            raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
        w = np.transpose(w, np.argsort(axes))
        w = np.reshape(w, tuple(n if k in axes else 1 for k, n in enumerate(x.shape)))
    dtype = np.result_type(x.dtype, w.dtype, *(["f8"] if x.dtype.kind in "iub" else []))
    whole = np.broadcast_to(w, x.shape) if w.shape != x.shape else w
    scale = sum_(whole.astype(dtype), axis, keepdims=keep)
    if np.any(plain_of(scale) == 0.0):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    mean = sum_(np.multiply(x.astype(dtype), w.astype(dtype)), axis, keepdims=keep) / scale
    if not returned:
        return mean
    return mean, scale


@register(np.cov)
def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    """The matrix of covariances."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    m = as_array(m)
    others = [] if y is None else [as_array(y)]
    for name, part in zip("my", (m, *others), strict=False):
        if part.ndim > 2:
            raise ValueError(f"{name} has more than 2 dimensions")
    dtype = np.result_type(m.dtype, *[o.dtype for o in others], np.float64) if dtype is None else dtype
    x = np.atleast_2d(m).astype(dtype)
    if not rowvar and m.ndim != 1:
        x = x.T
    if x.shape[0] == 0:
        return np.zeros((0, 0))
    if others:
        z = np.atleast_2d(others[0]).astype(dtype)
        x = np.concatenate((x, z.T if not rowvar and z.shape[0] != 1 else z), axis=0)
    ddof = (0 if bias else 1) if ddof is None else ddof
    w = _weights(fweights, aweights, x.shape[1])
    if w is None:
        center, factor = np.mean(x, axis=1), x.shape[1] - ddof
    else:
        center, total = average(x, axis=1, weights=w), sum_(w)
        factor = total - ddof * (1.0 if aweights is None else sum_(w * as_array(aweights)) / total) if ddof else total
    if plain_of(factor) <= 0:
        np.cov(np.zeros((1, 1)), ddof=1)  # warns as NumPy does
        factor = 0.0
    x = x - np.expand_dims(center, 1)
    weighted = x if w is None else x * w
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1.0 / factor if level_of(factor) else float(np.true_divide(1, factor))
        right = np.conjugate(weighted.T) if x.dtype.kind == "c" else weighted.T
        return element(np.squeeze(np.dot(x, right) * scale))


def _weights(fweights, aweights, n):
    """The product of frequencies and weights."""
    w = None
    for name, part in (("fweights", fweights), ("aweights", aweights)):
        if part is None:
            continue
        part = as_array(part).astype(float)
        plain = plain_of(part)
        if name == "fweights" and not np.all(plain == np.around(plain)):
            raise TypeError("fweights must be integer")
        if part.ndim > 1:
            raise RuntimeError(f"cannot handle multidimensional {name}")
        if part.shape[0] != n:
            raise RuntimeError(f"incompatible numbers of samples and {name}")
        if np.any(plain < 0):
            raise ValueError(f"{name} cannot be negative")
        w = part if w is None else w * part
    return w


@register(np.corrcoef)
def corrcoef(x, y=None, rowvar=True, *, dtype=None):
    """The matrix of correlations."""
    c = cov(x, y, rowvar, dtype=dtype)
    if np.ndim(c) == 0:
        return c / c
    deviation = np.sqrt(np.diagonal(c).real)
    c = c / np.expand_dims(deviation, 1) / np.expand_dims(deviation, 0)
    if c.dtype.kind == "c":
        return np.clip(c.real, -1, 1) + 1j * np.clip(c.imag, -1, 1)
    return np.clip(c, -1, 1)


# --- counts ------------------------------------------------------------------------------------------------------
# Counts are constant. The edges of bins follow the extremes of the data, densities follow the edges, and sums of
# weights the weights.


@register(np.bincount)
def bincount(x, /, weights=None, minlength=0):
    """Numbers of occurrences, or sums of weights."""
    places = plainly(x)
    if weights is None or not level_of(as_array(weights)):
        return np.bincount(places, plainly(weights), minlength)
    w = as_array(weights)
    counts = np.bincount(places, plain_of(w), minlength)  # raises NumPy's errors
    w = w.astype(np.float64)
    return scatter(w, (np.asarray(places, dtype=np.intp),), counts.shape)


def _edges(a, bins, range):
    """The edges of bins: given, or evenly between the extremes."""
    if np.ndim(plain_of(bins) if isinstance(bins, Array) else bins) == 1:
        return as_array(bins)
    x = np.ravel(as_array(a))
    plain = np.histogram_bin_edges(plain_of(x), plainly(bins), plainly(range))
    if range is not None:
        low, high = range
    elif x.size == 0:
        return plain
    else:
        low, high = np.min(x), np.max(x)
    if plain_of(low) == plain_of(high):
        low, high = low - 0.5, high + 0.5
    if not level_of(low) and not level_of(high):
        return plain
    return np.linspace(low, high, len(plain)).astype(plain.dtype)


@register(np.histogram_bin_edges)
def histogram_bin_edges(a, bins=10, range=None, weights=None):
    """The edges of bins, which follow the extremes of the data."""
    return _edges(a, bins, range)


@register(np.histogram)
def histogram(a, bins=10, range=None, density=None, weights=None):
    """Counts and edges."""
    edges = _edges(a, bins, range)
    counts = _sums(np.reshape(plainly(as_array(a)), (-1, 1)), [plain_of(edges)], weights)
    if density:
        counts = counts / np.diff(edges) / sum_(as_array(counts))
    return counts, edges


def _sums(sample, edges, weights):
    """Counts, or sums of weights, in the bins of n dimensions."""
    shape = tuple(len(e) - 1 for e in edges)
    inside, places = np.ones(len(sample), dtype=bool), []
    for column, e in zip(sample.T, edges, strict=True):
        if np.any(e[:-1] > e[1:]):
            raise ValueError("`bins` must increase monotonically, when an array")
        place = np.searchsorted(e, column, side="right") - 1
        place[column == e[-1]] -= 1
        inside &= (place >= 0) & (place < len(e) - 1)
        places.append(place)
    key = tuple(place[inside] for place in places)
    if weights is None:
        out = np.zeros(shape, dtype=np.intp)
        np.add.at(out, key, 1)
        return out
    w = np.ravel(as_array(weights))
    if w.shape[0] != len(sample):
        raise ValueError("weights should have the same shape as a.")
    # as NumPy, which sums in double precision
    wide = np.result_type(w.dtype, np.float64)
    out = scatter(w[inside].astype(wide), key, shape)
    return out.astype(w.dtype) if w.dtype.kind in "fc" and w.dtype != wide else out


@register(np.histogramdd)
def histogramdd(sample, bins=10, range=None, density=None, weights=None):
    """Counts in several dimensions, and edges."""
    if not isinstance(sample, (Array, np.ndarray)):
        sample = np.stack([as_array(column) for column in sample], axis=1)
    sample = sample if sample.ndim == 2 else np.atleast_2d(sample).T
    dimensions = sample.shape[1]
    try:
        if len(bins) != dimensions:
            raise ValueError("The dimension of bins must be equal to the dimension of the sample x.")
    except TypeError:
        bins = dimensions * [operator.index(bins)]
    if range is None:
        range = (None,) * dimensions
    edges = [_edges(sample[:, k], bins[k], range[k]) for k in np.arange(dimensions)]
    counts = _sums(plain_of(sample), [plain_of(e) for e in edges], weights)
    counts = counts.astype(float)
    if density:
        total = sum_(counts)
        for k, e in enumerate(edges):
            widths = np.diff(e)
            counts = counts / np.reshape(widths, [-1 if j == k else 1 for j in np.arange(dimensions)])
        counts = counts / total
    return counts, tuple(edges)


@register(np.histogram2d)
def histogram2d(x, y, bins=10, range=None, density=None, weights=None):
    """Counts in two dimensions, and edges."""
    try:
        n = len(bins)
    except TypeError:
        n = 1
    if n not in (1, 2):
        bins = [as_array(bins)] * 2
    counts, edges = histogramdd([x, y], bins, range, density, weights)
    return counts, edges[0], edges[1]
