"""NumPy's protocols: what ufuncs and functions called on traced arrays do."""

import functools
import inspect

import numpy as np

from dualtape.arrays import elementwise as rows
from dualtape.arrays.apply import apply_linear, is_array
from dualtape.arrays.moves import array, copy, positions, scatter, setitem, where
from dualtape.arrays.products import matmul
from dualtape.arrays.reductions import (
    accumulate,
    as_array,
    axes_of,
    cumprod,
    cumsum,
    extreme,
    mask_of,
    prod,
    reduce,
    sum_,
)
from dualtape.core import floating, linear, native
from dualtape.core.array import Array
from dualtape.core.traced import Traced
from dualtape.core.values import level_of, plain_array, plain_of
from dualtape.errors import ConversionError, NoRuleError, user_line
from dualtape.rules.table import RULES

__all__ = ["FUNCTIONS", "constant", "function", "no_rule", "register", "ufunc"]

ROW_OF_UFUNC = {name.rpartition(".")[2]: index for index, rule in enumerate(RULES) for name in rule.ufuncs}

# Ufuncs whose results are plain: decisions, and piecewise constant ones without a row.
PLAIN = {
    "less", "less_equal", "equal", "not_equal", "greater", "greater_equal", "isnan", "isinf", "isfinite", "signbit",
    "logical_not", "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor",
    "invert", "floor_divide", "floor", "ceil", "trunc", "rint", "sign", "spacing",
    "gammasgn",
}  # fmt: skip


def no_rule(name):
    """The error for a function without a rule: what, where, and how to add one."""
    return NoRuleError(
        f"{user_line()}: {name} has no derivative rule for traced values. Write the call with functions that have one "
        "(the rules page of the documentation lists them), or wrap its arguments in dt.stop_gradient where its result "
        "is constant. To add a rule, add a row to dualtape.arrays.protocol.FUNCTIONS."
    )


# The arguments of rows that are orders, by which there is no derivative.
ORDERS = {
    row: places
    for row, rule in enumerate(RULES)
    if not rule.constant and (places := tuple(k for k, text in enumerate(rule.partials) if text is None))
}


def refuse_orders(row, args):
    """Raise where an order is traced: its derivative is not known, and would be lost."""
    for k in ORDERS.get(row, ()):
        if level_of(args[k]):
            rule = RULES[row]
            raise NoRuleError(
                f"{user_line()}: {rule.name}({', '.join(rule.args)}) has no derivative rule by its order "
                f"{rule.args[k]}. Give a plain number (dt.stop_gradient({rule.args[k]})) where it is constant."
            )


# --- ufuncs ------------------------------------------------------------------------------------------------------


def conjugate(x):
    """np.conjugate, which is linear over the reals: tangents and adjoints are conjugated."""
    if not rows._is_complex(x):
        return rows.elementwise(rows.ROWS["pos"], (x,))
    out = native.row(native.CONJUGATE, x)
    if out is not None:
        return out
    return apply_linear(_plain_conjugate, (x,), lambda bar, wanted: (conjugate_any(bar),))


def conjugate_any(x):
    """The conjugate of a value of any kind."""
    return x.conjugate() if not is_array(x) else np.conjugate(x)


def _plain_conjugate(x):
    return conjugate(x) if isinstance(x, Array) else np.conjugate(x)


def matmul_ufunc(x, y):
    """np.matmul, which warns of overflows as np.dot does not."""
    x, y = as_array(x), as_array(y)
    floating.clear_flags()
    out = linear.product(x, y)
    if out is None:
        return matmul(x, y)
    floating.report_flags(len(RULES))
    return out


def vecdot(x, y):
    """np.vecdot over the last axis."""
    return sum_(conjugate(x) * y if rows._is_complex(x) else x * y, axis=-1)


def sign(x):
    """np.sign: constant for real numbers, x / |x| for complex ones."""
    if not rows._is_complex(x):
        return np.sign(plain_of(x))
    size = abs(x)
    fixed = np.equal(plain_of(size), 0) | np.isinf(plain_of(size))
    return where(fixed, np.sign(plain_of(x)), where(fixed, 1.0, x) / where(fixed, 1.0, size))


