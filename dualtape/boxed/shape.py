"""What moves the elements of arrays of other libraries: shapes, axes, joins, casts."""

import operator

from dualtape.boxed.apply import apply, apply_linear, array_of, like, real_as, unbroadcast
from dualtape.boxed.array import BoxedArray, boxed, is_any_array, is_inexact, level_of, look, plain
from dualtape.boxed.backends import backend_of, kind_of, namespace_of

__all__ = [
    "astype", "broadcast_arrays", "broadcast_to", "complex_", "concat", "conj", "copy", "expand_dims", "flip",
    "functions", "imag", "matrix_transpose", "moveaxis", "permute_dims", "read_only", "real", "repeat", "reshape",
    "roll", "squeeze", "stack", "tile", "zeros_like",
]  # fmt: skip


def axes_of(x, axis):
    """Axes as a tuple of places from 0 on; all of them for None."""
    ndim = len(x.shape)
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    out = tuple(operator.index(k) for k in axes)
    for k in out:
        if not -ndim <= k < ndim:
            raise IndexError(f"axis {k} is out of bounds for an array of {ndim} dimensions")
    return tuple(k % ndim for k in out)


def zeros_like(x, **options):
    """Zeros that accept traced values."""
    near = plain(x)
    return _accepting(namespace_of(near).zeros_like(near, **options))


def _accepting(x):
    """A new array, traced where derivatives may be assigned into it."""
    return boxed(x) if is_inexact(x) else x


def filled_like(name):
    """ones_like, full_like or empty_like: arrays that accept traced values."""

    def function(x, fill_value=None, **options):
        near = plain(x)
        args = () if fill_value is None else (plain(fill_value),)
        if is_any_array(fill_value) or level_of(fill_value):
            args = (0.0,)
        out = _accepting(getattr(namespace_of(near), name)(near, *args, **options))
        if args != () and args[0] is not fill_value:
            out[...] = fill_value if isinstance(out, BoxedArray) else plain(fill_value)
        return out

    return function


def reshape(x, shape, *, copy=None):
    """The elements in C order under another shape; a view where the library gives one."""
    shape = tuple(shape) if hasattr(shape, "__iter__") else (shape,)
    have = plain(x).shape

    def get(x):
        def function(x):
            return reshape(x, shape) if level_of(x) else namespace_of(plain(x)).reshape(plain(x), shape)

        return apply_linear(function, (x,), lambda k, bar: reshape(bar, have))

    out = get(x)
    if not isinstance(x, BoxedArray) or copy or not backend_of(plain(x)).shares_memory(plain(x), plain(out)):
        return out
    return look(x, get, lambda parent, new: reshape(new, have))


def permute_dims(x, axes):
    """The axes in another order: a view."""
    axes = axes_of(x, tuple(axes))
    back = tuple(sorted(range(len(axes)), key=axes.__getitem__))

    def get(x):
        def function(x):
            return permute_dims(x, axes) if level_of(x) else namespace_of(plain(x)).permute_dims(plain(x), axes)

        return apply_linear(function, (x,), lambda k, bar: permute_dims(bar, back))

    if not isinstance(x, BoxedArray):
        return get(x)
    return look(x, get, lambda parent, new: permute_dims(new, back))


def transpose(x, *axes):
    """The axes in reverse order, or in a given one."""
    axes = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return permute_dims(x, tuple(reversed(range(len(x.shape)))) if not axes else tuple(axes))


def matrix_transpose(x, /):
    """The last two axes exchanged."""
    n = len(x.shape)
    if n < 2:
        raise ValueError("matrix_transpose needs an array of at least two dimensions")
    return permute_dims(x, (*range(n - 2), n - 1, n - 2))


def moveaxis(x, source, destination):
    """Axes moved to other places."""
    source, destination = (axes_of(x, tuple(k) if isinstance(k, list) else k) for k in (source, destination))
    order = [k for k in range(len(x.shape)) if k not in source]
    for place, axis in sorted(zip(destination, source, strict=True)):
        order.insert(place, axis)
    return permute_dims(x, tuple(order))


