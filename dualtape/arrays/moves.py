"""What moves elements: reading and writing by index, copies, joins, sorts, casts."""

import functools
import math
import warnings

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from dualtape.arrays.apply import apply_linear, is_array, unbroadcast
from dualtape.arrays.elementwise import _any_traced
from dualtape.core import joins, native, traced
from dualtape.core.array import Array
from dualtape.core.assign import assign
from dualtape.core.traced import Traced
from dualtape.core.values import level_of, plain_array, plain_of
from dualtape.core.view import view_by
from dualtape.errors import InputError, conversion

__all__ = [
    "array", "astype", "broadcast_to", "concatenate", "copy", "gather", "looked_at", "positions", "scatter",
    "setitem", "sort", "stack", "where",
]  # fmt: skip


@functools.lru_cache(maxsize=64)
def positions(shape):
    """The elements of a shape, numbered in C order: a read-only array."""
    out = np.arange(int(np.prod(shape, dtype=np.intp))).reshape(shape)
    out.flags.writeable = False
    return out


# --- reading -----------------------------------------------------------------------------------------------------


def gather(x, key):
    """``x[key]`` as a copy, for integer arrays and masks."""
    shape = x.shape
    return apply_linear(lambda x: _copied(x[key]), (x,), lambda bar, wanted: (scatter(bar, key, shape),))


def _copied(x):
    return x.copy("K") if isinstance(x, np.ndarray) and x.base is not None else x


def laid_out(places, like):
    """Places in memory laid out as an array of that shape is: an index of them gives a result so laid out."""
    if like.flags.c_contiguous:
        return places
    out = np.empty_like(like, dtype=np.intp, subok=False)
    out[...] = places
    return out


def scatter(x, key, shape):
    """Zeros of a shape with `x` added at an index: the transpose of `gather`."""
    return apply_linear(lambda x: _plain_scatter(x, key, shape), (x,), lambda bar, wanted: (_copied(bar[key]),))


def _plain_scatter(x, key, shape):
    if isinstance(x, (Array, Traced)):
        return scatter(x, key, shape)
    x = np.asarray(x)
    dtype = x.dtype if x.dtype.kind in "fc" else np.dtype(np.float64)
    size = math.prod(shape)
    if dtype.itemsize > (8 if dtype.kind == "f" else 16) or x.size * 8 < size:
        out = np.zeros(shape, dtype=dtype)
        np.add.at(out, key, x)
        return out
    # Sums by place, in double precision: quicker than to find out whether an element is named twice.
    places = positions(shape)[key]
    x = np.broadcast_to(x, places.shape).ravel()
    out = np.empty(size, dtype=dtype)
    out.real = np.bincount(places.ravel(), x.real, size)
    if dtype.kind == "c":
        out.imag = np.bincount(places.ravel(), x.imag, size)
    return out.reshape(shape)


def copy(x, order="C"):
    """A copy in memory of its own, its axes in an order as for ``np.copy``."""
    return apply_linear(lambda x: _plain_copy(x, order), (x,), lambda bar, wanted: (bar,))


def _plain_copy(x, order):
    if isinstance(x, (Array, Traced)):
        return copy(x, order)
    return np.array(x, order=order)


def looked_at(x, function):
    """What a function that rearranges elements makes of an array: a view where NumPy gives one, else a copy.

    Parameters
    ----------
    x : Array
    function : callable
        Takes an ndarray of any dtype.
    """
    out = view_by(x, function)
    if out is not None:
        return out
    places = function(laid_out(positions(x.shape), plain_of(x)))
    if x.ndim == 0:
        return gather(x.reshape(1), (places,))
    return gather(x, tuple(laid_out(k, places) for k in np.unravel_index(places, x.shape)))


def broadcast_to(x, shape):
    """`x` repeated to a shape, in memory of its own."""
    have = np.shape(x) if not isinstance(x, Traced) else ()
    return apply_linear(lambda x: _plain_broadcast(x, shape), (x,), lambda bar, wanted: (unbroadcast(bar, have),))


