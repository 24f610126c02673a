"""Functions whose results are made of elements of their operands: joins, insertions, paddings, choices."""

import numpy as np

from dualtape.arrays.moves import array, gather, positions
from dualtape.arrays.protocol import constant, no_rule, register
from dualtape.arrays.reductions import as_array
from dualtape.core.array import Array
from dualtape.core.traced import Traced
from dualtape.core.values import level_of, plain_of
from dualtape.errors import conversion

__all__ = ["element", "fetch", "plain_operand", "plainly", "rearranged"]


def plainly(x):
    """The plain numbers of an argument that only decides: a condition, an index, a count."""
    if isinstance(x, (list, tuple)):
        return type(x)([plainly(e) for e in x])
    return plain_of(x) if isinstance(x, (Array, Traced)) else x


def plain_operand(x):
    """The plain numbers of an operand, in the dtype that it has for NumPy: a traced float is one of float64."""
    if isinstance(x, (list, tuple)):
        return plain_of(as_array(x))
    plain = plain_of(x)
    return np.float64(plain) if isinstance(x, Traced) and type(plain) is float else plain


def element(x):
    """What NumPy returns for a result without axes: a scalar."""
    return x[()] if isinstance(x, (Array, np.ndarray)) and x.ndim == 0 else x


def fetch(x, places):
    """The elements of an array at places numbered in C order, in the shape of `places`."""
    return gather(np.reshape(x, -1), (np.asarray(places),))


def rearranged(function, operands):
    """What a NumPy function that only moves elements makes of arrays, some of which are traced.

    The function runs twice on ndarrays: on the plain numbers, for NumPy's errors and dtype, and on the numbers of the
    elements, which tell where each element of the result is from. The number 0 stands for a constant zero, with which
    NumPy fills what no operand covers.

    Parameters
    ----------
    function : callable
        ``function(*arrays)``, an ndarray whose elements are elements of the arrays, or zero.
    operands : sequence
        Arrays and numbers of any kind.

    Returns
    -------
    Array, Traced, ndarray or number
    """
    arrays = [as_array(x) for x in operands]
    out = function(*[plain_operand(x) for x in operands])
    dtype = out.dtype
    if not any(level_of(x) for x in arrays) or dtype.kind not in "fc":
        return out
    numbers, start = [], 1
    for x in arrays:
        numbers.append(positions(x.shape) + start)
        start += x.size
    places = function(*numbers)
    zero = np.zeros(1, dtype=dtype)
    flat = np.concatenate([zero, *[np.reshape(x, -1) for x in arrays]])
    if flat.dtype != dtype:
        flat = flat.astype(dtype)
    return element(gather(flat, (np.asarray(places),)))


# --- joins -------------------------------------------------------------------------------------------------------


def _leaves(nested):
    if isinstance(nested, list):
        return [leaf for part in nested for leaf in _leaves(part)]
    return [nested]


def _refill(nested, leaves):
    if isinstance(nested, list):
        return [_refill(part, leaves) for part in nested]
    return next(leaves)


@register(np.block)
def block(arrays):
    """An array from nested lists of blocks."""
    return rearranged(lambda *parts: np.block(_refill(arrays, iter(parts))), _leaves(arrays))


@register(np.dstack)
def dstack(tup):
    """Arrays joined along the third axis."""
    return np.concatenate([np.atleast_3d(as_array(a)) for a in tup], 2)


@register(np.insert)
def insert(arr, obj, values, axis=None):
    """Values put before places of an array."""
    return rearranged(
        lambda a, v: np.insert(a, plainly(obj), v.astype(a.dtype) if hasattr(v, "astype") else v, axis), (arr, values)
    )


@register(np.diagflat)
def diagflat(v, k=0):
    """A matrix with a diagonal."""
    return rearranged(lambda v: np.diagflat(v, k), (v,))


@register(np.unstack)
def unstack(x, /, *, axis=0):
    """The slices along an axis, as views."""
    x = as_array(x)
    np.unstack(np.broadcast_to(0, x.shape), axis=axis)  # raises NumPy's errors
    rows = np.moveaxis(x, axis, 0)
    return tuple(rows[k] for k in range(len(rows)))