def swapaxes(x, first, second):
    """Two axes exchanged."""
    order = list(range(len(x.shape)))
    (first,), (second,) = axes_of(x, first), axes_of(x, second)
    order[first], order[second] = second, first
    return permute_dims(x, tuple(order))


def expand_dims(x, axis=0):
    """New axes of length 1."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    n = len(x.shape) + len(axes)
    for k in axes:
        if not -n <= k < n:
            raise IndexError(f"axis {k} is out of bounds for an array of {n} dimensions")
    axes = {k % n for k in axes}
    lengths = iter(x.shape)
    return reshape(x, tuple(1 if k in axes else next(lengths) for k in range(n)))


def squeeze(x, axis=None):
    """Axes of length 1 left out."""
    shape = x.shape
    axes = [k for k, n in enumerate(shape) if n == 1] if axis is None else axes_of(x, axis)
    if any(shape[k] != 1 for k in axes):
        raise ValueError("cannot squeeze an axis whose length is not 1")
    return reshape(x, tuple(n for k, n in enumerate(shape) if k not in axes))


def ravel(x, order="C"):
    """All elements in C order."""
    if order != "C":
        raise ValueError("the elements of traced arrays of this kind are raveled in C order only")
    return reshape(x, (-1,))


def flatten(x):
    """All elements in C order, as a copy."""
    return reshape(x, (-1,), copy=True)


def copy(x, order="C"):
    """A copy."""
    return apply_linear(lambda x: copy(x) if level_of(x) else backend_of(plain(x)).copied(plain(x)), (x,), _same)


def _same(k, bar):
    return bar


def broadcast_to(x, shape):
    """`x` repeated to a shape."""
    shape = tuple(shape)
    have = plain(x).shape
    return apply_linear(
        lambda x: broadcast_to(x, shape) if level_of(x) else namespace_of(plain(x)).broadcast_to(plain(x), shape),
        (x,),
        lambda k, bar: unbroadcast(bar, have),
    )


def read_only(x, get):
    """What programs get of ``get(x)``: a view that does not take values."""

    def put(parent, new):
        raise ValueError("assignment destination is read-only")

    return look(x, get, put) if isinstance(x, BoxedArray) else get(x)


def _spread_view(x, shape):
    return read_only(x, lambda x: broadcast_to(x, shape))


def broadcast_arrays(*arrays):
    """Arrays repeated to their common shape."""
    shape = namespace_of(like(arrays)).broadcast_arrays(*map(plain, arrays))[0].shape
    return [_spread_view(x, shape) for x in arrays]


def joined(arrays):
    """The arrays and numbers of a sequence as arrays of one library."""
    near = like(arrays)
    arrays = [array_of(x, near) for x in arrays]
    dtype = namespace_of(near).result_type(*map(plain, arrays))
    return [x if plain(x).dtype == dtype else astype(x, dtype) for x in arrays]


def concat(arrays, /, *, axis=0):
    """Arrays one after the other along an axis."""
    arrays = joined(list(arrays))
    if axis is None:
        arrays, axis = [reshape(x, (-1,)) for x in arrays], 0
    (axis,) = axes_of(plain(arrays[0]), axis)
    ends = [0]
    for x in arrays:
        ends.append(ends[-1] + (plain(x).shape[axis] if axis < len(plain(x).shape) else 0))

    def part(k, bar):
        return bar[(slice(None),) * axis + (slice(ends[k], ends[k + 1]), ...)]

    def function(*xs):
        return concat(xs, axis=axis) if any(map(level_of, xs)) else _plain_concat(list(map(plain, xs)), axis)

    return apply_linear(function, arrays, part)


def _plain_concat(arrays, axis):
    return namespace_of(arrays[0]).concat(arrays, axis=axis)


def stack(arrays, /, *, axis=0):
    """Arrays along a new axis."""
    arrays = joined(list(arrays))
    shapes = {plain(x).shape for x in arrays}
    if len(shapes) > 1:
        raise ValueError(f"all arrays that are stacked must have the same shape, not {sorted(shapes)}")
    return concat([expand_dims(x, axis) for x in arrays], axis=axis)


def hstack(arrays):
    """Arrays beside one another."""
    arrays = [reshape(x, (1,)) if len(x.shape) == 0 else x for x in joined(list(arrays))]
    return concat(arrays, axis=0 if len(arrays[0].shape) == 1 else 1)


def vstack(arrays):
    """Arrays below one another."""
    return concat([reshape(x, (1, -1)) if len(x.shape) < 2 else x for x in joined(list(arrays))], axis=0)


def unstack(x, /, *, axis=0):
    """The parts along an axis, as a tuple."""
    (axis,) = axes_of(x, axis)
    return tuple(x[(slice(None),) * axis + (k, ...)] for k in range(x.shape[axis]))


def flip(x, axis=None):
    """The elements in reverse order along axes."""
    axes = axes_of(x, axis)

    def get(x):
        def function(x):
            return flip(x, axes) if level_of(x) else namespace_of(plain(x)).flip(plain(x), axis=axes)

        return apply_linear(function, (x,), lambda k, bar: flip(bar, axes))

    return look(x, get, lambda parent, new: flip(new, axes)) if isinstance(x, BoxedArray) else get(x)


def roll(x, shift, axis=None):
    """The elements moved along axes, around the end."""
    back = tuple(-s for s in shift) if isinstance(shift, tuple) else -shift
    return apply_linear(
        lambda x: roll(x, shift, axis) if level_of(x) else namespace_of(plain(x)).roll(plain(x), shift, axis=axis),
        (x,),
        lambda k, bar: roll(bar, back, axis),
    )


def repeat(x, repeats, axis=None):
    """Each element as often as a number says."""
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    (axis,) = axes_of(x, axis)
    near = plain(x)
    xp = namespace_of(near)
    if not isinstance(repeats, int):
        counts = backend_of(near).counts(plain(repeats))
        places = xp.repeat(xp.arange(near.shape[axis], device=near.device), counts)
        from dualtape.boxed.indexing import take

        return take(x, places, axis=axis)
    tall = expand_dims(x, axis + 1)
    shape = near.shape
    tall = broadcast_to(tall, (*shape[: axis + 1], repeats, *shape[axis + 1 :]))
    return reshape(tall, (*shape[:axis], shape[axis] * repeats, *shape[axis + 1 :]))


def tile(x, repetitions):
    """The array as often as numbers say along each axis."""
    repetitions = repetitions if isinstance(repetitions, tuple) else (repetitions,)
    shape = (1,) * (len(repetitions) - len(x.shape)) + tuple(x.shape)
    repetitions = (1,) * (len(shape) - len(repetitions)) + repetitions
    tall = reshape(x, tuple(m for n in shape for m in (1, n)))
    tall = broadcast_to(tall, tuple(m for pair in zip(repetitions, shape, strict=True) for m in pair))
    return reshape(tall, tuple(n * r for n, r in zip(shape, repetitions, strict=True)))


def astype(x, dtype, *, copy=True, device=None):
    """The elements in another dtype; plain where that is no floating one."""
    near = plain(x)
    xp = namespace_of(near)
    dtype = xp.asarray(0, dtype=dtype, device=near.device).dtype
    if not _floating(dtype, xp):
        return xp.astype(near, dtype)
    if dtype == near.dtype and not copy:
        return x
    return apply(
        lambda x: astype(x, dtype) if level_of(x) else _cast(plain(x), dtype, xp),
        (x,),
        lambda k, t, out, x: astype(t, dtype),
        lambda k, bar, out, x: real_as(bar, x),
        reads=False,
    )


def _floating(dtype, xp):
    return xp.isdtype(dtype, ("real floating", "complex floating"))


def _cast(x, dtype, xp):
    if kind_of(x) == "c" and not xp.isdtype(dtype, "complex floating"):
        x = xp.real(x)
    return xp.astype(x, dtype)


def to_device(x, device, *, stream=None):
    """The array in the memory of a device."""
    back = plain(x).device
    if device == back and stream is None:
        return x
    options = {} if stream is None else {"stream": stream}
    return apply_linear(
        lambda x: to_device(x, device) if level_of(x) else plain(x).to_device(device, **options),
        (x,),
        lambda k, bar: to_device(bar, back) if level_of(bar) else plain(bar).to_device(back),
    )


def real(x):
    """The real part."""
    if kind_of(plain(x)) != "c":
        return x
    return apply_linear(
        lambda x: real(x) if level_of(x) else namespace_of(plain(x)).real(plain(x)), (x,), lambda k, bar: complex_(bar)
    )


def imag(x):
    """The imaginary part."""
    if kind_of(plain(x)) != "c":
        return zeros_like(x)
    return apply_linear(
        lambda x: imag(x) if level_of(x) else namespace_of(plain(x)).imag(plain(x)),
        (x,),
        lambda k, bar: complex_(bar) * 1j,
    )


def _real_view(x):
    """What programs get: a view, as NumPy's real()."""
    if kind_of(plain(x)) != "c" or not isinstance(x, BoxedArray):
        return real(x)
    return look(x, real, lambda parent, new: complex_(new) + complex_(imag(parent)) * 1j)