OTHER = {
    "conjugate": conjugate,
    "conj": conjugate,
    "matmul": matmul_ufunc,
    "divmod": lambda x, y: (np.floor_divide(plain_of(x), plain_of(y)), np.remainder(x, y)),
    "vecdot": vecdot,
    "matvec": lambda x, y: matmul(x, np.expand_dims(y, -1))[..., 0],
    "vecmat": lambda x, y: matmul(np.expand_dims(conjugate(x), -2), y)[..., 0, :],
}


def label_of(function, method):
    """How a ufunc, or a method of one, is written."""
    name = f"np.{function.__name__}" if hasattr(np, function.__name__) else f"scipy.special.{function.__name__}"
    return name if method == "__call__" else f"{name}.{method}"


def _answers_itself(x):
    """Whether an operand is of a class around arrays (units, labels) that NumPy asks next."""
    return not isinstance(x, (np.ndarray, np.generic, Array, Traced)) and hasattr(type(x), "__array_ufunc__")


def ufunc(function, method, inputs, kwargs):
    """A ufunc with a traced array among its operands.

    Parameters
    ----------
    function : numpy.ufunc
    method : str
        ``"__call__"``, ``"reduce"``, ``"reduceat"``, ``"accumulate"``, ``"outer"`` or ``"at"``.
    inputs : tuple
    kwargs : dict

    Returns
    -------
    Array, Traced, or plain array or number

    Raises
    ------
    NoRuleError
        If there is no rule for the ufunc or its method.
    ConversionError
        If the result, which is traced, was to go into a plain array.
    """
    if any(map(_answers_itself, inputs)):
        return NotImplemented
    label = label_of(function, method)
    if not known(function):
        raise no_rule(label)
    if method == "at":
        return _at(function, label, *inputs)
    if "where" in kwargs:
        kwargs["where"] = mask_of(kwargs["where"])
    if "initial" in kwargs and kwargs["initial"] is None:  # the first element, as without it
        del kwargs["initial"]
    outs = kwargs.pop("out", None)
    outs = () if outs is None else outs
    if type(outs) is tuple and len(outs) == 1 and outs[0] is None:
        outs = ()
    if isinstance(outs, (Array, np.ndarray)):
        outs = (outs,)
    if method == "__call__":
        result = _call(function, label, inputs, kwargs, outs)
    elif method == "outer":
        result = _outer(function, label, outs, *inputs, **kwargs)
    elif method in METHODS:
        result = METHODS[method](function, label, *inputs, **kwargs)
    else:
        raise no_rule(label)
    if result is None:
        return outs[0]
    if outs and outs[0] is not None:
        casting = kwargs.get("casting", "same_kind")
        if not isinstance(result, tuple):
            return store(outs[0], result, label, casting, method in METHODS)
        return tuple(r if o is None else store(o, r, label, casting) for o, r in zip(outs, result, strict=True))
    return result


@functools.cache
def known(function):
    """Whether a ufunc has a rule."""
    name = function.__name__
    if name in ROW_OF_UFUNC:
        return function in (getattr(np, name, None), np._core.umath.clip) or name in _SCIPY
    return name in PLAIN or name in OTHER or name == "float_power"


_SCIPY = {name.rpartition(".")[2] for rule in RULES for name in rule.ufuncs if name.startswith("scipy")}


def rows_of_ufuncs():
    """The rows of NumPy's ufuncs, by the ufunc."""
    return {np.conjugate: native.CONJUGATE} | {
        getattr(np, name): row
        for name, row in ROW_OF_UFUNC.items()
        if isinstance(getattr(np, name, None), np.ufunc) and not RULES[row].constant and name != "float_power"
    }


@functools.cache
def of_ufunc(function):
    """A ufunc as a function of arrays of any kind."""
    name = function.__name__
    if name == "sign":
        return sign
    if name in PLAIN:
        return lambda *xs: function(*[plain_of(x) for x in xs])
    if name in OTHER:
        return OTHER[name]
    row = ROW_OF_UFUNC[name]
    if name == "float_power":
        return lambda *xs: rows.elementwise(row, [_at_least_double(x) for x in xs])
    return lambda *xs: rows.elementwise(row, xs)


def _at_least_double(x):
    """An operand of float_power, which computes in float64 or complex128."""
    return x.astype(np.result_type(x.dtype, np.float64)) if is_array(x) else x


