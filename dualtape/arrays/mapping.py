"""Functions that call functions of their user on parts of an array, and creations that look like a traced array."""

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from dualtape.arrays import creation, moves
from dualtape.arrays.protocol import register
from dualtape.arrays.rearranging import element
from dualtape.arrays.reductions import as_array, cumprod, cumsum
from dualtape.core.array import Array
from dualtape.core.values import plain_array, plain_of

__all__ = ["apply_along_axis"]


@register(np.apply_along_axis)
def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    """What a function makes of all vectors along an axis."""
    x = as_array(arr)
    axis = normalize_axis_index(axis, x.ndim)
    lines = np.moveaxis(x, axis, -1)
    lead = lines.shape[:-1]
    if 0 in lead:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    outs = [as_array(func1d(lines[place], *args, **kwargs)) for place in np.ndindex(lead)]
    out = np.stack(outs)
    out = np.reshape(out, (*lead, *out.shape[1:]))
    for k in range(outs[0].ndim):  # the axes of the results stand where the axis was
        out = np.moveaxis(out, len(lead) + k, axis + k)
    return element(out)


@register(np.apply_over_axes)
def apply_over_axes(func, a, axes):
    """A reduction over one axis after the other, whose results keep their dimensions."""
    x = as_array(a)
    n = x.ndim
    for axis in np.atleast_1d(axes):
        axis = int(axis) + n if axis < 0 else int(axis)
        out = as_array(func(x, axis))
        if out.ndim != x.ndim:
            out = np.expand_dims(out, axis)
            if out.ndim != x.ndim:
                raise ValueError("function is not returning an array of the correct shape")
        x = out
    return x


def _cumulative(f, running, first):
    def cumulative(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
        x = np.atleast_1d(as_array(x))
        if axis is None:
            if x.ndim > 1:
                raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
            axis = 0
        out = running(x, axis, dtype)
        if not include_initial:
            return out
        shape = tuple(1 if k == axis % x.ndim else n for k, n in enumerate(out.shape))
        return np.concatenate([np.full(shape, first, dtype=out.dtype), out], axis=axis)

    cumulative.__name__ = f.__name__
    cumulative.__doc__ = f"np.{f.__name__}."
    register(f)(cumulative)


_cumulative(np.cumulative_sum, cumsum, 0)
_cumulative(np.cumulative_prod, cumprod, 1)


@register(np.astype)
def astype(x, dtype, /, *, copy=True, device=None):
    """An array in another dtype."""
    x = as_array(x)
    return moves.astype(x, dtype) if copy or np.dtype(dtype) != x.dtype else x


@register(np.einsum_path)
def einsum_path(*operands, optimize="greedy", einsum_call=False):
    """The order of contractions, which depends on shapes alone."""
    plain = [plain_of(x) if isinstance(x, Array) else x for x in operands]
    return np.einsum_path(*plain, optimize=optimize, einsum_call=einsum_call)


# --- like= -------------------------------------------------------------------------------------------------------
# With `like=` a traced array the creating functions make arrays into which traced values may be assigned.


def _making(name):
    f = getattr(np, name)

    def make(*args, **kwargs):
        return plain_array(f(*args, **kwargs), True)

    make.__name__ = name
    register(f)(make)


for _name in ("zeros", "ones", "empty", "eye", "identity", "tri", "arange"):
    _making(_name)


@register(np.full)
def full(shape, fill_value, dtype=None, order="C", *, device=None):
    """An array filled with a value, which may be traced."""
    return creation.full(shape, fill_value, dtype)


@register(np.array)
def array(object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0, ndmax=0):
    """An array from numbers, traced ones among them."""
    out = object if isinstance(object, Array) and not copy and dtype is None else moves.array(object, dtype)
    return np.reshape(out, (1,) * (ndmin - out.ndim) + out.shape) if ndmin > out.ndim else out


@register(np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.require)
def asarray(a, dtype=None, order=None, *, device=None, copy=None, requirements=None):
    """An array from numbers, traced ones among them; a traced array itself."""
    if isinstance(a, Array) and not copy and (dtype is None or np.dtype(dtype) == a.dtype):
        return a
    return moves.array(a, dtype)