def _plain_broadcast(x, shape):
    if isinstance(x, (Array, Traced)):
        return broadcast_to(x, shape)
    return np.broadcast_to(x, shape).copy()


# --- writing -----------------------------------------------------------------------------------------------------


def setitem(a, key, value):
    """``a[key] = value`` for values of any kind."""
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.dtype == object):
        value = array(value)
    if not is_array(value) and not isinstance(value, (Traced, np.generic)):
        number = traced.to_number(value)
        if number is None:
            value = np.asarray(value)
            if value.dtype.kind not in "biufc":
                raise InputError(f"cannot store {type(value).__name__!r} in an array of {a.dtype}")
    has_level = level_of(value) != 0
    if has_level and a.dtype.kind not in "fc":
        raise conversion(
            f"storing into an array of {a.dtype}",
            "Make the array with a floating dtype: dt.zeros(n), dt.array(x, float).",
        )
    if has_level and a.dtype.kind == "f":
        plain = plain_of(value)
        if np.iscomplexobj(plain):
            warnings.warn(
                "Casting complex values to real discards the imaginary part", np.exceptions.ComplexWarning, stacklevel=3
            )
            value = value.real
    assign(a, key, value)


def put(x, indices, values, mode="raise"):
    """``x.put``: assignment to elements named by their places in C order, values repeated as often as needed."""
    places = np.take(positions(x.shape).reshape(-1), plain_of(indices), mode=mode).reshape(-1)
    values = values if is_array(values) else array(values)
    if places.size and values.size:
        setitem(x, np.unravel_index(places, x.shape) if x.ndim else (), np.resize(values, places.shape))


def partition_in_place(x, kth, axis=-1, kind="introselect", order=None):
    """``x.partition``."""
    if order is not None:
        raise ValueError("Cannot specify order when the array has no fields.")
    if axis is None:
        raise TypeError("'NoneType' object cannot be interpreted as an integer")
    plain = plain_of(x)
    parted = np.partition(plain, kth, axis, kind)
    # which element went where: those of the same rank before and after
    places = np.empty(x.shape, dtype=np.intp)
    np.put_along_axis(places, np.argsort(parted, axis, kind="stable"), np.argsort(plain, axis, kind="stable"), axis)
    setitem(x, ..., gather(x, along(places, axis)))


def pull_write(bar, shape, winners, real):
    """The adjoint of what was assigned: of elements written more than once only the last counts."""
    if winners is not None:
        bar = bar * winners
    if real and np.iscomplexobj(plain_of(bar)):
        bar = bar.real
    have = bar.shape if is_array(bar) else ()
    if len(shape) > len(have):
        bar = np.reshape(bar, (1,) * (len(shape) - len(have)) + have)
    return unbroadcast(bar, shape)


# --- making ------------------------------------------------------------------------------------------------------


def array(x, dtype=None, copy_=True):
    """An Array from anything that NumPy makes an array of, with traced values in any place."""
    if isinstance(x, Array):
        return astype(x, dtype) if dtype is not None and np.dtype(dtype) != x.dtype else copy(x, "K")
    if isinstance(x, Traced):
        if level_of(x) == 0:
            return plain_array(np.array(plain_of(x), dtype=dtype))
        out = apply_linear(_zero_dimensional, (x,), lambda bar, wanted: (bar[()],))
        return out if dtype is None else astype(out, dtype)
    if isinstance(x, np.ndarray) and x.dtype != object:
        return plain_array(x.astype(dtype or x.dtype))
    items, shape = _elements(x)
    if any(level_of(e) for e in items):
        out = joins.filled(items, shape)
        if out is None:
            out = _from_elements(items, shape)
        return out if dtype is None else astype(out, dtype)
    return plain_array(np.array([plain_of(e) for e in items], dtype=dtype).reshape(shape))


