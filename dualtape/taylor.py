"""Derivatives of any order of a function of one number, by arithmetic on truncated Taylor series."""

import math

from dualtape.core import traced
from dualtape.core.levels import close_level, open_level
from dualtape.core.strict import is_strict
from dualtape.core.traced import Traced
from dualtape.errors import InputError, OptionError, escaped
from dualtape.forward import one_like
from dualtape.reverse import curry, need_callable, points
from dualtape.rules import bind, namespaces
from dualtape.rules.table import RULES
from dualtape.trees import coerce

__all__ = ["taylor"]

ADD, SUB, MUL, DIV, NEG = (traced.ROWS[name] for name in ("add", "sub", "mul", "div", "neg"))


class Series(Traced):
    """x(t) = c[0] + c[1] t + ... : a truncated Taylor series with coefficients of any kind.

    What a program computes with. All coefficients of a result are known once the operation is done.
    """

    def __init__(self, level, coefficients):
        traced.set_level(self, level)
        self.coefficients = coefficients

    @property
    def value(self):
        return self.coefficients[0]

    def __repr__(self):
        return f"Series({', '.join(map(repr, self.coefficients))})"

    def _linear_part(self, function):
        return Series(self._level, [function(c) for c in self.coefficients])

    def _apply(self, row, args):
        mine = [isinstance(a, Series) and a._level == self._level for a in args]
        if RULES[row].constant:
            return traced.apply_row(row, [a.value if own else a for a, own in zip(args, mine, strict=True)])
        known = {id(a): Lazy(self._level, a.coefficients) for a, own in zip(args, mine, strict=True) if own}
        out = Lazy.of(self._level, row, [known.get(id(a), a) for a in args])
        return Series(self._level, [out[m] for m in range(len(self.coefficients))])


class Lazy(Traced):
    """A series whose coefficients are found one by one, as far as they are asked for.

    An elementary function out = f(x) of a series follows from its rule alone: out' = f_x(x, out) x', so that

        m out[m] = sum_j j x[j] p[m - j],    p = the series of the partial derivative,

    where p, needed to one order less, comes from the rule's text by the same arithmetic, and may refer to out itself.
    A partial derivative often leads back to a function that is there already (sin to cos to sin); `memo` finds it
    again, so that each is expanded once.
    """

    def __init__(self, level, known, following=None, memo=None):
        traced.set_level(self, level)
        self.known = list(known)
        self.following = following
        self.memo = {} if memo is None else memo

    @property
    def value(self):
        return self.known[0]

    def __getitem__(self, m):
        while len(self.known) <= m:
            self.known.append(self.following(len(self.known)))
        return self.known[m]

    def _apply(self, row, args):
        if RULES[row].constant:
            return traced.apply_row(row, [a.value if isinstance(a, Lazy) else a for a in args])
        key = (row, *(("series", id(a)) if isinstance(a, Lazy) else (type(a), repr(a)) for a in args))
        if key not in self.memo:
            self.memo[key] = Lazy.of(self._level, row, args, self.memo)
        return self.memo[key]

    @staticmethod
    def of(level, row, args, memo=None):
        """The series of a row at series and constants."""
        args = [a if isinstance(a, Lazy) and a._level == level else _Constant(a) for a in args]
        out = Lazy(level, [traced.apply_row(row, [a[0] for a in args])], memo=memo)
        out.following = _RECURRENCES.get(row, _by_the_rule)(row, args, out)
        return out


class _Constant:
    """A number as a series."""

    def __init__(self, value):
        self.value = value

    def __getitem__(self, m):
        return 0 if m else self.value


def _sum(row, args, out):
    x, y = args
    if row == ADD:
        return lambda m: _plus(x[m], y[m])
    return lambda m: _plus(x[m], -y[m])


def _opposite(row, args, out):
    return lambda m: -args[0][m]


def _product(row, args, out):
    x, y = args
    return lambda m: _products(x, y, range(m + 1), m)


def _quotient(row, args, out):
    """X = out y, solved for out[m]."""
    x, y = args

    def following(m):
        rest = _plus(x[m], -_products(out, y, range(m), m))
        # By the row, not the operator: 1 / 0 is infinite here, as it is in the other modes.
        return 0 if _is_zero(rest) and not is_strict() else traced.apply_row(DIV, (rest, y[0]))

    return following