def store(out, result, label, casting="same_kind", exact=False):
    """Put a result into ``out=``, which must have its shape if `exact`, and else a shape that it broadcasts to."""
    if exact and np.shape(plain_of(out)) != np.shape(plain_of(result)):
        raise ValueError(
            f"{label}: output array of shape {np.shape(plain_of(out))} does not match the result's "
            f"{np.shape(plain_of(result))}"
        )
    if isinstance(out, Array):
        if (
            np.shape(plain_of(result)) != out.shape
            and np.broadcast_shapes(np.shape(plain_of(result)), out.shape) != out.shape
        ):
            raise ValueError(
                f"non-broadcastable output operand with shape {out.shape} doesn't match the broadcast shape "
                f"{np.shape(plain_of(result))}"
            )
        rows.check_cast(result, out.dtype, label.partition(".")[2], casting)
        out[...] = result
        return out
    if level_of(result) == 0:
        np.copyto(out, plain_of(result), casting=casting)
        return out
    raise ConversionError(
        f"{user_line()}: {label} cannot store traced values into a plain array of {out.dtype} without dropping "
        "their derivatives. Make the array with dt.zeros(n), np.zeros_like(x) of a traced x, or dt.array(...), or "
        "leave out= away."
    )


def _call(function, label, inputs, kwargs, outs):
    """A ufunc with its options, all of NumPy's: ``where``, ``dtype``, ``signature``, ``casting``, ``order``; there are
    no subclasses for ``subok`` to keep.
    """
    inputs = [as_array(x) if isinstance(x, (list, tuple, np.ndarray)) else x for x in inputs]
    refuse_orders(ROW_OF_UFUNC.get(function.__name__), inputs)
    if not kwargs:
        return of_ufunc(function)(*inputs)
    kwargs = dict(kwargs)
    mask = kwargs.pop("where", True)
    order = kwargs.pop("order", None)
    kwargs.pop("subok", None)
    if function.signature is not None and not {"axes", "axis", "keepdims"}.isdisjoint(kwargs):
        return _along_axes(function, label, inputs, kwargs, outs)
    if kwargs:
        result = _in_dtypes(function, inputs, outs, **kwargs)
    else:
        result = of_ufunc(function)(*inputs)
    if mask is True:
        return result if order in (None, "K") or outs else _in_order(result, order, inputs)
    if outs and outs[0] is not None:
        out = outs[0]
        if not isinstance(out, Array) and level_of(result):
            store(out, result, label)  # raises
        mask = np.broadcast_to(mask, out.shape)
        whole = as_array(result)
        whole = np.broadcast_to(whole, out.shape) if whole.shape != out.shape else whole
        out[mask] = whole[mask]
        return None
    return _in_order(where(mask, result, 0.0), order, inputs)


# For the generalized ufuncs, the numbers of axes that an operation takes of its operands and leaves in its result.
_CORE_AXES = {"matmul": (2, 2, 2), "vecdot": (1, 1, 0), "matvec": (2, 1, 1), "vecmat": (1, 2, 1)}


def _along_axes(function, label, inputs, kwargs, outs):
    """A generalized ufunc with ``axes``, ``axis`` or ``keepdims``."""
    options = {k: kwargs[k] for k in ("axes", "axis", "keepdims") if k in kwargs}
    inputs = [as_array(x) for x in inputs]
    function(*[plain_of(x) for x in inputs], **options)  # raises NumPy's errors
    cores = _CORE_AXES[function.__name__]
    axes = options.get("axes") or [options.get("axis", -1) if n == 1 else () if n == 0 else (-2, -1) for n in cores]
    axes = [a if isinstance(a, (tuple, list)) else (a,) for a in axes]
    inputs = [np.moveaxis(x, a, range(-n, 0)) if n else x for x, a, n in zip(inputs, axes, cores, strict=False)]
    result = _call(function, label, inputs, {k: v for k, v in kwargs.items() if k not in options}, outs[:0])
    if options.get("keepdims"):
        kept = axes[2] if len(axes) > 2 and axes[2] else options.get("axis", -1)
        return np.expand_dims(as_array(result), kept)
    return np.moveaxis(result, range(-cores[2], 0), axes[2]) if cores[2] else result