def _zero_dimensional(x):
    if isinstance(x, (Array, Traced)):
        return array(x)
    return np.array(x)


def _elements(x):
    """The numbers in nested sequences, and their shape."""
    if isinstance(x, np.ndarray) and x.dtype == object:
        inner = [_elements(e) for e in x.ravel().tolist()]
        shapes = {shape for _, shape in inner}
        if len(shapes) > 1:
            raise ValueError("setting an array element with a sequence: the shapes differ")
        return [e for items, _ in inner for e in items], x.shape + (shapes.pop() if shapes else ())
    if isinstance(x, (list, tuple)):
        inner = [_elements(e) for e in x]
        shapes = {shape for _, shape in inner}
        if len(shapes) > 1:
            raise ValueError(
                "setting an array element with a sequence. The requested array has an inhomogeneous shape: the rows "
                f"are of shapes {sorted(shapes)}"
            )
        return [e for items, _ in inner for e in items], (len(x), *(shapes.pop() if shapes else ()))
    if is_array(x):
        flat = x.ravel()
        return [flat[k] for k in range(flat.size)], x.shape
    number = traced.to_number(x)
    if number is None:
        remedy = ". Use its .to_numpy()" if hasattr(x, "to_numpy") else ""
        raise InputError(f"an array needs numbers, not {type(x).__name__!r}{remedy}")
    return [number], ()


def _from_elements(items, shape):
    def function(*values):
        if any(isinstance(v, (Array, Traced)) for v in values):
            return _from_elements([v[()] if isinstance(v, Array) and v.ndim == 0 else v for v in values], shape)
        out = np.array(values)
        return (out if out.dtype.kind in "fc" else out.astype(np.float64)).reshape(shape)

    def transpose(bar, wanted):
        flat = bar.reshape(-1)
        return [flat[k] if own else None for k, own in enumerate(wanted)]

    return apply_linear(function, items, transpose)


def concatenate(arrays, axis=0):
    """Arrays joined along an axis."""
    arrays = parts_of(arrays)
    if axis is None:
        arrays, axis = [np.ravel(x) for x in arrays], 0
    out = joins.joined(arrays, axis)
    if out is not None:
        return out
    outlines = [(x.shape, x.dtype.kind == "c") for x in arrays]

    def transpose(bar, wanted):
        parts = []
        end = 0
        place = axis % bar.ndim
        lead = (slice(None),) * place
        for (shape, is_complex), own in zip(outlines, wanted, strict=True):
            start, end = end, end + shape[place]
            part = bar[(*lead, slice(start, end))] if own else None
            parts.append(part.real if own and bar.dtype.kind == "c" and not is_complex else part)
        return parts

    return apply_linear(lambda *xs: _join(xs, axis), arrays, transpose)


def _join(xs, axis):
    for x in xs:
        if isinstance(x, (Array, Traced)):
            return concatenate(xs, axis)
    return np.concatenate(xs, axis=axis)


def parts_of(arrays):
    """What is to be joined, as arrays of some kind."""
    arrays = [np.asarray(x) if hasattr(x, "__array__") and not isinstance(x, (Array, Traced)) else x for x in arrays]
    return [x if is_array(x) and x.dtype.kind != "O" else array(x) for x in arrays]


def stack(arrays, axis=0):
    """Arrays joined along a new axis."""
    arrays = list(arrays)
    if arrays and not any(is_array(x) or isinstance(x, (list, tuple)) for x in arrays):
        normalize_axis_index(axis, 1)  # raises
        return array(arrays)
    arrays = parts_of(arrays)
    if not arrays:
        raise ValueError("need at least one array to stack")
    shape = arrays[0].shape
    if any(x.shape != shape for x in arrays):
        raise ValueError("all input arrays must have the same shape")
    key = (slice(None),) * normalize_axis_index(axis, len(shape) + 1) + (None,)
    return concatenate([x[key] for x in arrays], axis)


