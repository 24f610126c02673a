"""sin, exp, where ...: one function for numbers of every kind, a drop-in for :mod:`math`.

On plain floats they do what math's functions do, errors included. On traced values they follow IEEE: outside its
domain a function gives NaN or an infinity and does not raise, so that ``where`` can choose the other branch. On
arrays they are NumPy's and SciPy's ufuncs.
"""

import cmath
import math
import operator
from functools import reduce
from math import comb, e, factorial, gcd, inf, isqrt, lcm, nan, perm, pi, tau

import numpy as np

from dualtape.arrays.moves import where as array_where
from dualtape.boxed.array import FUNCTIONS as BOXED
from dualtape.boxed.array import is_any_array
from dualtape.core import function, traced
from dualtape.core.array import Array
from dualtape.core.traced import Traced
from dualtape.rules.table import RULES

# Python's operators are the functions of these rows; `where` below chooses instead of computing both branches.
_WITHOUT_FUNCTION = {"add", "sub", "mul", "div", "neg", "pos", "mod", "floordiv", "where"}


def _docstring(rule):
    """The docstring of a row's function, from the table."""
    partials = "\n".join(
        f"    d/d{arg} = {'none, it is an order' if text is None else text}"
        for arg, text in zip(rule.args, rule.partials, strict=True)
    )
    return (
        f"{rule.doc}\n\nParameters\n----------\n{', '.join(rule.args)} : number or array_like\n"
        "    Numbers of any kind, traced or not, or arrays of them.\n\nReturns\n-------\nnumber or ndarray\n"
        "    Traced where an argument is.\n\nNotes\n-----\nPartial derivatives, where `out` is the result::\n\n"
        f"{partials}\n"
    )


_ROWS = {
    rule.name: function.builtin(index, _docstring(rule))
    for index, rule in enumerate(RULES)
    if not rule.helper and rule.name not in _WITHOUT_FUNCTION
}
_ROWS |= {alias: _ROWS[rule.name] for rule in RULES for alias in rule.aliases if rule.name in _ROWS}


def _rounding(name, of_scalar):
    """floor, ceil, trunc, round: plain integers of scalars."""

    def rounding(x):
        return _ROWS[name](x) if isinstance(x, (np.ndarray, Array)) and x.ndim else of_scalar(x)

    rounding.__name__ = rounding.__qualname__ = name
    rounding.__doc__ = (
        f"{name}(x) as a plain integer, locally constant; of an array, elementwise as floats.\n\n"
        "Parameters\n----------\nx : number or ndarray\n\nReturns\n-------\nint or ndarray\n"
    )
    return rounding


def log(x, base=None):
    """Logarithm, natural or to a base.

    Parameters
    ----------
    x, base : number or array_like

    Returns
    -------
    number or ndarray

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.derivative(dt.log)(2.0)
    0.5
    >>> dt.log(8, 2)
    3.0
    """
    natural = _ROWS["log"]
    if base is None:
        return natural(x)
    if isinstance(x, (int, float)) and isinstance(base, (int, float)):
        return math.log(x, base)
    return natural(x) / natural(base)


def hypot(*coordinates):
    """Euclidean norm of its arguments, as ``math.hypot``: no overflow on the way, derivative 0 at the origin.

    Parameters
    ----------
    *coordinates : number or array_like

    Returns
    -------
    number or ndarray
    """
    if len(coordinates) != 2 and not any(isinstance(x, (Traced, np.ndarray)) for x in coordinates):
        return math.hypot(*coordinates)
    return reduce(_ROWS["hypot"], coordinates) if len(coordinates) > 1 else abs(coordinates[0])


def where(condition, x, y):
    """`x` where the condition holds, else `y`; the branch not taken leaves no trace in the derivative.

    Parameters
    ----------
    condition : bool or array_like of bool
    x, y : number or array_like

    Returns
    -------
    number or ndarray

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.derivative(lambda x: dt.where(x < 1, x, dt.sqrt(x - 1)))(0.0)
    1.0
    """
    if any(isinstance(a, Array) for a in (condition, x, y)):
        return array_where(condition, x, y)
    if any(is_any_array(a) for a in (condition, x, y)):
        return BOXED["where"](condition, x, y)
    if any(isinstance(a, (np.ndarray, list, tuple)) for a in (condition, x, y)):
        condition, x, y = (a if isinstance(a, np.ndarray) else np.array(a, dtype=object) for a in (condition, x, y))
        chosen = np.where(condition.astype(bool), x, y)
        traced_any = any(isinstance(e, Traced) for e in chosen.flat) if chosen.dtype == object else True
        return chosen if traced_any else np.array(chosen.tolist())
    return x if condition else y


