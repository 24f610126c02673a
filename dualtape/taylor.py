"""Derivatives of any order of a function of one number, by arithmetic on truncated Taylor series."""

import functools
import math

from dualtape.core import traced
from dualtape.core.strict import is_strict
from dualtape.core.levels import close_level, open_level
from dualtape.core.traced import Traced
from dualtape.errors import InputError, OptionError, escaped
from dualtape.forward import one_like
from dualtape.reverse import curry, need_callable
from dualtape.rules import bind, namespaces
from dualtape.rules.table import RULES
from dualtape.trees import coerce

__all__ = ["taylor"]

ADD, SUB, MUL, NEG = (traced.ROWS[name] for name in ("add", "sub", "mul", "neg"))


class Series(Traced):
    """x(t) = c[0] + c[1] t + ... : the coefficients of a truncated Taylor series, numbers of any kind.

    An elementary function out = f(x) of a series follows from its rule alone: out' = f_x(x, out) x', so that

        m out[m] = sum_j j x[j] p[m - j],    p = the series of the partial derivative,

    and p, needed to one order less, is evaluated by the same arithmetic from the rule's text.
    """

    def __init__(self, level, coefficients):
        traced.set_level(self, level)
        self.coefficients = coefficients

    @property
    def value(self):
        return self.coefficients[0]

    def __repr__(self):
        return f"Series({', '.join(map(repr, self.coefficients))})"

    def __len__(self):
        return len(self.coefficients)

    def _of(self, coefficients):
        return Series(self._level, coefficients)

    def _linear_part(self, function):
        return self._of([function(c) for c in self.coefficients])

    def _apply(self, row, args):
        mine = [isinstance(a, Series) and a._level == self._level for a in args]
        order = min(len(a) for a, own in zip(args, mine, strict=True) if own)
        rule = RULES[row]
        if rule.constant:
            return traced.apply_row(row, [a.value if own else a for a, own in zip(args, mine, strict=True)])
        columns = [a.coefficients[:order] if own else [a] for a, own in zip(args, mine, strict=True)]
        if row in (ADD, SUB):
            return self._of(_add(columns, order, row == SUB))
        if row == NEG:
            return self._of([-c for c in columns[0]])
        if row == MUL:
            value = traced.apply_row(row, [c[0] for c in columns])
            return self._of([value, *(_convolve(*columns, m) for m in range(1, order))])
        return self._of(self._general(row, rule, columns, mine, order))

    def _general(self, row, rule, columns, mine, order):
        """The recurrence of the class's docstring for any rule."""
        out = [traced.apply_row(row, [c[0] for c in columns])]
        active = [i for i, own in enumerate(mine) if own]
        recursive = {i: _mentions_result(row, i) for i in active}
        partials = {}
        for m in range(1, order):
            total = None
            for i in active:
                if recursive[i]:
                    partials[i] = self._partial(rule, i, columns, mine, out, m)
                elif i not in partials:
                    partials[i] = self._partial(rule, i, columns, mine, out, order - 1)
                for j in range(1, m + 1):
                    slope = partials[i][m - j] if m - j < len(partials[i]) else 0
                    total = _plus_product(total, j * columns[i][j], slope)
            out.append(0 if total is None else total / m)
        return out

    def _partial(self, rule, i, columns, mine, out, length):
        """The coefficients of a partial derivative, to `length` terms."""
        args = [self._of(c[:length]) if own else c[0] for c, own in zip(columns, mine, strict=True)]
        leaf = namespaces.namespace_of(traced.plain(columns[i][0]))
        slope = bind.partial(rule, i)(leaf, *args, self._of(out[:length]))
        return slope.coefficients if isinstance(slope, Series) and slope._level == self._level else [slope]


@functools.cache
def _mentions_result(row, place):
    """Whether the text of a partial derivative refers to the result."""
    import ast

    return any(isinstance(n, ast.Name) and n.id == "out" for n in ast.walk(ast.parse(RULES[row].partials[place])))


def _add(columns, order, subtract):
    x, y = ([*c, *[None] * (order - len(c))] for c in columns)
    out = []
    for a, b in zip(x, y, strict=True):
        if b is None:
            out.append(a)
        elif a is None:
            out.append(-b if subtract else b)
        else:
            out.append(a - b if subtract else a + b)
    return out


def _is_zero(x):
    return type(x) in (int, float) and x == 0 and not is_strict()


def _plus_product(total, x, y):
    """total + x y, where a factor that is exactly zero makes no contribution."""
    if _is_zero(x) or _is_zero(y):
        return total
    return x * y if total is None else total + x * y


def _convolve(x, y, m):
    total = None
    for j in range(max(0, m - len(y) + 1), min(m + 1, len(x))):
        total = _plus_product(total, x[j], y[m - j])
    return 0 if total is None else total


def taylor(f, *args, **kwargs):
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
        If `order` is no natural number, or x or the result is no number.

    Notes
    -----
    Truncated Taylor arithmetic (Griewank and Walther, Evaluating Derivatives, 2008, chapter 13). The cost grows with
    the third power of the order at most, not exponentially as that of nested derivatives.

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.taylor(lambda x: x**4, 1.0, 5)
    [1.0, 4.0, 12.0, 24.0, 24.0, 0.0]
    """
    order = kwargs.pop("order", None)
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
