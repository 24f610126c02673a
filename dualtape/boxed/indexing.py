"""Reading and writing parts of arrays of other libraries."""

import numpy as np

from dualtape.boxed.apply import apply_linear, array_of, unbroadcast
from dualtape.boxed.array import BoxedArray, is_any_array, is_host_array, level_of, look, plain
from dualtape.boxed.backends import backend_of, copied, is_foreign, kind_of, mixed, namespace_of
from dualtape.boxed.elementwise import where
from dualtape.boxed.shape import astype, axes_of, copy, read_only, reshape
from dualtape.core.traced import Traced
from dualtape.errors import ConversionError, user_line

__all__ = ["assigned", "getitem", "setitem", "take", "take_along_axis"]


def key_of(key, near):
    """An index free of traced values."""
    if isinstance(key, tuple):
        return tuple(key_of(k, near) for k in key)
    if isinstance(key, (BoxedArray, Traced)):
        if level_of(key) == 0:
            return plain(key)  # which nothing writes to: an assignment makes a new array
        raise IndexError(
            "a traced value is no index: indices are integers, slices and boolean masks. Use int(x), or "
            "dt.stop_gradient(x), where its value decides."
        )
    if is_host_array(key):
        raise mixed(key, near)
    if isinstance(key, list):
        return namespace_of(near).asarray(key, device=near.device)
    if is_foreign(key):
        return copied(key)
    return key


def is_basic(key):
    """Whether an index names a view: integers, slices, None and Ellipsis."""
    return all(isinstance(k, (int, slice)) or k is None or k is Ellipsis for k in _parts(key))


def _parts(key):
    return key if isinstance(key, tuple) else (key,)


def names_twice(key):
    """Whether an index may name an element more than once: by arrays of integers."""
    return any(is_any_array(k) and kind_of(k) in "iu" for k in _parts(key))


def getitem(x, key):
    """``x[key]``: a view where the index is basic."""
    near = plain(x)
    key = key_of(key, near)
    shape = near.shape
    if is_basic(key) and any(k is None for k in _parts(key)):
        new = np.broadcast_to(np.empty(()), shape)[key].shape
        key = tuple(k for k in _parts(key) if k is not None)
        return reshape(getitem(x, key if any(k is Ellipsis for k in key) else (*key, ...)), new)

    def get(x):
        return apply_linear(
            lambda x: getitem(x, key) if level_of(x) else plain(x)[key], (x,), lambda k, bar: spread(bar, key, shape)
        )

    if isinstance(x, BoxedArray) and is_basic(key):
        return look(x, get, lambda parent, new: assigned(parent, key, new))
    return get(x)


def spread(x, key, shape, read=getitem):
    """Zeros of a shape with `x` added at an index: the transpose of reading, ``read(whole, key)``."""

    def function(x):
        if level_of(x):
            return spread(x, key, shape, read)
        x = plain(x)
        if names_twice(key):
            return backend_of(x).scatter(x, key, shape)
        return backend_of(x).written(namespace_of(x).zeros(shape, dtype=x.dtype, device=x.device), key, x)

    return apply_linear(function, (x,), lambda k, bar: read(bar, key))


def assigned(x, key, value):
    """`x` with other elements at an index: a new array."""
    near = plain(x)
    xp = namespace_of(near)
    if not is_any_array(value):
        if isinstance(value, (list, tuple)):
            value = xp.asarray(value, dtype=near.dtype, device=near.device)
        value = array_of(value, near)
    if kind_of(plain(value)) == "c" and kind_of(near) != "c":
        raise TypeError(f"complex numbers do not go into an array of {near.dtype}")
    if plain(value).dtype != near.dtype:
        value = astype(value, near.dtype)
    shape = plain(value).shape
    winners = last_writes(near, key) if names_twice(key) else None

    def function(x, value):
        if level_of(x) or level_of(value):
            return assigned(x, key, value)
        return backend_of(plain(x)).written(copied(plain(x)), key, plain(value))

    def transpose(k, bar):
        if k == 0:
            return assigned(bar, key, 0.0)
        part = getitem(bar, key)
        if winners is not None:
            part = where(winners, part, 0.0)
        have = plain(part).shape
        if len(shape) > len(have):  # leading axes of length 1
            return reshape(unbroadcast(part, shape[len(shape) - len(have) :]), shape)
        return unbroadcast(part, shape)

    return apply_linear(function, (x, value), transpose)


def last_writes(x, key):
    """Which of the writes to an index with arrays of integers stay, where elements are named more than once."""
    xp = namespace_of(x)
    places = xp.zeros(x.shape, dtype=xp.int64, device=x.device)
    part = places[key]
    numbers = xp.reshape(xp.arange(part.size, dtype=xp.int64, device=x.device), part.shape)
    return backend_of(x).written(places, key, numbers)[key] == numbers


