"""Sequences between given ends, values between given points, and differences of neighbours."""

import operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from dualtape.arrays.moves import where
from dualtape.arrays.protocol import register
from dualtape.arrays.rearranging import element, fetch, plain_operand, plainly
from dualtape.arrays.reductions import as_array, sum_
from dualtape.core.traced import Traced
from dualtape.core.values import level_of, plain_of

__all__ = ["gradient", "interp", "linspace"]


# --- sequences ---------------------------------------------------------------------------------------------------


@register(np.linspace)
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None):
    """Evenly spaced numbers; the ends may be traced."""
    num = operator.index(num)
    ends = plain_operand(start), plain_operand(stop)
    plain = np.linspace(*ends, num, endpoint, False, dtype, axis)  # raises NumPy's errors
    kind = np.linspace(*ends, 0).dtype
    first, last = (x if x.dtype == kind else x.astype(kind) for x in (as_array(start), as_array(stop)))
    delta = last - first
    steps = num - 1 if endpoint else num
    step = delta / steps if steps > 0 else np.nan
    if plain.dtype.kind not in "fc":
        return (plain, step) if retstep else plain
    k = np.reshape(np.arange(num, dtype=kind), (-1,) + (1,) * np.ndim(delta))
    if steps <= 0:
        y = k * delta
    elif np.any(plain_of(step) == 0):
        y = k / steps * delta
    else:
        y = k * step
    y = y + first
    if endpoint and num > 1:
        y = np.concatenate([y[:-1], np.expand_dims(np.broadcast_to(last, np.shape(delta)), 0)])
    y = np.moveaxis(y, 0, axis) if axis != 0 else y
    y = y.astype(plain.dtype) if y.dtype != plain.dtype else y
    return (y, element(step)) if retstep else y


@register(np.logspace)
def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    """Numbers whose logarithms are evenly spaced; the ends and the base may be traced."""
    base = as_array(base) if isinstance(base, (list, tuple)) else base
    if np.ndim(plain_of(base)):
        parts = [as_array(x) for x in (start, stop, base)]
        n = max(x.ndim for x in parts)
        start, stop, base = (np.reshape(x, (1,) * (n - x.ndim) + x.shape) for x in parts)
        base = np.expand_dims(base, axis)
    y = np.power(base, np.linspace(start, stop, num=num, endpoint=endpoint, axis=axis))
    return y if dtype is None else y.astype(dtype)


@register(np.geomspace)
def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """Numbers with a constant ratio; the ends may be traced."""
    first, last = as_array(start), as_array(stop)
    plain = np.geomspace(plain_operand(start), plain_operand(stop), num, endpoint, dtype, axis)  # raises NumPy's errors
    kind = np.result_type(first.dtype, last.dtype, float(num), np.zeros((), dtype))
    first, last = first.astype(kind), last.astype(kind)
    sign = np.sign(plain_of(first))  # it cancels: constant also where it is complex
    low, high = first / sign, last / sign
    y = np.power(10.0, np.linspace(np.log10(low), np.log10(high), num=num, endpoint=endpoint))
    if num > 0:
        shape = (1, *y.shape[1:])
        ends = [np.broadcast_to(low, shape)]
        if num > 1 and endpoint:
            ends += [y[1:-1], np.broadcast_to(high, shape)]
        else:
            ends += [y[1:]]
        y = np.concatenate(ends)
    y = y * sign
    y = np.moveaxis(y, 0, axis) if axis != 0 else y
    return y.astype(plain.dtype) if y.dtype != plain.dtype else y


# --- interpolation -----------------------------------------------------------------------------------------------