def _imag_view(x):
    if kind_of(plain(x)) != "c" or not isinstance(x, BoxedArray):
        return imag(x)
    return look(x, imag, lambda parent, new: complex_(real(parent)) + complex_(new) * 1j)


def _conj_copy(x):
    return conj(x) if kind_of(plain(x)) == "c" else copy(x)


def complex_(x):
    """Real numbers as complex ones."""
    if kind_of(plain(x)) == "c":
        return x
    xp = namespace_of(plain(x))
    return astype(x, xp.result_type(plain(x).dtype, xp.complex64))


def conj(x):
    """The complex conjugate."""
    if kind_of(plain(x)) != "c":
        return x
    return apply_linear(
        lambda x: conj(x) if level_of(x) else namespace_of(plain(x)).conj(plain(x)), (x,), lambda k, bar: conj(bar)
    )


def atleast(ndim):
    """atleast_1d and its kin."""

    def function(*arrays):
        out = []
        for x in arrays:
            shape = tuple(x.shape)
            if len(shape) < ndim:
                lead = ndim - len(shape) if ndim < 3 else min(1, ndim - len(shape))
                shape = (1,) * lead + shape + (1,) * (ndim - lead - len(shape))
            out.append(reshape(x, shape))
        return out[0] if len(out) == 1 else out

    return function