@register(np.meshgrid)
def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    """Coordinate matrices from coordinate vectors."""
    n = len(xi)
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    out = [np.reshape(as_array(x), (1,) * k + (-1,) + (1,) * (n - 1 - k)) for k, x in enumerate(xi)]
    if indexing == "xy" and n > 1:
        out[0] = np.reshape(out[0], (1, -1) + (1,) * (n - 2))
        out[1] = np.reshape(out[1], (-1, 1) + (1,) * (n - 2))
    if not sparse:
        out = np.broadcast_arrays(*out)
    return tuple(np.copy(x) for x in out) if copy else tuple(out)


@register(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False):
    """All windows of a shape, as a copy: adjoints of windows that overlap are to be added up."""
    x = as_array(x)
    if writeable:
        raise no_rule("np.lib.stride_tricks.sliding_window_view with writeable=True")
    return fetch(x, np.lib.stride_tricks.sliding_window_view(positions(x.shape), window_shape, axis))


# --- choices -----------------------------------------------------------------------------------------------------


@register(np.choose)
def choose(a, choices, out=None, mode="raise"):
    """Elements of several arrays, by the number of the array."""
    places = plainly(a)
    return rearranged(lambda *parts: np.asarray(np.choose(places, parts, mode=mode)), list(choices))


@register(np.select)
def select(condlist, choicelist, default=0):
    """Elements of the first array whose condition holds."""
    conditions = [np.asarray(plainly(c)) for c in condlist]
    return rearranged(lambda *parts: np.asarray(np.select(conditions, parts[:-1], parts[-1])), [*choicelist, default])


@register(np.extract)
def extract(condition, arr):
    """The elements where a condition holds."""
    return fetch(as_array(arr), np.flatnonzero(plainly(condition)))


@register(np.piecewise)
def piecewise(x, condlist, funclist, *args, **kw):
    """Different functions on different parts of the domain."""
    x = as_array(x)
    count = len(funclist)
    conditions = plainly(condlist)
    if np.isscalar(conditions) or (not isinstance(conditions[0], (list, np.ndarray)) and x.ndim != 0):
        conditions = [conditions]
    conditions = np.asarray(conditions, dtype=bool)
    if count == len(conditions) + 1:
        conditions = np.concatenate([conditions, ~np.any(conditions, axis=0, keepdims=True)])
    elif count != len(conditions):
        raise ValueError(
            f"with {len(conditions)} condition(s), either {len(conditions)} or {len(conditions) + 1} functions are "
            "expected"
        )
    out = np.zeros_like(x) if isinstance(x, Array) else array(np.zeros_like(x))
    for condition, f in zip(conditions, funclist, strict=True):
        if not callable(f):
            out[condition] = f
        elif condition.any():
            out[condition] = f(x[condition], *args, **kw)
    return element(out)


# --- writing to places -------------------------------------------------------------------------------------------


def _changed(name, function, a, values):
    """Let a NumPy function that writes values to places of an array do it to a traced one."""
    if not isinstance(a, Array):
        raise conversion(
            f"np.{name} into a plain array of {np.asarray(a).dtype}", "Make the array with dt.zeros(n) or dt.array(x)."
        )
    if a.dtype.kind not in "fc" and level_of(values):
        raise conversion(f"np.{name} into an array of {a.dtype}", "Make the array with a floating dtype: dt.zeros(n).")

    plain = plain_operand(values)
    if isinstance(values, (list, tuple)):  # which NumPy casts as it likes
        plain = plain.astype(a.dtype)
    function(np.array(plain_of(a)), plain)  # raises NumPy's errors

    def moved(a, values):
        out = np.array(a)
        function(out, np.asarray(values).astype(a.dtype))
        return out

    a[...] = rearranged(moved, (a, values))


@register(np.put)
def put(a, ind, v, mode="raise"):
    """Assignment to places that are numbered in C order."""
    _changed("put", lambda a, v: np.put(a, plainly(ind), v, mode), a, v)


@register(np.place)
def place(arr, mask, vals):
    """Assignment where a mask holds, of one value after the other."""
    _changed("place", lambda a, v: np.place(a, plainly(mask), v), arr, vals)


@register(np.putmask)
def putmask(a, /, mask, values):
    """Assignment where a mask holds, of the values at the same places."""
    _changed("putmask", lambda a, v: np.putmask(a, plainly(mask), v), a, values)


