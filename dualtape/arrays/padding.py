"""np.pad in all its modes."""

import numpy as np

from dualtape.arrays import moves
from dualtape.arrays.grids import linspace
from dualtape.arrays.protocol import register
from dualtape.arrays.quantiles import median
from dualtape.arrays.rearranging import plainly, rearranged
from dualtape.arrays.reductions import as_array
from dualtape.core.values import level_of

__all__ = ["pad"]

# Modes that put elements, or zeros, in the new places.
MOVING = ("edge", "wrap", "reflect", "symmetric", "empty")
STATISTICS = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": median}


def _pairs(values, n):
    """What a keyword gives for each axis and side: one value, a pair, or a pair for each axis."""
    values = as_array(values)
    values = np.broadcast_to(values, (n, 2))
    return [(values[k, 0], values[k, 1]) for k in range(n)]


def _widths(pad_width, shape):
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(k, pad_width.get(k - len(shape), 0)) for k in range(len(shape))]
        pad_width = [(w, w) if np.ndim(w) == 0 else tuple(w) for w in pad_width]
    return [(int(a), int(b)) for a, b in _pairs(plainly(pad_width), len(shape))]


@register(np.pad)
def pad(array, pad_width, mode="constant", **kwargs):
    """An array with elements around it; constant values and end values may be traced."""
    x = as_array(array)
    widths = plainly(pad_width)
    if callable(mode):
        return _by_function(x, _widths(widths, x.shape), mode, kwargs)
    np.pad(np.zeros(x.shape, x.dtype), widths, mode, **_plain(kwargs))  # raises NumPy's errors
    if mode in MOVING and kwargs.get("reflect_type", "even") == "even":
        return rearranged(lambda x: np.pad(x, widths, "constant" if mode == "empty" else mode), (x,))
    if mode == "constant" and not level_of(as_array(kwargs.get("constant_values", 0))):
        marks = rearranged(lambda x: np.pad(x, widths), (x,))
        values = plainly(kwargs.get("constant_values", 0))
        if np.all(np.asarray(values) == 0):
            return marks
        ring = np.pad(np.zeros(x.shape, x.dtype), widths, constant_values=values)
        return marks + ring
    for axis, width in enumerate(_widths(widths, x.shape)):
        x = _along(x, axis, width, mode, kwargs)
    return x


def _plain(kwargs):
    return {name: plainly(value) for name, value in kwargs.items()}


def _along(x, axis, width, mode, kwargs):
    """An array with elements before and after it along one axis."""
    if width == (0, 0):
        return x
    y = np.moveaxis(x, axis, 0)
    before, after = width
    if mode == "constant":
        low, high = _pairs(kwargs.get("constant_values", 0), x.ndim)[axis]
        ends = [np.broadcast_to(as_array(v), (w, *y.shape[1:])) for v, w in ((low, before), (high, after))]
    elif mode == "linear_ramp":
        values = _pairs(kwargs.get("end_values", 0), x.ndim)[axis]
        ends = [_ramp(v, y[k], w) for v, k, w in zip(values, (0, -1), width, strict=True)]
        ends[1] = np.flip(ends[1], 0)
    elif mode in STATISTICS:
        lengths = kwargs.get("stat_length")
        lengths = (None, None) if lengths is None else _pairs(plainly(lengths), x.ndim)[axis]
        n = y.shape[0]
        low, high = (n if k is None else min(int(k), n) for k in lengths)
        function = STATISTICS[mode]
        ends = [
            np.broadcast_to(function(part, axis=0, keepdims=True), (w, *y.shape[1:]))
            for part, w in ((y[:low], before), (y[n - high :], after))
        ]
    else:
        y = _reflected(y, before, after, mode == "symmetric")
        return np.moveaxis(y, 0, axis)
    y = np.concatenate([_cast(ends[0], x), y, _cast(ends[1], x)])
    return np.moveaxis(y, 0, axis)


def _cast(part, x):
    part = as_array(part)
    return part if part.dtype == x.dtype else part.astype(x.dtype)


def _ramp(end, edge, width):
    return linspace(end, edge, num=width, endpoint=False)


def _reflected(y, before, after, include):
    """Reflected at the ends, point by point, as often as it takes: 2 y[0] - y[k]."""
    n = y.shape[0]
    if n == 1:
        return np.concatenate([np.repeat(y, before, 0), y, np.repeat(y, after, 0)])
    while before or after:
        have = y.shape[0]
        length = have // n * n if include else (have - 1) // (n - 1) * (n - 1)
        skip = 0 if include else 1
        if before:
            chunk = min(length, before)
            y = np.concatenate([2 * y[:1] - y[skip : skip + chunk][::-1], y])
            before -= chunk
        if after:
            chunk = min(length, after)
            last = y.shape[0] - skip
            y = np.concatenate([y, 2 * y[-1:] - y[last - chunk : last][::-1]])
            after -= chunk
    return y


def _by_function(x, widths, function, kwargs):
    """By a function that changes vectors in place, as NumPy calls it."""
    out = moves.array(np.zeros([n + a + b for n, (a, b) in zip(x.shape, widths, strict=True)], dtype=x.dtype))
    out[tuple(slice(a, a + n) for n, (a, _) in zip(x.shape, widths, strict=True))] = x
    for axis, width in enumerate(widths):
        lines = np.moveaxis(out, axis, -1)
        for place in np.ndindex(lines.shape[:-1]):
            line = lines[place]
            changed = function(line, width, axis, kwargs)
            if changed is not None:
                line[:] = changed
    return out
