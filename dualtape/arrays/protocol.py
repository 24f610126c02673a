"""NumPy's protocols: what ufuncs and functions called on traced arrays do."""

import functools
import inspect

import numpy as np

from dualtape.arrays import elementwise as rows
from dualtape.arrays.apply import apply_linear, is_array
from dualtape.arrays.moves import array, positions, scatter, setitem, where
from dualtape.arrays.products import matmul
from dualtape.arrays.reductions import accumulate, as_array, cumprod, cumsum, extreme, prod, reduce, sum_
from dualtape.core.array import Array
from dualtape.core.traced import Traced
from dualtape.core.values import level_of, plain_of
from dualtape.errors import ConversionError, NoRuleError, user_line
from dualtape.rules.table import RULES

__all__ = ["FUNCTIONS", "constant", "function", "no_rule", "register", "ufunc"]

ROW_OF_UFUNC = {name.rpartition(".")[2]: index for index, rule in enumerate(RULES) for name in rule.ufuncs}

# Ufuncs whose results are plain: decisions, and piecewise constant ones without a row.
PLAIN = {
    "less", "less_equal", "equal", "not_equal", "greater", "greater_equal", "isnan", "isinf", "isfinite", "signbit",
    "logical_not", "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor",
    "invert", "floor_divide", "floor", "ceil", "trunc", "rint", "sign", "spacing",
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
    return apply_linear(_plain_conjugate, (x,), lambda bar, wanted: (conjugate_any(bar),))


def conjugate_any(x):
    """The conjugate of a value of any kind."""
    return x.conjugate() if not is_array(x) else np.conjugate(x)


def _plain_conjugate(x):
    return conjugate(x) if isinstance(x, Array) else np.conjugate(x)


def vecdot(x, y):
    """np.vecdot over the last axis."""
    return sum_(conjugate(x) * y if rows._is_complex(x) else x * y, axis=-1)


OTHER = {
    "conjugate": conjugate,
    "conj": conjugate,
    "matmul": matmul,
    "divmod": lambda x, y: (np.floor_divide(plain_of(x), plain_of(y)), np.remainder(x, y)),
    "vecdot": vecdot,
    "matvec": lambda x, y: matmul(x, np.expand_dims(y, -1))[..., 0],
    "vecmat": lambda x, y: matmul(np.expand_dims(conjugate(x), -2), y)[..., 0, :],
}


def label_of(function, method):
    """How a ufunc, or a method of one, is written."""
    name = f"np.{function.__name__}" if hasattr(np, function.__name__) else f"scipy.special.{function.__name__}"
    return name if method == "__call__" else f"{name}.{method}"


def ufunc(function, method, inputs, kwargs):
    """A ufunc with a traced array among its operands.

    Parameters
    ----------
    function : numpy.ufunc
    method : str
        ``"__call__"``, ``"reduce"``, ``"accumulate"``, ``"outer"`` or ``"at"``.
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
    label = label_of(function, method)
    if not known(function):
        raise no_rule(label)
    if method == "at":
        return _at(function, label, *inputs)
    outs = kwargs.pop("out", None)
    outs = () if outs is None else outs
    if type(outs) is tuple and len(outs) == 1 and outs[0] is None:
        outs = ()
    if isinstance(outs, (Array, np.ndarray)):
        outs = (outs,)
    if method == "__call__":
        result = _call(function, label, inputs, kwargs, outs)
    elif method in ("reduce", "accumulate", "outer"):
        result = {"reduce": _reduce, "accumulate": _accumulate, "outer": _outer}[method](
            function, label, *inputs, **kwargs
        )
    else:
        raise no_rule(label)
    if result is None:
        return outs[0]
    if outs and outs[0] is not None:
        if not isinstance(result, tuple):
            return store(outs[0], result, label)
        return tuple(r if o is None else store(o, r, label) for o, r in zip(outs, result, strict=True))
    return result


def known(function):
    """Whether a ufunc has a rule."""
    name = function.__name__
    if name in ROW_OF_UFUNC:
        return function in (getattr(np, name, None), np._core.umath.clip) or name in _SCIPY
    return name in PLAIN or name in OTHER or name == "float_power"


_SCIPY = {name.rpartition(".")[2] for rule in RULES for name in rule.ufuncs if name.startswith("scipy")}


def rows_of_ufuncs():
    """The rows of NumPy's ufuncs, by the ufunc."""
    return {
        getattr(np, name): row
        for name, row in ROW_OF_UFUNC.items()
        if isinstance(getattr(np, name, None), np.ufunc) and not RULES[row].constant
    }


def of_ufunc(function):
    """A ufunc as a function of arrays of any kind."""
    name = function.__name__
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


def store(out, result, label):
    """Put a result into ``out=``."""
    if isinstance(out, Array):
        if (
            np.shape(plain_of(result)) != out.shape
            and np.broadcast_shapes(np.shape(plain_of(result)), out.shape) != out.shape
        ):
            raise ValueError(
                f"non-broadcastable output operand with shape {out.shape} doesn't match the broadcast shape "
                f"{np.shape(plain_of(result))}"
            )
        rows.check_cast(result, out.dtype, label.partition(".")[2])
        out[...] = result
        return out
    if level_of(result) == 0:
        np.copyto(out, plain_of(result), casting="same_kind")
        return out
    raise ConversionError(
        f"{user_line()}: {label} cannot store traced values into a plain array of {out.dtype} without dropping "
        "their derivatives. Make the array with dt.zeros(n), np.zeros_like(x) of a traced x, or dt.array(...), or "
        "leave out= away."
    )


def _operands(inputs, kwargs):
    kwargs = {k: v for k, v in kwargs.items() if k not in ("casting", "order", "subok")}
    dtype = kwargs.pop("dtype", None)
    inputs = [as_array(x) if isinstance(x, (list, tuple, np.ndarray)) else x for x in inputs]
    if dtype is not None:
        inputs = [as_array(x).astype(dtype) for x in inputs]
    return inputs, kwargs


def _call(function, label, inputs, kwargs, outs):
    inputs, kwargs = _operands(inputs, kwargs)
    mask = kwargs.pop("where", True)
    if kwargs:
        raise no_rule(f"{label} with {', '.join(kwargs)}=")
    refuse_orders(ROW_OF_UFUNC.get(function.__name__), inputs)
    result = of_ufunc(function)(*inputs)
    if mask is True:
        return result
    mask = plain_of(mask) if isinstance(mask, Array) else np.asarray(mask)
    if outs and outs[0] is not None:
        out = outs[0]
        if not isinstance(out, Array) and level_of(result):
            store(out, result, label)  # raises
        mask = np.broadcast_to(mask, out.shape)
        whole = as_array(result)
        whole = np.broadcast_to(whole, out.shape) if whole.shape != out.shape else whole
        out[mask] = whole[mask]
        return None
    return where(mask, result, 0.0)


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
    if initial is not np._NoValue or where is not True or isinstance(axis, tuple):
        raise no_rule(f"{label} with initial=, where= or several axes")
    return reduce(of_ufunc(function), x, 0 if axis is None and x.ndim == 1 else axis, keepdims)


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


def _outer(function, label, a, b, **kwargs):
    x, y = as_array(a), as_array(b)
    left = np.reshape(x, x.shape + (1,) * y.ndim)
    return _call(function, label, (left, y), kwargs, ())


def _at(function, label, a, indices, *rest):
    """Unbuffered in-place operation: an element named k times is changed k times."""
    if not isinstance(a, Array):
        raise ConversionError(
            f"{user_line()}: {label} cannot put traced values into a plain array of {np.asarray(a).dtype} without "
            "dropping their derivatives. Make the array with dt.zeros(n) or dt.array(...)."
        )
    if isinstance(indices, (list, Array)):
        indices = plain_of(indices) if isinstance(indices, Array) else np.asarray(indices, None if indices else int)
    places = positions(a.shape)[indices]
    rest = [np.broadcast_to(as_array(b), np.shape(places)) for b in rest]
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
    if len(args) > 2 or "out" in kwargs:
        args, kwargs, out = _without_out(f, args, kwargs)
        if out is not None:
            return store(out, implementation(*args, **kwargs), f"np.{f.__name__}")
    return implementation(*args, **kwargs)


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
