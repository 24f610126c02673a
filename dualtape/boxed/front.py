"""The namespace of traced arrays: a library's functions, with derivatives where their arguments are traced."""

import functools
import re
import types

from dualtape.boxed import (
    apply,
    determinants,
    einsum,
    elementwise,
    fourier,
    indexing,
    linalg,
    norms,
    reductions,
    results,
    shape,
)
from dualtape.boxed.array import FUNCTIONS, METHODS, BoxedArray, boxed, is_any_array, is_inexact, level_of, plain
from dualtape.boxed.backends import namespace_of
from dualtape.boxed.methods import diagonal_of, methods, stored, trace_of
from dualtape.boxed.signatures import adapter
from dualtape.core.array import Array
from dualtape.core.traced import Traced
from dualtape.errors import NoRuleError, user_line

__all__ = ["INTERNAL", "PLAIN", "Front", "front"]

# Functions whose results are plain: decisions, places, counts, and what depends on shapes and dtypes alone.
PLAIN = set(
    """
    all any argmax argmin argsort searchsorted nonzero count_nonzero isfinite isinf isnan equal not_equal less
    less_equal greater greater_equal logical_and logical_not
    logical_or logical_xor signbit floor ceil trunc round rint sign floor_divide result_type can_cast isdtype finfo
    iinfo ndim shape size allclose isclose array_equal linalg.matrix_rank broadcast_shapes may_share_memory
    shares_memory digitize
    """.split()
)


def plain_structure(x):
    """Arguments without what is traced in them."""
    if isinstance(x, (BoxedArray, Traced)):
        return plain(x)
    if type(x) in (list, tuple):
        return type(x)(plain_structure(e) for e in x)
    return x


def holds_traced(args):
    """Whether some arguments, or elements of lists and tuples among them, are traced arrays."""
    return any(
        isinstance(x, (BoxedArray, Array))
        or (isinstance(x, Traced) and level_of(x) != 0)
        or (type(x) in (list, tuple) and holds_traced(x))
        for x in args
    )


class Front(types.ModuleType):
    """A library's namespace for traced arrays: its functions take plain and traced arrays alike.

    Parameters
    ----------
    xp : namespace
        The library's own functions.
    part : str, optional
        Of which part of it: ``"linalg"`` or ``"fft"``.
    """

    def __init__(self, xp, part=""):
        # The library's own name: of plain and traced arrays together, array_api_compat asks whether all have the same.
        super().__init__(xp.__name__, f"The functions of {xp.__name__}, with derivatives.")
        self._xp = xp
        self._part = part

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        key = f"{self._part}.{name}" if self._part else name
        own = getattr(self._xp, name, None)
        if isinstance(own, types.ModuleType):
            out = Front(own, key)
        elif key in FUNCTIONS and key not in INTERNAL:
            out = _dispatched(key, own)
        elif own is None:
            raise AttributeError(f"{self._xp.__name__} has no {name!r}")
        elif callable(own) and not isinstance(own, type):
            out = _passed(key, own)
        else:
            out = own
        setattr(self, name, out)
        return out

    def __dir__(self):
        return sorted(set(dir(self._xp)))

    def __repr__(self):
        return f"<the functions of {self._xp.__name__}, with derivatives>"

    def asarray(self, x, /, *, dtype=None, device=None, copy=None, **options):
        """The library's array of `x`; a traced one stays traced."""
        if type(x) in (list, tuple) and holds_traced(x):
            x = _stacked(x)
        elif isinstance(x, Traced) and level_of(x):
            x = apply.array_of(x, self._xp.asarray(0.0, device=device))
        if not isinstance(x, BoxedArray):
            return self._xp.asarray(x, dtype=dtype, device=device, copy=copy, **options)
        if device is not None:
            x = shape.to_device(x, device)
        if dtype is not None and dtype != x.dtype:
            return FUNCTIONS["astype"](x, dtype)
        return FUNCTIONS["copy"](x) if copy else x

    array = asarray


INTERNAL = set(
    """
    operator operator_beside_array compare_beside_array of_boxed inplace getitem setitem item array_of front ufunc
    function kernel repeated assigned
    """.split()
)


def _dispatched(key, own):
    """A function with a rule: the library's own for plain arguments."""

    def dispatched(*args, **kwargs):
        if own is not None and not holds_traced(args) and not holds_traced(kwargs.values()):
            return own(*args, **kwargs)
        return _called(key, own, args, kwargs)

    return _named(dispatched, key, own or FUNCTIONS[key])