def _in_dtypes(function, inputs, outs, dtype=None, signature=None, sig=None, casting="same_kind"):
    """A ufunc in the loop that NumPy chooses for its options; NumPy's error where there is none."""
    signature = sig if signature is None else signature
    if dtype is not None:
        signature = (None,) * function.nin + (np.dtype(dtype),) * function.nout
    kinds = [type(x) if type(x) in (int, float, complex) else _dtype_of(x) for x in inputs]
    given = [None if o is None else o.dtype for o in outs] or [None] * function.nout
    options = {"casting": casting} if signature is None else {"casting": casting, "signature": signature}
    loop = function.resolve_dtypes((*kinds, *given), **options)
    inputs = [x if _dtype_of(x) == d else as_array(x).astype(d) for x, d in zip(inputs, loop, strict=False)]
    result = of_ufunc(function)(*inputs)
    if function.nout > 1 or _dtype_of(result) == loop[-1]:
        return result
    return as_array(result).astype(loop[-1])[()]


def _dtype_of(x):
    return x.dtype if hasattr(x, "dtype") else np.asarray(plain_of(x)).dtype


def _in_order(result, order, inputs):
    """A result in the memory layout that ``order=`` asks for."""
    if isinstance(result, tuple):
        return tuple(_in_order(r, order, inputs) for r in result)
    if not is_array(result) or order in (None, "K"):
        return result
    if order == "A":
        order = "F" if all(plain_of(x).flags.f_contiguous for x in inputs if is_array(x)) else "C"
    if plain_of(result).flags[f"{order}_CONTIGUOUS"]:
        return result
    return np.array(result, order=order) if isinstance(result, np.ndarray) else copy(result, order)


def _reduce(function, label, a, axis=0, dtype=None, keepdims=False, initial=np._NoValue, where=True):
    name = function.__name__
    x = as_array(a)
    options = {"axis": axis, "keepdims": keepdims, "initial": initial, "where": where}
    if name in PLAIN:
        return function.reduce(plain_of(x), **options)
    if dtype is not None:
        x = x.astype(dtype)
    named = {"add": sum_, "multiply": prod, "maximum": extreme("max"), "minimum": extreme("min")}
    if name in named:
        return named[name](x, **options)
    options["initial"] = plain_of(initial)
    mask = options["where"] = plain_of(where)
    plain = function.reduce(plain_of(x), **options)  # raises NumPy's errors
    if initial is np._NoValue or initial is None:
        initial = None if mask is True else function.identity
    if x.size == 0 and not level_of(initial):
        return plain
    return reduce(of_ufunc(function), x, axes_of(x, axis), keepdims, initial, mask)


def _reduceat(function, label, a, indices, axis=0, dtype=None):
    """Each piece of an axis from one index to the next; an index that is not below the next one names one element."""
    x = as_array(a)
    indices = np.asarray(plain_of(indices))
    if function.__name__ in PLAIN:
        return function.reduceat(plain_of(x), indices, axis)
    function.reduceat(plain_of(x), indices, axis)  # raises NumPy's errors
    lines = np.moveaxis(x if dtype is None else x.astype(dtype), axis, 0)
    ends = [*indices[1:], len(lines)][: len(indices)]
    pieces = [lines[i : max(i + 1, j)] for i, j in zip(indices, ends, strict=True)]
    parts = [as_array(_reduce(function, label, piece)) for piece in pieces]
    return np.moveaxis(np.stack(parts) if parts else lines[:0], 0, axis)


def _accumulate(function, label, a, axis=0, dtype=None):
    x = as_array(a)
    if function.__name__ in PLAIN:
        return function.accumulate(plain_of(x), axis=axis)
    if dtype is not None:
        x = x.astype(dtype)
    named = {"add": cumsum, "multiply": cumprod}
    if function.__name__ in named:
        return named[function.__name__](x, axis)
    return accumulate(of_ufunc(function), x, axis)


def _outer(function, label, outs, a, b, **kwargs):
    x, y = as_array(a), as_array(b)
    left = np.reshape(x, x.shape + (1,) * y.ndim)
    return _call(function, label, (left, y), kwargs, outs)


METHODS = {"reduce": _reduce, "accumulate": _accumulate, "reduceat": _reduceat}