def setitem(x, key, value):
    """``x[key] = value``, for all views of the same memory."""
    near = plain(x)
    if is_host_array(value):
        raise mixed(value, near)
    x._write(assigned(x, key_of(key, near), value))


def take(x, indices, /, *, axis=None):
    """The parts of an array at some places along an axis."""
    near = plain(x)
    if axis is None:
        x, axis = (x if len(near.shape) == 1 else reshape(x, (-1,))), 0
    (axis,) = axes_of(x, axis)
    if isinstance(indices, int):
        return copy(getitem(x, (slice(None),) * axis + (indices, ...)))
    if isinstance(indices, list):
        indices = namespace_of(near).asarray(indices, device=near.device)
    indices = key_of(indices, near)
    shape = plain(x).shape
    key = (slice(None),) * axis + (indices,)

    def function(x):
        if level_of(x):
            return take(x, indices, axis=axis)
        if len(indices.shape) != 1:  # which the standard's function does not take
            return plain(x)[key]
        return namespace_of(plain(x)).take(plain(x), indices, axis=axis)

    def read(whole, key):
        return take(whole, indices, axis=axis) if len(indices.shape) == 1 else getitem(whole, key)

    return apply_linear(function, (x,), lambda k, bar: spread(bar, key, shape, read))


def take_along_axis(x, indices, /, *, axis=-1):
    """Elements along an axis at places that differ from line to line."""
    near = plain(x)
    (axis,) = axes_of(x, axis)
    indices = key_of(indices, near)
    shape = near.shape

    def function(x):
        if level_of(x):
            return take_along_axis(x, indices, axis=axis)
        return namespace_of(plain(x)).take_along_axis(plain(x), indices, axis=axis)

    return apply_linear(function, (x,), lambda k, bar: _spread_along(bar, indices, axis, shape))


def _spread_along(x, indices, axis, shape):
    xp = namespace_of(plain(indices))
    key = []
    for k, n in enumerate(indices.shape):
        if k == axis:
            key.append(indices)
        else:
            line = xp.arange(n, dtype=indices.dtype, device=indices.device)
            line = xp.reshape(line, tuple(n if j == k else 1 for j in range(len(shape))))
            key.append(xp.broadcast_to(line, indices.shape))

    def read(whole, key):
        return take_along_axis(whole, indices, axis=axis)

    return spread(x, tuple(key), shape, read)


def refuse_write(name):
    """The error for an array of the library that is to take traced values."""
    return ConversionError(
        f"{user_line()}: {name} cannot store traced values into a plain array without dropping their derivatives. Make "
        "the array with zeros_like(x) of a traced x, or leave out= away."
    )


def tri(name):
    """Tril or triu."""

    def function(x, /, *, k=0):
        def plain_tri(x):
            return function(x, k=k) if level_of(x) else getattr(namespace_of(plain(x)), name)(plain(x), k=k)

        return apply_linear(plain_tri, (x,), lambda _, bar: function(bar, k=k))

    return function


def diagonal(x, offset=0):
    """The diagonals of the matrices in the last two axes."""
    rows, columns = x.shape[-2:]
    n = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    xp = namespace_of(plain(x))
    places = xp.arange(n, device=plain(x).device)
    flat = reshape(x, (*x.shape[:-2], rows * columns))
    return take(flat, (places + max(-offset, 0)) * columns + places + max(offset, 0), axis=len(x.shape) - 2)


def diagonal_view(x, /, *, offset=0):
    """What programs get of the diagonals."""
    return read_only(x, lambda x: diagonal(x, offset))


def writable_diagonal(x):
    """The diagonals as a view that takes values, as einsum gives it."""

    def put(parent, new):
        rows, columns = parent.shape[-2:]
        flat = reshape(parent, (*parent.shape[:-2], rows * columns))
        last = max(0, (min(rows, columns) - 1) * (columns + 1) + 1)
        return reshape(assigned(flat, (..., slice(0, last, columns + 1)), new), parent.shape)

    return look(x, diagonal, put) if isinstance(x, BoxedArray) else diagonal(x)


def diag_matrix(x):
    """Matrices with given diagonals."""
    near = plain(x)
    eye = namespace_of(near).eye(near.shape[-1], dtype=near.dtype, device=near.device)
    return x[..., None] * eye


def functions():
    """The functions of this file, by the names that libraries have for them."""
    return {
        "getitem": getitem, "setitem": setitem, "assigned": assigned, "take": _take,
        "take_along_axis": _take_along_axis, "tril": _tri("tril"), "triu": _tri("triu"),
        "linalg.diagonal": diagonal_view,
    }  # fmt: skip


def _tri(name):
    inner = tri(name)
    return lambda x, k=0: inner(x, k=k)


def _take(x, indices, axis=None):
    return take(x, indices, axis=axis)


def _take_along_axis(x, indices, axis=-1):
    return take_along_axis(x, indices, axis=axis)
