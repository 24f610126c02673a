"""Methods and attributes of traced arrays, as on ndarray."""

import sys

import numpy as np

from dualtape.arrays import elementwise as rows
from dualtape.arrays import memory, moves, products, protocol
from dualtape.core import linear, traced
from dualtape.core.array import Array
from dualtape.core.dual import Dual
from dualtape.core.hooks import set_hooks
from dualtape.core.tape import Var
from dualtape.core.values import plain_of
from dualtape.core.view import view_by

__all__ = ["METHODS", "PROPERTIES"]


class Flat:
    """``x.flat``: the elements in C order, to be read and written one after the other."""

    def __init__(self, x):
        self.array = x

    def __len__(self):
        return self.array.size

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    def _key(self, key):
        places = np.arange(self.array.size)[key]
        return np.unravel_index(places, self.array.shape) if self.array.ndim else ()

    def __getitem__(self, key):
        return self.array[self._key(key)]

    def __setitem__(self, key, value):
        self.array[self._key(key)] = value

    @property
    def base(self):
        """The array itself."""
        return self.array

    def copy(self):
        """The elements as a vector."""
        return self.array.flatten()


def _reshape(x, *shape, order="C", copy=None):
    if len(shape) == 1:
        shape = shape[0]
    out = moves.looked_at(x, lambda p: p.reshape(shape, order=order))
    if copy is None or not x.size:
        return out
    shared = np.may_share_memory(plain_of(out), plain_of(x))
    if not copy and not shared:
        raise ValueError("Unable to avoid creating a copy while reshaping.")
    return out.copy("K") if copy and shared else out


def _transpose(x, *axes):
    return moves.looked_at(x, lambda p: p.transpose(*axes))


def _item(x, *args):
    if not args and x.size != 1:
        raise ValueError("can only convert an array of size 1 to a Python scalar")
    if not args:
        return x[(0,) * x.ndim]
    if len(args) == 1 and not isinstance(args[0], tuple):
        return x.flat[args[0]]
    return x[args[0] if len(args) == 1 else args]


def _tolist(x):
    if x.ndim == 0:
        return x[()]
    return [_tolist(e) if isinstance(e, Array) and e.ndim else e for e in x]


def _fill(x, value):
    if np.ndim(plain_of(value)):
        raise ValueError("Input object to FillWithScalar is not a scalar")
    x[...] = value


def _sort(x, axis=-1, kind=None, order=None, *, stable=None):
    if order is not None:
        raise ValueError("Cannot specify order when the array has no fields.")
    x[...] = moves.sort(x, axis, kind)


def _partition(x, kth, axis=-1, kind="introselect", order=None):
    x[...] = np.partition(x, kth, axis, kind)


def _put(x, indices, values, mode="raise"):
    np.put(x, indices, values, mode)


def _plain_method(name):
    def method(x, *args, **kwargs):
        return getattr(plain_of(x), name)(*[plain_of(a) if isinstance(a, Array) else a for a in args], **kwargs)

    method.__name__ = name
    return method


def _conj(x):
    return protocol.conjugate(x) if x.dtype.kind == "c" else x  # of real numbers ndarray's is the array itself


def _flatten(x, order="C"):
    return moves.looked_at(x, lambda p: p.ravel(order)).copy()


def _astype(x, dtype, order="K", casting="unsafe", subok=True, copy=True):
    if not np.can_cast(x.dtype, dtype, casting):
        raise TypeError(
            f"Cannot cast array data from {x.dtype!r} to {np.dtype(dtype)!r} according to the rule {casting!r}"
        )
    plain = plain_of(x)
    if not copy and plain.astype(dtype, order, copy=False) is plain:
        return x
    return moves.astype(x, dtype, order)


def _compress(x, condition, axis=None, out=None):
    return protocol.function(np.compress, (condition, x), {"axis": axis, "out": out})


def _calling(name):
    """The method that is NumPy's function of the same name."""

    def method(x, *args, **kwargs):
        return protocol.function(getattr(np, name), (x, *args), kwargs)

    method.__name__ = name
    return method


METHODS = (
    {
        "reshape": _reshape,
        "transpose": _transpose,
        "item": _item,
        "tolist": _tolist,
        "fill": _fill,
        "sort": _sort,
        "partition": _partition,
        "put": _put,
        "flatten": _flatten,
        "astype": _astype,
        "conj": _conj,
        "conjugate": _conj,
        "compress": _compress,
        "choose": lambda x, choices, **kwargs: plain_of(x).choose(choices, **kwargs),
    }
    | memory.METHODS
    | {name: _calling(name) for name in (
        "sum", "mean", "var", "std", "prod", "max", "min", "cumsum", "cumprod", "dot", "trace", "clip", "ravel",
        "swapaxes", "squeeze", "diagonal", "repeat", "take",
    )}
    | {name: _plain_method(name) for name in (
        "argmax", "argmin", "argsort", "argpartition", "any", "all", "nonzero", "searchsorted", "round",
    )}
)  # fmt: skip