def _at(function, label, a, indices, *rest):
    """Unbuffered in-place operation: an element named k times is changed k times."""
    if not isinstance(a, Array):
        raise ConversionError(
            f"{user_line()}: {label} cannot put traced values into a plain array of {np.asarray(a).dtype} without "
            "dropping their derivatives. Make the array with dt.zeros(n) or dt.array(...)."
        )
    if isinstance(indices, (list, Array)):
        indices = plain_of(indices) if isinstance(indices, Array) else np.asarray(indices, None if indices else int)
    if a._readonly:
        raise ValueError("array is read-only")
    places = positions(a.shape)[indices]
    rest = [copy(np.broadcast_to(as_array(b), np.shape(places))) for b in rest]  # `a` may be among them
    flat = np.ravel(places)
    if function.__name__ in ("add", "subtract") and np.unique(flat).size < flat.size:
        total = scatter(rest[0], indices, a.shape)
        setitem(a, ..., a + total if function.__name__ == "add" else a - total)
        return None
    operation = of_ufunc(function)
    rest = [np.ravel(b) for b in rest]
    order = np.argsort(flat, kind="stable")
    first = np.concatenate([[0], np.flatnonzero(np.diff(flat[order])) + 1]) if flat.size else np.zeros(0, int)
    counts = np.diff(np.append(first, flat.size))
    turn = np.empty(flat.size, int)
    turn[order] = np.arange(flat.size) - np.repeat(first, counts)
    for k in range(int(turn.max(initial=-1)) + 1):
        chosen = np.flatnonzero(turn == k)
        key = np.unravel_index(flat[chosen], a.shape) if a.ndim else ()
        setitem(a, key, operation(a[key], *[b[chosen] for b in rest]))
    return None


# --- functions ---------------------------------------------------------------------------------------------------

# Functions whose result is broadcast to the shape of ``out=``, as that of a ufunc is.
BROADCASTING = {np.clip, np.round, np.around, np.fix, np.outer}

FUNCTIONS: dict = {}
"""For each NumPy function what it is on traced arrays."""


def register(*functions):
    """Make the decorated function what NumPy's `functions` are on traced arrays."""

    def decorator(implementation):
        for f in functions:
            FUNCTIONS[f] = implementation
        return implementation

    return decorator


def constant(*functions):
    """Register functions whose results are plain: locally constant, or no numbers."""
    for f in functions:
        FUNCTIONS[f] = functools.partial(_on_plain, f)


def _on_plain(f, *args, **kwargs):
    return f(*[_all_plain(a) for a in args], **{k: _all_plain(v) for k, v in kwargs.items()})


def _all_plain(x):
    if isinstance(x, (Array, Traced)):
        return plain_of(x)
    if type(x) in (list, tuple):
        return type(x)([_all_plain(e) for e in x])
    return x


def function(f, args, kwargs):
    """A NumPy function with a traced array among its arguments."""
    implementation = FUNCTIONS.get(f)
    if implementation is None:
        raise no_rule(f"{(f.__module__ or 'numpy').replace('numpy', 'np', 1)}.{f.__name__}")
    if "where" in kwargs:
        kwargs = {**kwargs, "where": mask_of(kwargs["where"])}
    if "initial" in kwargs and kwargs["initial"] is None:
        kwargs = {k: v for k, v in kwargs.items() if k != "initial"}
    if len(args) > 2 or "out" in kwargs:
        args, kwargs, out = _without_out(f, args, kwargs)
        if out is not None:
            if f is np.concatenate and kwargs.get("dtype") is not None:
                raise TypeError("concatenate() only takes `out` or `dtype` as an argument, but both were provided.")
            return store(out, implementation(*args, **kwargs), f"np.{f.__name__}", exact=f not in BROADCASTING)
    out = implementation(*args, **kwargs)
    if type(out) is np.ndarray and out.dtype.kind in "fc" and type(implementation) is not functools.partial:
        return plain_array(out)  # what comes from arrays that accept traced values accepts them too
    return out


@functools.cache
def _signature(f):
    try:
        return inspect.signature(f)
    except (ValueError, TypeError):
        return None


def _without_out(f, args, kwargs):
    """Take ``out`` from the arguments, by name or by place."""
    if "out" in kwargs:
        kwargs = dict(kwargs)
        out = kwargs.pop("out")
        return args, kwargs, out
    signature = _signature(f)
    if signature is None or "out" not in signature.parameters:
        return args, kwargs, None
    place = list(signature.parameters).index("out")
    if len(args) <= place or any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values()):
        return args, kwargs, None
    return (*args[:place], None, *args[place + 1 :]), kwargs, args[place]


def from_sequence(x):
    """A sequence of arrays and numbers as a list of arrays."""
    return [array(e) if isinstance(e, (Traced, list, tuple)) else e for e in x]