def dot(x, y):
    """Sum of products of two sequences, or what ``np.dot`` gives for arrays.

    Parameters
    ----------
    x, y : array_like

    Returns
    -------
    number or ndarray

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    if isinstance(x, (np.ndarray, Array)) or isinstance(y, (np.ndarray, Array)):
        return np.dot(x, y)
    if not hasattr(x, "__len__") or not hasattr(y, "__len__"):
        return x * y
    if len(x) != len(y):
        raise ValueError(f"dot() of sequences of {len(x)} and {len(y)} numbers")
    return sum(map(operator.mul, x, y))


def prod(iterable, *, start=1):
    """Product of numbers, as ``math.prod``.

    Parameters
    ----------
    iterable : iterable of number
    start : number, optional

    Returns
    -------
    number
    """
    return reduce(operator.mul, iterable, start)


def fsum(iterable):
    """Sum of numbers, as ``math.fsum``: plain floats are summed exactly, traced values in order.

    Parameters
    ----------
    iterable : iterable of number

    Returns
    -------
    number
    """
    numbers = list(iterable)
    return sum(numbers) if any(isinstance(x, Traced) for x in numbers) else math.fsum(numbers)


def dist(p, q):
    """Euclidean distance of two points, as ``math.dist``.

    Parameters
    ----------
    p, q : sequence of number
        Of the same length.

    Returns
    -------
    number
    """
    if len(p) != len(q):
        raise ValueError("both points must have the same number of dimensions")
    return hypot(*[a - b for a, b in zip(p, q, strict=True)])


def modf(x):
    """Fractional and whole part, as ``math.modf``; the whole part is a plain, locally constant float.

    Parameters
    ----------
    x : number

    Returns
    -------
    fractional : number
    whole : float
    """
    if isinstance(x, Array):
        return x - np.trunc(x), np.trunc(x)
    if not isinstance(x, Traced):
        return math.modf(x)
    whole = float(math.trunc(x))
    return x - whole, whole


def ldexp(x, i):
    """X * 2**i, as ``math.ldexp``.

    Parameters
    ----------
    x : number
    i : int

    Returns
    -------
    number
    """
    return x * 2.0**i if isinstance(x, Traced) else math.ldexp(x, i)


def remainder(x, y):
    """IEEE remainder, as ``math.remainder``: x minus the nearest multiple of y.

    Parameters
    ----------
    x, y : number

    Returns
    -------
    number
    """
    if not isinstance(x, Traced) and not isinstance(y, Traced):
        return math.remainder(x, y)
    multiple = round((traced.plain(x) - math.remainder(traced.plain(x), traced.plain(y))) / traced.plain(y))
    return x - multiple * y


def frexp(x):
    """Mantissa and exponent, as ``math.frexp``; the exponent is a plain, locally constant integer.

    Parameters
    ----------
    x : number

    Returns
    -------
    mantissa : number
    exponent : int
    """
    if not isinstance(x, Traced):
        return math.frexp(x)
    exponent = math.frexp(traced.plain(x))[1]
    return x * 2.0**-exponent, exponent


def nextafter(x, y):
    """The floating-point number after x towards y, as ``math.nextafter``; its derivative is that of x.

    Parameters
    ----------
    x, y : number

    Returns
    -------
    number
    """
    plain = traced.plain(x)
    neighbour = math.nextafter(plain, traced.plain(y))
    return x + (neighbour - plain) if isinstance(x, Traced) else neighbour


def ulp(x):
    """The unit in the last place of the primal, a plain number, as ``math.ulp``.

    Parameters
    ----------
    x : number

    Returns
    -------
    float
    """
    return math.ulp(traced.plain(x))


def polar(z):
    """Modulus and argument of a complex number, as ``cmath.polar``.

    Parameters
    ----------
    z : number

    Returns
    -------
    modulus, argument : number
    """
    return abs(z), phase(z)


def rect(modulus, argument):
    """A complex number from its modulus and argument, as ``cmath.rect``.

    Parameters
    ----------
    modulus, argument : number

    Returns
    -------
    number
    """
    return modulus * (_ROWS["cos"](argument) + 1j * _ROWS["sin"](argument))


def phase(z):
    """Argument of a complex number, as ``cmath.phase``.

    Parameters
    ----------
    z : number

    Returns
    -------
    number
    """
    return _ROWS["atan2"](z.imag, z.real)


def _predicate(name, sentence):
    """isfinite, isinf, isnan: of the primal."""

    def predicate(x):
        if isinstance(x, np.ndarray) and x.dtype == object:
            return np.frompyfunc(predicate, 1, 1)(x).astype(bool)
        if isinstance(x, np.ndarray):
            return getattr(np, name)(x)
        if isinstance(x, Array):
            return getattr(np, name)(x)
        x = traced.plain(x)
        return getattr(cmath if isinstance(x, complex) else math, name)(x)

    predicate.__name__ = predicate.__qualname__ = name
    predicate.__doc__ = (
        f"{sentence}, as ``math.{name}``.\n\n"
        "Parameters\n----------\nx : number or ndarray\n\nReturns\n-------\nbool or ndarray of bool\n"
    )
    return predicate


def isclose(a, b, *, rel_tol=1e-09, abs_tol=0.0):
    """Whether two primals are close, as ``math.isclose``.

    Parameters
    ----------
    a, b : number
    rel_tol, abs_tol : float, optional

    Returns
    -------
    bool
    """
    return math.isclose(traced.plain(a), traced.plain(b), rel_tol=rel_tol, abs_tol=abs_tol)


FUNCTIONS = _ROWS | {
    "ceil": _rounding("ceil", math.ceil),
    "comb": comb,
    "dist": dist,
    "dot": dot,
    "e": e,
    "factorial": factorial,
    "frexp": frexp,
    "floor": _rounding("floor", math.floor),
    "fsum": fsum,
    "gcd": gcd,
    "hypot": hypot,
    "inf": inf,
    "isclose": isclose,
    "isfinite": _predicate("isfinite", "Whether the primal is finite"),
    "isinf": _predicate("isinf", "Whether the primal is infinite"),
    "isnan": _predicate("isnan", "Whether the primal is not a number"),
    "isqrt": isqrt,
    "lcm": lcm,
    "ldexp": ldexp,
    "log": log,
    "modf": modf,
    "nan": nan,
    "nextafter": nextafter,
    "perm": perm,
    "phase": phase,
    "pi": pi,
    "polar": polar,
    "prod": prod,
    "rect": rect,
    "remainder": remainder,
    "round": _rounding("round", round),
    "tau": tau,
    "ulp": ulp,
    "trunc": _rounding("trunc", math.trunc),
    "where": where,
}