def _called(key, own, args, kwargs):
    """Our function, called in the manner of a library's own."""
    function = FUNCTIONS[key]
    adapt = None if own is None else adapter(own, function)
    if adapt is not None:
        args, kwargs, strange = adapt(args, kwargs)
        if strange is not None:
            raise no_rule(f"{key}(..., {strange}=...)")
    out = kwargs.pop("out", None)
    return stored(out, function(*args, **kwargs), key)


def _passed(key, own):
    """A function without a rule: only for plain arguments, or of plain results."""

    def passed(*args, **kwargs):
        if holds_traced(args) or holds_traced(kwargs.values()):
            if key not in PLAIN:
                raise no_rule(key)
            args = [plain_structure(x) for x in args]
            kwargs = {k: plain_structure(x) for k, x in kwargs.items()}
            out = own(*args, **kwargs)
            return boxed(out) if is_any_array(out) and is_inexact(out) else out
        return own(*args, **kwargs)

    return _named(passed, key, own)


def _named(function, key, own):
    function.__name__ = function.__qualname__ = key.rpartition(".")[2]
    function.__doc__ = own.__doc__
    return function


def _stacked(x):
    """Traced elements of nested sequences as an array."""
    parts = [_stacked(e) if type(e) in (list, tuple) else e for e in x]
    if not any(map(is_any_array, parts)):
        raise no_rule("asarray of a sequence of traced numbers without an array")
    return shape.stack(parts)


def no_rule(key):
    """The error for a function without a rule."""
    return NoRuleError(
        f"{user_line()}: {key} has no derivative rule for traced arrays of this library. Write the call with functions "
        "that have one (the page on other array libraries in the documentation lists them), or wrap its arguments in "
        "dt.stop_gradient where its result is constant. To add a rule, add a function to one of the files of "
        "dualtape.boxed."
    )


@functools.cache
def front(xp):
    """The namespace of traced arrays of a library."""
    return Front(xp)


def _by_name(key, args, kwargs):
    """A function of NumPy's or CuPy's, called on traced arrays, by its name."""
    near = next(x for x in _flat((args, tuple(kwargs.values()))) if is_any_array(x))
    place = front(namespace_of(plain(near)))
    for part in key.split("."):
        try:
            place = getattr(place, part)
        except AttributeError:
            raise no_rule(key) from None
    return place(*args, **kwargs)


def _flat(x):
    for e in x:
        if type(e) in (list, tuple):
            yield from _flat(e)
        else:
            yield e


def ufunc(function, method, inputs, kwargs):
    """One of NumPy's or SciPy's ufuncs on traced arrays."""
    if method != "__call__":
        raise no_rule(f"{function.__name__}.{method}")
    return _by_name(function.__name__, inputs, {k: v[0] if k == "out" else v for k, v in kwargs.items()})


def function(f, args, kwargs):
    """One of NumPy's functions on traced arrays."""
    part = next((p for p in ("linalg", "fft") if f".{p}" in (f.__module__ or "")), "")
    key = f"{part}.{f.__name__}" if part else f.__name__
    return _called(key, f, args, dict(kwargs)) if key in FUNCTIONS else _by_name(key, args, kwargs)


_PREFIX = re.compile("^(cupyx_scipy_special_|cupyx_scipy_|cupy_)")


def kernel(kernel, args, kwargs):
    """One of CuPy's ufuncs or kernels on traced arrays."""
    name = getattr(kernel, "name", "")
    own, known = _PREFIX.subn("", name.removesuffix("_with_dtype"))
    # Of kernels that programs define the name says nothing.
    if not known or type(kernel).__name__ == "ElementwiseKernel" or (own not in FUNCTIONS and own not in PLAIN):
        raise no_rule(own or "a kernel of CuPy's")
    inputs = getattr(kernel, "nin", len(args))
    kwargs = {k: v for k, v in kwargs.items() if v is not None}
    if len(args) > inputs:
        kwargs["out"] = args[inputs]
    return _by_name(own, args[:inputs], kwargs)


for part in (elementwise, shape, indexing, reductions, linalg, norms, determinants, results, einsum, fourier):
    FUNCTIONS.update(part.functions())
FUNCTIONS.update(
    operator=elementwise.operator,
    operator_beside_array=elementwise.operator,
    compare_beside_array=elementwise.compare,
    of_boxed=elementwise.of_boxed,
    inplace=elementwise.inplace,
    item=apply.item,
    array_of=apply.array_of,
    front=front,
    ufunc=ufunc,
    function=function,
    kernel=kernel,
    trace=trace_of,
    diagonal=diagonal_of,
)
METHODS.update(methods())