def _by_the_rule(row, args, out):
    """The recurrence of Lazy's docstring."""
    rule = RULES[row]
    active = [i for i, a in enumerate(args) if isinstance(a, Lazy)]
    slopes = {}

    def slope(i):
        if i not in slopes:
            numbers = [a if isinstance(a, Lazy) else a.value for a in args]
            leaf = namespaces.namespace_of(traced.plain(args[i][0]))
            found = bind.partial(rule, i)(leaf, *numbers, out)
            slopes[i] = found if isinstance(found, Lazy) and found._level == out._level else _Constant(found)
        return slopes[i]

    def following(m):
        total = 0
        for i in active:
            scaled = [j * args[i][j] for j in range(m + 1)]
            total = _plus(total, _products(scaled, slope(i), range(1, m + 1), m))
        return total / m

    return following


_RECURRENCES = {ADD: _sum, SUB: _sum, NEG: _opposite, MUL: _product, DIV: _quotient}


def _is_zero(x):
    """A zero that no other level's perturbation hides behind."""
    return type(x) in (int, float) and x == 0


def _plus(x, y):
    """X + y, where the exact zero of a coefficient that is not there leaves the other's kind alone."""
    if type(x) is int and x == 0:
        return y
    return x if type(y) is int and y == 0 else x + y


def _products(x, y, places, m):
    """Sum of x[j] y[m - j], where a factor that is exactly zero makes its product zero, unless IEEE is asked for."""
    strict = is_strict()
    total = 0
    for j in places:
        if strict or not (_is_zero(x[j]) or _is_zero(y[m - j])):
            total = _plus(total, x[j] * y[m - j])
    return total


def taylor(f, /, *args, **kwargs):
    """Value and derivatives of a function of one number up to any order.

    Parameters
    ----------
    f : callable
        A function of a number that returns a number.
    x : number
        Where to differentiate.
    order : int
        The highest derivative, at least 0. Left out together with x, the result is a function of both.
    **kwargs
        Passed to f and not differentiated.

    Returns
    -------
    list
        ``[f(x), f'(x), f''(x), ...]``: derivatives, not divided by factorials.

    Raises
    ------
    InputError
        If `order` is no integer, or x or the result is no number.
    OptionError
        If `order` is negative.

    Notes
    -----
    Truncated Taylor arithmetic (Griewank and Walther, Evaluating Derivatives, 2008, chapter 13). The cost grows with
    the square of the order, not exponentially as that of nested derivatives.

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.taylor(lambda x: x**4, 1.0, 5)
    [1.0, 4.0, 12.0, 24.0, 24.0, 0.0]
    """
    order = kwargs.pop("order", None)
    args = points(args, kwargs, "x")
    if not args:
        return curry(taylor, f, **kwargs) if order is None else curry(taylor, f, order=order, **kwargs)
    need_callable(f, "taylor")
    if len(args) + (order is not None) != 2:
        raise TypeError("dt.taylor(f, x, order) takes a point and an order; f's own options go by keyword")
    x, order = (args[0], order) if order is not None else args
    if isinstance(order, bool) or not hasattr(order, "__index__"):
        raise InputError(f"order must be an integer from 0 on, not {order!r}")
    if order < 0:
        raise OptionError(f"order must be an integer from 0 on, not {order!r}")
    number = None if isinstance(x, bool) else traced.to_number(x)
    if number is None:
        raise InputError(f"dt.taylor needs a number to differentiate at, not {type(x).__name__!r}")
    number = float(number) if type(number) is int else number
    level, before = open_level()
    try:
        out = f(Series(level, [number, one_like(number), *[0] * (int(order) - 1)][: int(order) + 1]), **kwargs)
    finally:
        close_level(level, before)
    coefficients = _coefficients(out, level)
    coefficients += [0] * (int(order) + 1 - len(coefficients))
    return [coerce(coefficients[0], c * math.factorial(k)) for k, c in enumerate(coefficients)]


def _coefficients(out, level):
    if isinstance(out, Series) and out._level == level:
        return list(out.coefficients)
    if isinstance(out, Traced) and out._level > level:
        raise escaped()
    number = traced.to_number(out)
    if number is None:
        raise InputError(f"the function returned {type(out).__name__!r} where dt.taylor needs one number")
    if number is not out and isinstance(number, Series):
        return _coefficients(number, level)
    return [number]