@register(np.interp)
def interp(x, xp, fp, left=None, right=None, period=None):
    """Values between given points; all operands may be traced. At a point the slope is that of the interval after it,
    at the last point that of the last interval.
    """
    scalar = np.ndim(plain_of(x) if not isinstance(x, (list, tuple)) else plainly(x)) == 0
    x, xp, fp = (as_array(a) for a in (x, xp, fp))
    x, xp = (a.astype(np.float64) if a.dtype != np.float64 else a for a in (x, xp))
    fp = fp.astype(np.complex128 if fp.dtype.kind == "c" else np.float64)
    options = {"left": plainly(left), "right": plainly(right), "period": plainly(period)}
    np.interp(plain_of(x), plain_of(xp), plain_of(fp), **options)  # raises NumPy's errors
    if period is not None:
        period = abs(period)
        x, xp = x % period, xp % period
        order = np.argsort(plain_of(xp))
        xp, fp = fetch(xp, order), fetch(fp, order)
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
        left = right = None
    n = xp.shape[0]
    grid, at = plain_of(xp), plain_of(x)
    base = np.clip(np.searchsorted(grid, at, side="right") - 1, 0, n - 1)
    out = fetch(fp, base)
    if n > 1:
        interval = np.minimum(base, n - 2)
        slopes = np.diff(fp) / np.diff(xp)
        out = fetch(slopes, interval) * (x - fetch(xp, base)) + out
    low, high = at < grid[0], at > grid[-1]
    if low.any():
        out = where(low, fp[0] if left is None else left, out)
    if high.any():
        out = where(high, fp[-1] if right is None else right, out)
    if np.isnan(at).any():
        out = where(np.isnan(at), np.nan, out)
    return element(out) if scalar else out


# --- differences -------------------------------------------------------------------------------------------------


@register(np.diff)
def diff(a, n=1, axis=-1, prepend=np._NoValue, append=np._NoValue):
    """Differences of neighbours."""
    x = as_array(a)
    if n == 0:
        return a
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    if x.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = normalize_axis_index(axis, x.ndim)
    ends = [None if part is np._NoValue else as_array(part) for part in (prepend, append)]
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    ends = [[] if p is None else [np.broadcast_to(p, shape) if p.ndim == 0 else p] for p in ends]
    if ends[0] or ends[1]:
        x = np.concatenate([*ends[0], x, *ends[1]], axis)
    x = np.moveaxis(x, axis, -1)
    for _ in range(n):
        x = x[..., 1:] - x[..., :-1]
    return np.moveaxis(x, -1, axis)


@register(np.ediff1d)
def ediff1d(ary, to_end=None, to_begin=None):
    """Differences of consecutive elements, between given ends."""
    x = np.ravel(as_array(ary))
    parts = [x[1:] - x[:-1] if x.shape[0] else x]
    for place, end in ((0, to_begin), (2, to_end)):
        if end is not None:
            end = np.ravel(as_array(end))
            if not np.can_cast(end.dtype, x.dtype, casting="same_kind"):
                name = "to_begin" if place == 0 else "to_end"
                raise TypeError(f"dtype of `{name}` must be compatible with input `ary` under the `same_kind` rule.")
            parts.insert(place, end.astype(x.dtype))
    return np.concatenate(parts)


@register(np.trapezoid)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """The integral of a sequence by the trapezoidal rule; the points may be traced."""
    y = as_array(y)
    if x is None:
        d = as_array(dx) if isinstance(dx, (list, tuple)) else dx
    else:
        d = np.diff(as_array(x)) if np.ndim(plainly(x)) == 1 else np.diff(as_array(x), axis=axis)
        if d.ndim == 1:
            d = np.reshape(d, [-1 if k == axis % y.ndim else 1 for k in range(y.ndim)])
    y = np.moveaxis(y, axis, -1)
    if np.ndim(plain_of(d)) == y.ndim and y.ndim:
        d = np.moveaxis(d, axis, -1)
    return sum_(d * (y[..., 1:] + y[..., :-1]) / 2.0, axis=-1)


