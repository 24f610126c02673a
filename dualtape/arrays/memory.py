"""What attributes and methods of arrays tell about their memory, change of it, or refuse to give away."""

import operator

import numpy as np

from dualtape.arrays import moves
from dualtape.core.values import level_of, plain_array, plain_of
from dualtape.core.view import look_as, set_readonly, view_by, whole
from dualtape.errors import fixed_size, no_buffer

__all__ = ["METHODS", "PROPERTIES"]


class Flags:
    """``x.flags`` as of an ndarray; ``writeable`` can be set."""

    def __init__(self, x):
        object.__setattr__(self, "_array", x)

    def _plain(self):
        plain = plain_of(self._array)[...]
        plain.flags.writeable = not self._array._readonly
        return plain.flags

    def __getattr__(self, name):
        return self._array.base is None if name == "owndata" else getattr(self._plain(), name)

    def __setattr__(self, name, value):
        if name != "writeable":
            raise AttributeError(f"the flag {name!r} of a traced array cannot be set")
        set_flags(self._array, write=value)

    def __getitem__(self, name):
        return self.owndata if name in ("OWNDATA", "O") else self._plain()[name]

    def __setitem__(self, name, value):
        setattr(self, {"W": "writeable"}.get(name, name.lower()), value)

    def __repr__(self):
        return repr(self._plain())


def set_flags(x, write=None, align=None, uic=None):
    """ndarray.setflags; the memory is always aligned."""
    if align is not None and not align:
        raise ValueError("the memory of a traced array is aligned")
    if uic:
        raise ValueError("cannot set WRITEBACKIFCOPY flag to True")
    if write is None:
        return
    if write and any(n > 1 and step == 0 for n, step in zip(x.shape, x.strides, strict=True)):
        raise ValueError("cannot set WRITEABLE flag to True of this array")
    set_readonly(x, not write)


def set_shape(x, shape):
    """``x.shape = shape``: as ndarray's, for views that need no copy."""
    view = view_by(x, lambda p: p.reshape(shape))
    if view is None:
        raise AttributeError(
            "Incompatible shape for in-place modification. Use `.reshape()` to make a copy with the desired shape."
        )
    look_as(x, view)


def resize(x, *shape, refcheck=True):
    """ndarray.resize, for the same number of elements."""
    if shape in ((), (None,)):
        return
    shape = shape[0] if len(shape) == 1 else shape
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (operator.index(shape),)
    if any(n < 0 for n in shape):
        raise ValueError("all elements of 'new_shape' must be non-negative")
    if np.prod(shape, dtype=np.intp) != x.size:
        raise fixed_size()
    set_shape(x, shape)


def view(x, *args, **kwargs):
    """ndarray.view: another handle of the same memory, where the dtype is the same."""
    seen = plain_of(x).view(*args, **kwargs)
    if type(seen) is np.ndarray and seen.dtype == x.dtype:
        return x[...]
    return _buffer(lambda p: p.view(*args, **kwargs), x, "view(dtype)")


def _buffer(function, x, name):
    """What a function makes of the memory of plain numbers, in a copy of it; of traced ones it is an error."""
    if level_of(x):
        raise no_buffer(name)
    out = function(plain_of(x).copy("K"))
    return plain_array(out) if isinstance(out, np.ndarray) else out


def _method(name):
    def method(x, *args, **kwargs):
        return _buffer(lambda p: getattr(p, name)(*args, **kwargs), x, f"{name}()")

    method.__name__ = name
    return method


def _attribute(name):
    return lambda x: _buffer(lambda p: getattr(p, name), x, name)


def _fixed(name, remedy):
    def setter(x, value):
        raise AttributeError(f"the {name} of a traced array is fixed; {remedy}")

    return setter


def _to_device(x, device, /, *, stream=None):
    plain_of(x).to_device(device, stream=stream)  # raises where it is not the host
    return x


METHODS = {
    "setflags": set_flags,
    "resize": resize,
    "view": view,
    "to_device": _to_device,
    "__array_namespace__": lambda x, *, api_version=None: plain_of(x).__array_namespace__(api_version=api_version),
    "put": moves.put,
    "partition": moves.partition_in_place,
} | {name: _method(name) for name in ("tobytes", "tofile", "dump", "dumps", "byteswap", "getfield", "setfield")}

PROPERTIES = {
    "flags": Flags,
    "base": lambda x: None if x._covers else whole(x),
    "nbytes": lambda x: x.size * x.dtype.itemsize,
    "itemsize": lambda x: x.dtype.itemsize,
    "device": lambda x: "cpu",
    "data": _attribute("data"),
    "ctypes": _attribute("ctypes"),
    "shape=": set_shape,
    "dtype=": _fixed("dtype", "use x = x.astype(dtype)"),
    "strides=": _fixed("strides", "use slices, transposes and reshape"),
    "data=": _fixed("memory", "use x[...] = values"),
}