def split(x, sections, axis=0):
    """The array in parts along an axis."""
    (axis,) = axes_of(x, axis)
    n = x.shape[axis]
    if isinstance(sections, int):
        if n % sections:
            raise ValueError("array split does not result in an equal division")
        sections = range(n // sections, n, n // sections)
    ends = [0, *sections, n]
    lead = (slice(None),) * axis
    return [x[(*lead, slice(a, b), ...)] for a, b in zip(ends, ends[1:], strict=False)]


def functions():
    """The functions of this file, by the names that libraries have for them."""
    return {
        "zeros_like": zeros_like, "ones_like": filled_like("ones_like"), "full_like": filled_like("full_like"),
        "empty_like": filled_like("empty_like"), "reshape": reshape, "permute_dims": permute_dims,
        "transpose": transpose, "matrix_transpose": matrix_transpose, "moveaxis": moveaxis, "swapaxes": swapaxes,
        "expand_dims": expand_dims, "squeeze": squeeze, "ravel": ravel, "copy": copy, "broadcast_to": _spread_view,
        "broadcast_arrays": broadcast_arrays, "concat": concat, "concatenate": _concatenate, "stack": _stacked,
        "hstack": hstack, "vstack": vstack, "unstack": unstack, "flip": flip, "roll": roll, "repeat": repeat,
        "tile": tile, "astype": astype, "to_device": to_device, "real": _real_view, "imag": _imag_view,
        "conj": _conj_copy, "conjugate": _conj_copy, "repeated": broadcast_to, "atleast_1d": atleast(1),
        "atleast_2d": atleast(2), "atleast_3d": atleast(3),
        "split": split,
    }  # fmt: skip


def _concatenate(arrays, axis=0):
    return concat(arrays, axis=axis)


def _stacked(arrays, /, axis=0):
    return stack(arrays, axis=axis)