@register(np.unwrap)
def unwrap(p, discont=None, axis=-1, *, period=2 * np.pi):
    """Jumps of more than half a period taken out. They are constant, or multiples of a traced period."""
    x = as_array(p)
    plain, length = plain_of(x), plain_of(period)
    if plain.dtype.kind not in "fc":
        x = x.astype(np.float64)
    moved = np.moveaxis(plain, axis, -1)
    step = np.diff(moved)
    half = length / 2
    inside = np.mod(step + half, length) - half
    np.copyto(inside, half, where=(inside == -half) & (step > 0))
    correction = inside - step
    np.copyto(correction, 0, where=abs(step) < (half if discont is None else plain_of(discont)))
    if level_of(period):
        correction = np.rint(correction / length)
    jumps = np.cumsum(correction, axis=-1)
    if level_of(period):
        jumps = jumps * period
    y = np.moveaxis(x, axis, -1)
    return np.moveaxis(np.concatenate([y[..., :1], y[..., 1:] + jumps], axis=-1), -1, axis)


def _spacings(f, varargs, axes):
    """For each axis the distance of its points, or the distances."""
    if not varargs:
        return [1.0] * len(axes)
    if len(varargs) == 1 and np.ndim(plainly(varargs[0])) == 0:
        return list(varargs) * len(axes)
    if len(varargs) != len(axes):
        raise TypeError("invalid number of arguments")
    out = []
    for points, axis in zip(varargs, axes, strict=True):
        if isinstance(points, Traced) or np.ndim(plainly(points)) == 0:
            out.append(points)
            continue
        points = as_array(points)
        if points.ndim != 1:
            raise ValueError("distances must be either scalars or 1d")
        if len(points) != f.shape[axis]:
            raise ValueError("when 1d, distances must match the length of the corresponding dimension")
        steps = np.diff(points if points.dtype.kind in "fc" else points.astype(np.float64))
        # Traced points keep their own distances: equal ones need not stay equal.
        out.append(steps[0] if not level_of(steps) and (steps == steps[0]).all() else steps)
    return out


@register(np.gradient)
def gradient(f, *varargs, axis=None, edge_order=1):
    """Differences of second order inside, of first or second order at the ends; the points may be traced."""
    f = as_array(f)
    f = f if f.dtype.kind in "fc" else f.astype(np.float64)
    axes = tuple(range(f.ndim)) if axis is None else normalize_axis_tuple(axis, f.ndim)
    spacings = _spacings(f, varargs, axes)
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    outs = []
    for k, d in zip(axes, spacings, strict=True):
        if f.shape[k] < edge_order + 1:
            raise ValueError(
                "Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are "
                "required."
            )
        y = np.moveaxis(f, k, -1)
        uniform = np.ndim(plain_of(d)) == 0
        inside = _inside(y, d, uniform)
        ends = (_ends_1 if edge_order == 1 else _ends_2)(y, d, uniform)
        row = np.concatenate([np.expand_dims(ends[0], -1), inside, np.expand_dims(ends[1], -1)], axis=-1)
        row = np.moveaxis(row, -1, k)
        outs.append(row.astype(f.dtype) if row.dtype != f.dtype else row)
    return outs[0] if len(axes) == 1 else tuple(outs)


def _inside(y, d, uniform):
    if uniform:
        return (y[..., 2:] - y[..., :-2]) / (2.0 * d)
    h, g = d[:-1], d[1:]
    a, b, c = -g / (h * (h + g)), (g - h) / (h * g), h / (g * (h + g))
    return a * y[..., :-2] + b * y[..., 1:-1] + c * y[..., 2:]


def _ends_1(y, d, uniform):
    first, last = (d, d) if uniform else (d[0], d[-1])
    return (y[..., 1] - y[..., 0]) / first, (y[..., -1] - y[..., -2]) / last


def _ends_2(y, d, uniform):
    if uniform:
        left, right = (-1.5 / d, 2.0 / d, -0.5 / d), (0.5 / d, -2.0 / d, 1.5 / d)
    else:
        h, g = d[0], d[1]
        left = -(2.0 * h + g) / (h * (h + g)), (h + g) / (h * g), -h / (g * (h + g))
        h, g = d[-2], d[-1]
        right = g / (h * (h + g)), -(g + h) / (h * g), (2.0 * g + h) / (g * (h + g))
    a, b, c = left
    p, q, r = right
    return (
        a * y[..., 0] + b * y[..., 1] + c * y[..., 2],
        p * y[..., -3] + q * y[..., -2] + r * y[..., -1],
    )