def _real(x):
    return view_by(x, lambda p: p.real) if x.dtype.kind == "c" else view_by(x, lambda p: p[...])


def _imag(x):
    if x.dtype.kind == "c":
        return view_by(x, lambda p: p.imag)
    out = np.zeros(x.shape, dtype=x.dtype)
    out.flags.writeable = False
    return out


def _set_real(x, value):
    _real(x)[...] = value


def _set_imag(x, value):
    if x.dtype.kind != "c":
        raise TypeError("array does not have imaginary part to set")
    _imag(x)[...] = value


def _set_flat(x, value):
    Flat(x)[:] = value


PROPERTIES = {
    "mT": lambda x: view_by(x, lambda p: np.swapaxes(p, -1, -2)) if x.ndim > 1 else _too_few(),
    "flat": Flat,
    "real": _real,
    "imag": _imag,
    "real=": _set_real,
    "imag=": _set_imag,
    "flat=": _set_flat,
} | memory.PROPERTIES


def _too_few():
    raise ValueError("matrix transpose with ndim < 2 is undefined")


def _html(x):
    """A table of the primal, for notebooks."""
    import html  # for notebooks alone

    plain = plain_of(x)
    head = f"{type(x).__name__} of shape {x.shape}, {x.dtype}"
    if plain.ndim not in (1, 2) or plain.size == 0 or max(plain.shape) > 30:
        return f"<pre>{html.escape(repr(x))}</pre>"
    lines = "".join(
        "<tr>" + "".join(f"<td>{html.escape(format(e, '.6g'))}</td>" for e in row) + "</tr>"
        for row in np.atleast_2d(plain)
    )
    return f"<table><caption>{html.escape(head)}</caption>{lines}</table>"


def _spread(bar, shape):
    """A contribution to the adjoint of a broadcast view, in the view's full shape."""
    return np.broadcast_to(bar, shape)


set_hooks(
    {
        "array": moves.array,
        "broadcast": moves.broadcast_to,
        "pull_write": moves.pull_write,
        "positions": moves.positions,
        "gather": moves.gather,
        "setitem": moves.setitem,
        "copy": moves.copy,
        "elementwise": rows.elementwise,
        "operator": rows.operator,
        "power": rows.power,
        "inplace": rows.inplace,
        "native_inplace": linear.inplace,
        "compare": rows.compare,
        "matmul": products.operator_matmul,
        "ufunc": protocol.ufunc,
        "function": protocol.function,
        "html": _html,
        "spread": _spread,
        "write": linear.write,
        "pull_row": rows.pull_row,
        "pull_matmul": products.pull_matmul,
    },
    METHODS,
    PROPERTIES,
    protocol.rows_of_ufuncs(),
)


# --- scalars -----------------------------------------------------------------------------------------------------

# Methods that NumPy's scalars share with arrays, on traced scalars.
SCALAR_METHODS = (
    "sum", "mean", "prod", "max", "min", "cumsum", "dot", "reshape", "ravel", "flatten", "item", "squeeze", "tolist",
    "transpose", "any", "all", "round", "repeat", "std", "var", "astype", "copy", "conj", "clip", "cumprod", "argmax",
    "argmin", "take", "argsort",
)  # fmt: skip
SCALAR_PROPERTIES = {
    "T": lambda x: x,
    "size": lambda x: 1,
    "dtype": lambda x: np.asarray(plain_of(x)).dtype,
    "itemsize": lambda x: np.asarray(plain_of(x)).itemsize,
    "nbytes": lambda x: np.asarray(plain_of(x)).nbytes,
}


def _scalar_attribute(x, name):
    if name == "dtype" and sys._getframe(1).f_globals.get("__name__", "").startswith("numpy."):
        return None  # a mean of objects asks for the dtype to convert its result to it, and drop the derivative
    if name in SCALAR_PROPERTIES:
        return SCALAR_PROPERTIES[name](x)
    if name in SCALAR_METHODS and isinstance(x, (Dual, Var)):
        method = getattr(moves.array(x), name)
        return (lambda *args, **kwargs: method(*args, **kwargs)[()]) if name in ("astype", "copy") else method
    return None


def _scalar_function(x, f, args, kwargs):
    if f in protocol.FUNCTIONS and isinstance(x, (Dual, Var)):
        return protocol.function(f, args, kwargs)
    return f._implementation(*args, **kwargs)


def _scalar_item(x, key):
    if not isinstance(x, (Dual, Var)):
        raise TypeError(f"{type(x).__name__!r} object is not subscriptable")
    return moves.array(x)[key]


traced.set_scalar_hooks(_scalar_attribute, _scalar_function, _scalar_item)
