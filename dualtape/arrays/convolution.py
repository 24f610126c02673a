"""Convolution and correlation of sequences, and further products of arrays."""

import warnings

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from dualtape.arrays.apply import apply
from dualtape.arrays.products import _conjugated, _real_like
from dualtape.arrays.protocol import register
from dualtape.arrays.reductions import as_array
from dualtape.core.array import Array

__all__ = ["convolve", "cross", "kron"]


def _full(a, v):
    """The full convolution of two vectors, which is bilinear."""

    def vjp(k, bar, out, a, v):
        own, other = (a, v) if k == 0 else (v, a)
        return _real_like(_valid(bar, _conjugated(other)[::-1]), own)

    return _bilinear(_full, "full", (a, v), vjp)


def _valid(a, v):
    """What of a convolution needs no numbers beyond the ends of `a`, which is no shorter than `v`."""

    def vjp(k, bar, out, a, v):
        if k == 0:
            return _real_like(_full(bar, _conjugated(v)[::-1]), a)
        # The longer one comes first.
        x, y = _conjugated(a), bar[::-1]
        return _real_like(_valid(x, y)[::-1], v)

    return _bilinear(_valid, "valid", (a, v), vjp)


def _bilinear(function, mode, operands, vjp):
    def value(a, v):
        return function(a, v) if isinstance(a, Array) or isinstance(v, Array) else np.convolve(a, v, mode)

    return apply(
        value,
        operands,
        lambda k, t, out, a, v: value(t, v) if k == 0 else value(a, t),
        vjp,
        reads=("args",),
    )


def _vectors(a, v):
    for x in (a, v):
        if x.ndim != 1:
            raise ValueError(f"object {'of too small depth' if x.ndim == 0 else 'too deep'} for desired array")
    return a, v


_MODES = {"full": "full", "same": "same", "valid": "valid", 0: "valid", 1: "same", 2: "full"}


def _mode(mode):
    """The name of a mode, which NumPy also takes as a number."""
    if mode not in _MODES:
        np.convolve([1.0], [1.0], mode)  # raises NumPy's error
        raise ValueError(f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})")
    return _MODES[mode]


def _part(a, v, mode, start):
    """The part of a convolution that a mode asks for; "same" begins at `start` of the full one."""
    if mode == "valid":
        return _valid(a, v) if a.shape[0] >= v.shape[0] else _valid(v, a)
    full = _full(a, v)
    return full if mode == "full" else full[start : start + max(a.shape[0], v.shape[0])]


@register(np.convolve)
def convolve(a, v, mode="full"):
    """The convolution of two sequences."""
    a, v = _vectors(np.atleast_1d(as_array(a)), np.atleast_1d(as_array(v)))
    n, m = a.shape[0], v.shape[0]
    if n == 0 or m == 0:
        raise ValueError(f"{'a' if n == 0 else 'v'} cannot be empty")
    short = min(n, m)
    return _part(a, v, _mode(mode), short - 1 - short // 2)


@register(np.correlate)
def correlate(a, v, mode="valid"):
    """The correlation of two sequences: the convolution with the second one reversed and conjugated."""
    a, v = _vectors(as_array(a), as_array(v))
    n, m = a.shape[0], v.shape[0]
    if n == 0 or m == 0:
        raise ValueError("first array argument cannot be empty" if n == 0 else "second argument cannot be empty")
    short = min(n, m)
    if n >= m:
        return _part(a, _conjugated(v)[::-1], _mode(mode), short - 1 - short // 2)
    # NumPy puts the longer one first, and turns the result round.
    return _part(_conjugated(v), a[::-1], _mode(mode), short - 1 - short // 2)[::-1]


@register(np.kron)
def kron(a, b):
    """The product of all elements with all, by blocks."""
    x, y = as_array(a), as_array(b)
    if x.ndim == 0 or y.ndim == 0:
        return x * y
    n = max(x.ndim, y.ndim)
    left = (1,) * (n - x.ndim) + x.shape
    right = (1,) * (n - y.ndim) + y.shape
    x = np.reshape(x, [k for pair in zip(left, (1,) * n, strict=True) for k in pair])
    y = np.reshape(y, [k for pair in zip((1,) * n, right, strict=True) for k in pair])
    return np.reshape(x * y, [p * q for p, q in zip(left, right, strict=True)])


@register(np.cross)
def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """The vector product of vectors along an axis."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = as_array(a), as_array(b)
    if x.ndim < 1 or y.ndim < 1:
        raise ValueError("At least one array has zero dimension")
    x = np.moveaxis(x, normalize_axis_index(axisa, x.ndim, "axisa"), -1)
    y = np.moveaxis(y, normalize_axis_index(axisb, y.ndim, "axisb"), -1)
    sizes = (x.shape[-1], y.shape[-1])
    if not set(sizes) <= {2, 3}:
        raise ValueError("incompatible dimensions for cross product\n(dimension must be 2 or 3)")
    if 2 in sizes:
        warnings.warn(
            "Arrays of 2-dimensional vectors are deprecated. Use arrays of 3-dimensional vectors instead. (deprecated "
            "in NumPy 2.0)", DeprecationWarning, stacklevel=3,
        )  # fmt: skip
    last = x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
    if sizes == (2, 2):
        return last
    if 2 not in sizes:
        parts = [x[..., 1] * y[..., 2] - x[..., 2] * y[..., 1], x[..., 2] * y[..., 0] - x[..., 0] * y[..., 2], last]
    elif sizes[0] == 2:
        parts = [x[..., 1] * y[..., 2], -(x[..., 0] * y[..., 2]), last]
    else:
        parts = [-(x[..., 2] * y[..., 1]), x[..., 2] * y[..., 0], last]
    out = np.stack([as_array(p) for p in parts], axis=-1)
    return np.moveaxis(out, -1, normalize_axis_index(axisc, out.ndim, "axisc"))
