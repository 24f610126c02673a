"""NumPy's functions on traced arrays: the table."""

import numpy as np

from dualtape.arrays import (  # noqa: F401 - those that are not named below register functions of their own
    algebra,
    determinants,
    factorizations,
    fourier,
    linalg,
    moves,
    products,
    protocol,
    reductions,
)
from dualtape.arrays.moves import array, looked_at
from dualtape.arrays.protocol import FUNCTIONS, constant, register
from dualtape.arrays.reductions import as_array
from dualtape.core.array import Array
from dualtape.core.traced import Traced
from dualtape.core.values import level_of, plain_array, plain_of
from dualtape.core.view import view_by, views_by
from dualtape.errors import conversion

# --- plain results -----------------------------------------------------------------------------------------------

constant(
    np.shape, np.ndim, np.size, np.argmax, np.argmin, np.argsort, np.argwhere, np.argpartition, np.nonzero,
    np.flatnonzero, np.count_nonzero, np.searchsorted, np.digitize, np.lexsort, np.any, np.all, np.isclose, np.allclose,
    np.array_equal, np.array_equiv, np.iscomplexobj, np.isrealobj, np.iscomplex, np.isreal, np.isposinf, np.isneginf,
    np.result_type, np.can_cast, np.common_type, np.may_share_memory, np.shares_memory, np.array_repr, np.array_str,
    np.array2string, np.round, np.around, np.fix, np.nanargmax, np.nanargmin,
)  # fmt: skip


@register(np.zeros_like, np.empty_like)
def zeros_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    """Zeros, into which traced values may be assigned."""
    return plain_array(np.zeros_like(plain_of(a), dtype=dtype, shape=shape), True)


@register(np.ones_like)
def ones_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    """Ones, into which traced values may be assigned."""
    return plain_array(np.ones_like(plain_of(a), dtype=dtype, shape=shape), True)


@register(np.full_like)
def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None):
    """An array filled with a value, which may be traced."""
    dtype = np.dtype(np.asarray(plain_of(a)).dtype if dtype is None else dtype)
    if level_of(fill_value) and dtype.kind not in "fc":
        raise conversion(f"np.full_like with an array of {dtype}", "Give dtype=float.")
    out = plain_array(np.zeros_like(plain_of(a), dtype=dtype, shape=shape), True)
    out[...] = fill_value
    return out


# --- views and rearrangements ------------------------------------------------------------------------------------


def _views(*functions):
    """Functions that give another view of an array, or copy its elements to other places."""
    for f in functions:
        FUNCTIONS[f] = _View(f)


class _View:
    """A NumPy function that only rearranges the elements of its first argument."""

    def __init__(self, f):
        self.f = f

    def __call__(self, *args, **kwargs):
        if args:
            a, rest = args[0], args[1:]
        else:
            name = next(k for k in ("a", "m", "x", "arr", "ary", "array", "A") if k in kwargs)
            a, rest = kwargs.pop(name), ()
        scalar = isinstance(a, Traced)
        if scalar or isinstance(a, (list, tuple)):
            a = array(a)
        if not isinstance(a, Array):  # something else was traced: an axis or an index
            raise conversion(f"np.{self.f.__name__} of a plain array", "Its other arguments must be plain integers.")
        rest = [plain_of(r) if isinstance(r, Array) else r for r in rest]
        out = looked_at(a, lambda p: self.f(p, *rest, **kwargs))
        return out[()] if scalar and isinstance(out, Array) and out.ndim == 0 else out


_views(
    np.reshape, np.ravel, np.transpose, np.squeeze, np.expand_dims, np.moveaxis, np.swapaxes, np.rollaxis, np.flip,
    np.fliplr, np.flipud, np.rot90, np.diagonal, np.roll, np.repeat, np.tile, np.take, np.delete,
    np.take_along_axis, np.trim_zeros,
)  # fmt: skip
for _name in ("matrix_transpose", "permute_dims"):
    if hasattr(np, _name):
        _views(getattr(np, _name))
if hasattr(np.linalg, "diagonal"):
    _views(np.linalg.diagonal, np.linalg.matrix_transpose)