@register(np.put_along_axis)
def put_along_axis(arr, indices, values, axis):
    """Assignment to the places along an axis that indices name."""
    _changed("put_along_axis", lambda a, v: np.put_along_axis(a, plainly(indices), v, axis), arr, values)


# --- orders and sets ---------------------------------------------------------------------------------------------


@register(np.partition)
def partition(a, kth, axis=-1, kind="introselect", order=None):
    """Elements with those of given ranks in their places."""
    x = as_array(a)
    if axis is None:
        x, axis = np.ravel(x), -1
    places = np.argpartition(plain_of(x), plainly(kth), axis=axis, kind=kind)
    return np.take_along_axis(x, places, axis)


@register(np.sort_complex)
def sort_complex(a):
    """Elements in order, as complex numbers."""
    out = np.sort(as_array(a))
    return out if out.dtype.kind == "c" else out.astype(np.result_type(out.dtype, np.complex64))


def _first_of_each(x, axis=None, equal_nan=True):
    _, index = np.unique(plain_of(x), return_index=True, axis=axis, equal_nan=equal_nan)
    return fetch(x, index) if axis is None else np.take(x, index, axis)


@register(np.unique)
def unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True,
           sorted=True):  # fmt: skip
    """The distinct elements in order; of equal ones the first counts."""
    x = as_array(ar)
    options = {"axis": axis, "equal_nan": equal_nan}
    values = _first_of_each(x, **options)
    flags = (return_index, return_inverse, return_counts)
    if not any(flags):
        return values
    rest = np.unique(plain_of(x), *flags, **options)[1:]
    return (values, *rest)


def _unique_parts(f):
    """The members of the array API's family of unique: named tuples that begin with the values."""

    def parts(x, /):
        x = as_array(x)
        plain = f(plain_of(x))
        if isinstance(plain, tuple):
            return type(plain)(_first_of_each(x, equal_nan=False), *plain[1:])
        return _first_of_each(x, equal_nan=False)

    register(f)(parts)


for _f in (np.unique_all, np.unique_counts, np.unique_inverse, np.unique_values):
    _unique_parts(_f)


def _joined(*operands):
    return np.concatenate([np.ravel(as_array(x)) for x in operands])


@register(np.union1d)
def union1d(ar1, ar2):
    """The distinct elements of two arrays."""
    return unique(_joined(ar1, ar2))


@register(np.intersect1d)
def intersect1d(ar1, ar2, assume_unique=False, return_indices=False):
    """The elements that two arrays share: those of the first one."""
    x, y = as_array(ar1), as_array(ar2)
    values, first, second = np.intersect1d(plain_of(x), plain_of(y), assume_unique, return_indices=True)
    out = fetch(x, first).astype(values.dtype)
    return (out, first, second) if return_indices else out


@register(np.setdiff1d)
def setdiff1d(ar1, ar2, assume_unique=False):
    """The elements of the first array that the second does not have."""
    x = np.ravel(as_array(ar1)) if assume_unique else unique(ar1)
    return fetch(x, np.flatnonzero(np.isin(plain_of(x), plainly(ar2), invert=True)))


@register(np.setxor1d)
def setxor1d(ar1, ar2, assume_unique=False):
    """The elements that one of two arrays has."""
    x = _joined(*(ar1, ar2) if assume_unique else (unique(ar1), unique(ar2)))
    _, index, counts = np.unique(plain_of(x), return_index=True, return_counts=True)
    return fetch(x, index[counts == 1])


@register(np.ix_)
def ix_(*args):
    """Sequences as the axes of a mesh; masks as the places where they hold."""
    xs = [as_array(x) for x in args]
    if any(x.ndim != 1 for x in xs):
        raise ValueError("Cross index must be 1 dimensional")
    plain = np.ix_(*[plain_of(x) for x in xs])
    return tuple(np.reshape(x, p.shape) if level_of(x) else p for x, p in zip(xs, plain, strict=True))


constant(
    np.isin, np.tril_indices_from, np.triu_indices_from, np.diag_indices_from, np.ravel_multi_index,
    np.unravel_index, np.min_scalar_type,
)  # fmt: skip