def where(condition, *branches):
    """Elements of one array or another; with the condition alone, the places where it holds."""
    condition = np.asarray(plain_of(condition) if isinstance(condition, (Array, Traced)) else condition)
    if not branches:
        return np.where(condition)
    if len(branches) != 2:
        raise ValueError("either both or neither of x and y should be given")
    x, y = branches = [_branch(b) for b in branches]
    if not _any_traced(x, y):
        out = np.where(condition, plain_of(x), plain_of(y))
        return plain_array(out) if isinstance(x, Array) or isinstance(y, Array) else out
    if condition.size < _FEW:
        out = native.row(traced.ROWS["where"], condition != 0, x, y)
        if out is not None:
            return out
    condition = condition.astype(bool)  # a copy: the program may write to its own
    outlines = [(np.shape(plain), np.iscomplexobj(plain)) for plain in map(plain_of, branches)]

    def transpose(bar, wanted):
        parts = []
        for k, (shape, is_complex) in enumerate(outlines):
            if not wanted[k]:
                parts.append(None)
                continue
            part = _plain_where(condition, bar, 0.0) if k == 0 else _plain_where(condition, 0.0, bar)
            if not is_complex and np.iscomplexobj(plain_of(part)):
                part = part.real
            parts.append(unbroadcast(part, shape))
        return parts

    return apply_linear(lambda x, y: _plain_where(condition, x, y), (x, y), transpose)


# Numbers for which the time of a call counts, and not that of a loop.
_FEW = 1024


def _branch(x):
    """One branch of `where` as an array or a plain number. A traced number is one of float64 for NumPy's promotion,
    unlike Python's floats.
    """
    if isinstance(x, (list, tuple)):
        return np.asarray(x)
    return array(x) if isinstance(x, Traced) or (isinstance(x, np.ndarray) and x.dtype == object) else x


def _plain_where(condition, x, y):
    if isinstance(x, (Array, Traced)) or isinstance(y, (Array, Traced)):
        return where(condition, x, y)
    return np.where(condition, x, y)


def sort(x, axis=-1, kind=None):
    """Elements in order along an axis."""
    plain = plain_of(x)
    if axis is None:
        return sort(np.ravel(x), 0, kind)
    if x.ndim == 0:
        raise np.exceptions.AxisError(axis, 0)
    order = np.argsort(plain, axis=axis, kind=kind or "stable")
    return gather(x, along(laid_out(order, plain), axis))


def along(order, axis):
    """The index that takes, along one axis, what `order` says, and leaves the others."""
    axis %= order.ndim
    key = list(np.ogrid[tuple(slice(n) for n in order.shape)])
    key[axis] = order
    return tuple(key)


def astype(x, dtype, order="K"):
    """In another dtype: differentiable between floating and complex ones, a plain array else."""
    dtype = np.dtype(dtype)
    if dtype.kind in "fc":
        dtype = dtype.newbyteorder("=")  # traced arrays are in the machine's order
    if order not in (None, "K"):
        return astype(copy(x, order), dtype)
    if dtype.kind not in "fc":
        if dtype.kind == "O":
            return np.asarray(x, dtype=object)
        return plain_of(x).astype(dtype)
    if dtype.kind == "f" and x.dtype.kind == "c":
        warnings.warn(
            "Casting complex values to real discards the imaginary part", np.exceptions.ComplexWarning, stacklevel=3
        )
        return astype(x.real, dtype)
    out = native.cast(x, dtype)
    if out is not None:
        return out
    own = x.dtype
    return apply_linear(
        lambda x: _plain_astype(x, dtype),
        (x,),
        lambda bar, wanted: (_plain_astype(bar if own.kind == "c" or bar.dtype.kind != "c" else bar.real, own),),
    )


def _plain_astype(x, dtype):
    if isinstance(x, Array):
        return astype(x, dtype)
    return np.array(x, dtype=dtype)