@register(np.resize)
def resize(a, new_shape):
    """The elements again and again, in another shape."""
    x = as_array(a)
    plain = np.resize(plain_of(x), new_shape)
    if x.size == 0 or plain.size == 0:
        return plain
    return moves.gather(np.reshape(x, -1), (np.resize(moves.positions(x.shape), new_shape),))


@register(np.compress)
def compress(condition, a, axis=None, out=None):
    """The slices along an axis for which a condition holds."""
    chosen = plain_of(condition) if isinstance(condition, Array) else condition
    return looked_at(as_array(a), lambda p: np.compress(chosen, p, axis))


@register(np.broadcast_to)
def broadcast_to(array, shape, subok=False):
    """A read-only view, repeated to a shape."""
    x = as_array(array)
    return view_by(x, lambda p: np.broadcast_to(p, shape))


@register(np.broadcast_arrays)
def broadcast_arrays(*args, subok=False):
    """Arrays repeated to their common shape."""
    xs = [as_array(a) for a in args]
    shape = np.broadcast_shapes(*[x.shape for x in xs])
    return tuple(np.broadcast_to(x, shape) for x in xs)


def _splits(*functions):
    for f in functions:
        FUNCTIONS[f] = lambda ary, *rest, f=f, **kwargs: views_by(as_array(ary), lambda p: f(p, *rest, **kwargs))


_splits(np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit)


def _at_least(f):
    def at_least(*arrays):
        out = [view_by(as_array(a), f) if isinstance(as_array(a), Array) else f(as_array(a)) for a in arrays]
        return out[0] if len(out) == 1 else tuple(out)

    FUNCTIONS[f] = at_least


for _f in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
    _at_least(_f)


@register(np.real)
def real(val):
    """The real part: a view of complex arrays."""
    return val.real


@register(np.imag)
def imag(val):
    """The imaginary part: a view of complex arrays."""
    return val.imag


@register(np.diag)
def diag(v, k=0):
    """The diagonal of a matrix, or a matrix with a diagonal."""
    if v.ndim == 2:
        return np.diagonal(v, k)
    shape = np.diag(np.empty(v.shape), k).shape
    n = v.shape[0]
    rows_, columns = np.arange(n) + max(-k, 0), np.arange(n) + max(k, 0)
    return moves.scatter(v, (rows_, columns), shape)


