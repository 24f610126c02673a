"""NumPy's and SciPy's ufuncs on traced scalars and on object arrays of them."""

import math
import operator

import numpy as np

from dualtape.arrays import protocol
from dualtape.arrays.protocol import label_of, no_rule, refuse_orders
from dualtape.core import elementwise, traced
from dualtape.core.array import Array
from dualtape.core.dual import Dual
from dualtape.core.tape import Var
from dualtape.core.traced import Traced
from dualtape.errors import ConversionError, user_line
from dualtape.rules.table import RULES

__all__ = ["ROW_OF_UFUNC", "handle"]

ROW_OF_UFUNC = {name.rpartition(".")[2]: index for index, rule in enumerate(RULES) for name in rule.ufuncs}

# Ufuncs whose results are plain: decisions and piecewise constants.
PLAIN = {
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "isnan": lambda x: math.isnan(traced.plain(x)),
    "isinf": lambda x: math.isinf(traced.plain(x)),
    "isfinite": lambda x: math.isfinite(traced.plain(x)),
    "signbit": lambda x: math.copysign(1.0, traced.plain(x)) < 0.0,
    "logical_not": operator.not_,
    "logical_and": lambda x, y: bool(x) and bool(y),
    "logical_or": lambda x, y: bool(x) or bool(y),
    "logical_xor": lambda x, y: bool(x) != bool(y),
    "floor_divide": operator.floordiv,
    "floor": lambda x: float(math.floor(x)),
    "ceil": lambda x: float(math.ceil(x)),
    "trunc": lambda x: float(math.trunc(x)),
    "rint": lambda x: float(round(x)),
}
# Those of them that give bools.
DECISIONS = {name for name in PLAIN if name not in ("floor_divide", "floor", "ceil", "trunc", "rint")}
OTHER = {
    "divmod": divmod,
    "conjugate": lambda x: x.conjugate(),
    "conj": lambda x: x.conjugate(),
    "float_power": lambda x, y: traced.apply_row(traced.ROWS["pow"], (x, y)),
}


def _is_numeric_array(x):
    return isinstance(x, Array) or (isinstance(x, np.ndarray) and x.ndim > 0 and x.dtype != object)


def _is_object_array(x):
    return isinstance(x, np.ndarray) and x.dtype == object


def handle(ufunc, method, inputs, kwargs):
    """A ufunc with a traced scalar among its operands.

    Parameters
    ----------
    ufunc : numpy.ufunc
    method : str
        ``"__call__"``, ``"reduce"``, ...
    inputs : tuple
    kwargs : dict

    Returns
    -------
    Traced, plain number or ndarray of object

    Raises
    ------
    NoRuleError
        If the ufunc is not in the table of rules.
    ConversionError
        If ``out`` is an array of plain numbers.
    """
    outs = kwargs.get("out") or ()
    series = any(isinstance(x, Traced) and not isinstance(x, (Dual, Var)) for x in inputs)
    if (
        not series
        and any(_is_numeric_array(x) for x in (*inputs, *outs))
        and not any(_is_object_array(x) for x in (*inputs, *outs))
    ):
        return protocol.ufunc(ufunc, method, inputs, kwargs)
    name = ufunc.__name__
    label = label_of(ufunc, method)
    for out in outs:
        if out is not None and out.dtype != object:
            raise ConversionError(
                f"{user_line()}: {label} cannot store a traced value into an array of {out.dtype} without dropping "
                "its derivative. Use an object array (x.astype(object)), leave out= away, or store dt.stop_gradient(x) "
                "where the plain number is meant."
            )
    has_arrays = any(isinstance(x, np.ndarray) and x.ndim for x in inputs)
    if method != "__call__" or outs or has_arrays:
        return on_arrays(ufunc, method, label, inputs, kwargs)
    if kwargs.get("where", True) is not True:
        raise no_rule(f"{label} with where=")
    numbers = [traced.to_number(x) for x in inputs]
    if any(x is None for x in numbers):
        return NotImplemented
    if name in protocol.PLAIN and name not in PLAIN and name not in ROW_OF_UFUNC:
        return ufunc(*[traced.plain(x) for x in numbers])
    return on_scalars(name, label, numbers)


def on_scalars(name, label, numbers):
    """A ufunc at numbers."""
    function = PLAIN.get(name) or OTHER.get(name)
    if function is not None:
        return function(*numbers)
    row = ROW_OF_UFUNC.get(name)
    if row is None and name in protocol.OTHER:
        return protocol.OTHER[name](*numbers)
    if row is None:
        raise no_rule(label)
    refuse_orders(row, numbers)
    return traced.apply_row(row, numbers)


def on_arrays(ufunc, method, label, inputs, kwargs):
    """A ufunc over object arrays: by NumPy's own object loop where it has one, element by element otherwise."""
    operands = [elementwise.scalar_as_object(x) if isinstance(x, Traced) else x for x in inputs]
    name = ufunc.__name__
    if method == "__call__" and not kwargs and (name in ROW_OF_UFUNC or name in PLAIN or name in OTHER):

        def scalar(*xs):
            return on_scalars(name, label, [traced.to_number(x) for x in xs])

        with np.errstate(all="ignore"):  # the scalar kernels raise the flags of IEEE, which are not NumPy's to report
            out = np.frompyfunc(scalar, ufunc.nin, ufunc.nout)(*operands)
        return np.asarray(out, dtype=bool) if name in DECISIONS else out
    if method == "at" and inputs[0].dtype != object:
        raise ConversionError(
            f"{user_line()}: {label} cannot put traced values into an array of {inputs[0].dtype} without dropping "
            "their derivatives. Use an object array: x.astype(object)."
        )
    objects = [x.astype(object) if isinstance(x, np.ndarray) and x.dtype != object else x for x in operands]
    if method == "at" and len(inputs) > 1:
        objects[1] = inputs[1]  # the indices
    try:
        return getattr(ufunc, method)(*objects, **kwargs)
    except TypeError as error:
        raise no_rule(label) from error


traced.set_ufunc_handler(handle)
traced.set_methods({method: ROW_OF_UFUNC[method] for rule in RULES for method in rule.methods})