@register(np.trace)
def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    """Sum of the diagonal."""
    return reductions.sum_(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@register(np.tril)
def tril(m, k=0):
    """The lower triangle."""
    return moves.where(np.tri(*m.shape[-2:], k=k, dtype=bool), m, 0.0)


@register(np.triu)
def triu(m, k=0):
    """The upper triangle."""
    return moves.where(np.tri(*m.shape[-2:], k=k - 1, dtype=bool), 0.0, m)


# --- copies, joins, choices --------------------------------------------------------------------------------------


@register(np.copy)
def copy(a, order="K", subok=False):
    """A copy."""
    return moves.copy(as_array(a), order)


@register(np.copyto)
def copyto(dst, src, casting="same_kind", where=True):
    """Assignment of all elements, or those where a mask holds."""
    if not isinstance(dst, Array):
        raise conversion(
            f"np.copyto into a plain array of {dst.dtype}", "Make the array with dt.zeros(n) or dt.array(...)."
        )
    where = reductions.mask_of(where)
    probe = np.zeros(dst.shape, dst.dtype)
    np.copyto(probe, plain_of(src), casting=casting, where=where)  # raises NumPy's errors
    if where is True:
        dst[...] = src
        return
    mask = np.broadcast_to(where, dst.shape)
    source = as_array(src)
    dst[mask] = np.broadcast_to(source, dst.shape)[mask]


@register(np.fill_diagonal)
def fill_diagonal(a, val, wrap=False):
    """Assignment to the diagonal."""
    if not isinstance(a, Array):
        raise conversion(f"np.fill_diagonal of a plain array of {a.dtype}", "Make the array with dt.array(...).")
    if a.ndim < 2:
        raise ValueError("array must be at least 2-d")
    marks = np.zeros(a.shape, dtype=bool)
    np.fill_diagonal(marks, True, wrap)
    places = np.nonzero(marks)
    if level_of(val) or np.ndim(plain_of(val)):
        val = np.resize(as_array(val), places[0].shape)
    a[places] = val


@register(np.concatenate)
def concatenate(arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """Arrays joined along an axis."""
    parts = moves.parts_of(arrays)
    return _cast(moves.concatenate(parts, axis), parts, dtype, casting)


def _cast(joined, parts, dtype, casting):
    """What was joined in the dtype that was asked for, if NumPy casts to it."""
    if dtype is None:
        return joined
    # raises NumPy's errors
    np.concatenate([np.empty(0, x.dtype) for x in moves.parts_of(parts)], dtype=dtype, casting=casting)
    return joined.astype(dtype)


@register(np.stack)
def stack(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """Arrays joined along a new axis."""
    arrays = list(arrays)
    return _cast(moves.stack(arrays, axis), arrays, dtype, casting)


@register(np.vstack)
def vstack(tup, *, dtype=None, casting="same_kind"):
    """Arrays joined as rows."""
    return concatenate([np.atleast_2d(as_array(a)) for a in tup], 0, dtype=dtype, casting=casting)


@register(np.hstack)
def hstack(tup, *, dtype=None, casting="same_kind"):
    """Arrays joined as columns."""
    parts = [np.atleast_1d(as_array(a)) for a in tup]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@register(np.column_stack)
def column_stack(tup):
    """Vectors joined as the columns of a matrix."""
    parts = [as_array(a) for a in tup]
    return concatenate([np.expand_dims(np.atleast_1d(a), 1) if a.ndim < 2 else a for a in parts], 1)


@register(np.append)
def append(arr, values, axis=None):
    """Values joined to the end of an array."""
    if axis is None:
        return concatenate([np.ravel(as_array(arr)), np.ravel(as_array(values))])
    return concatenate([as_array(arr), as_array(values)], axis)


@register(np.where)
def where(condition, *branches):
    """Elements of one array or another."""
    return moves.where(condition, *branches)


@register(np.clip)
def clip(a, a_min=None, a_max=None, out=None, *, min=None, max=None, **kwargs):
    """Elements limited to an interval, with derivative 1 on the closed interval."""
    low = a_min if min is None else min
    high = a_max if max is None else max
    bounds = (-np.inf if low is None else _bound(low), np.inf if high is None else _bound(high))
    return protocol.ufunc(np._core.umath.clip, "__call__", (as_array(a), *bounds), {**kwargs, "out": out})


def _bound(x):
    return as_array(x) if isinstance(x, (list, tuple, np.ndarray)) else x


@register(np.sort)
def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    """Elements in order."""
    if kind is not None and stable is not None:
        raise ValueError("`kind` and keyword parameters can't be provided at the same time. Use only one of them.")
    return moves.sort(as_array(a), axis, kind)


# --- reductions, products, linear algebra ------------------------------------------------------------------------

register(np.sum)(reductions.sum_)
register(np.mean)(reductions.mean)
register(np.var)(reductions.var)
register(np.std)(reductions.std)
register(np.prod)(reductions.prod)
register(np.max, np.amax)(reductions.extreme("max"))
register(np.min, np.amin)(reductions.extreme("min"))
register(np.cumsum)(reductions.cumsum)
register(np.cumprod)(reductions.cumprod)
register(np.dot)(products.dot)
register(np.inner)(products.inner)
register(np.vdot)(products.vdot)
register(np.outer, np.linalg.outer)(products.outer)
register(np.tensordot)(products.tensordot)
register(np.einsum)(products.einsum)
register(np.linalg.inv)(linalg.inv)
register(np.linalg.solve)(linalg.solve)
register(np.linalg.norm)(linalg.norm)
for _name, _function in {"matmul": products.matmul, "tensordot": products.tensordot}.items():
    if hasattr(np.linalg, _name):
        register(getattr(np.linalg, _name))(_function)


@register(np.ptp)
def ptp(a, axis=None, out=None, keepdims=False):
    """The largest element less the smallest."""
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)
