"""Decimal numbers: the elementary functions, to the precision of the current decimal context."""

import decimal
import functools
from decimal import Decimal

from .namespace import Namespace

__all__ = ["DecimalNamespace"]


def _precisely(function, guard=10):
    """Compute with guard digits, and round to the current context."""

    @functools.wraps(function)
    def wrapper(*args):
        args = [Decimal(a) if isinstance(a, int) else a for a in args]
        with decimal.localcontext() as context:
            context.prec += guard
            result = function(*args)
        return +result

    return wrapper


def _series(first, next_term):
    """Sum terms until they no longer count."""
    total, term, k = Decimal(0), first, 0
    while term and total + term != total:
        total += term
        k += 1
        term = next_term(term, k)
    return total


@functools.cache
def _pi(digits):
    with decimal.localcontext() as context:
        context.prec = digits + 10
        # Machin (1706): pi = 16 atan(1/5) - 4 atan(1/239).
        result = 16 * _atan_series(Decimal(1) / 5) - 4 * _atan_series(Decimal(1) / 239)
        context.prec = digits
        return +result


def _here_pi():
    return _pi(decimal.getcontext().prec)


def _atan_series(x):
    power, square, total, k = x, x * x, Decimal(0), 0
    while power and total + power / (2 * k + 1) != total:
        total += power / (2 * k + 1) if k % 2 == 0 else -power / (2 * k + 1)
        power *= square
        k += 1
    return total


def _reduced(x):
    """(quadrant, rest) with x = quadrant * pi/2 + rest and |rest| <= pi/4."""
    with decimal.localcontext() as context:
        context.prec += max(0, x.adjusted() + 1) + 5
        half = _here_pi() / 2
        quadrant = (x / half).to_integral_value(decimal.ROUND_HALF_EVEN)
        return int(quadrant) % 4, x - quadrant * half


def _sin_cos(x):
    quadrant, r = _reduced(x)
    s = _series(r, lambda term, k: -term * r * r / ((2 * k) * (2 * k + 1)))
    c = _series(Decimal(1), lambda term, k: -term * r * r / ((2 * k - 1) * (2 * k)))
    return ((s, c), (c, -s), (-s, -c), (-c, s))[quadrant]


def _tan(x):
    s, c = _sin_cos(x)
    return s / c


def _atan(x):
    if abs(x) > 1:
        return _here_pi().copy_sign(x) / 2 - _atan(1 / x)
    # atan(x) = 2 atan(x / (1 + sqrt(1 + x^2))), three times, makes the series short.
    for _ in range(3):
        x = x / (1 + (1 + x * x).sqrt())
    return 8 * _atan_series(x)


def _atan2(y, x):
    if x > 0:
        return _atan(y / x)
    if x < 0:
        return _atan(y / x) + _here_pi().copy_sign(y)
    return (_here_pi() / 2).copy_sign(y) if y else Decimal(0)


def _asin(x):
    if abs(x) == 1:
        return (_here_pi() / 2).copy_sign(x)
    return _atan(x / ((1 - x) * (1 + x)).sqrt())


def _expm1(x):
    if abs(x) < Decimal("0.1"):
        return _series(x, lambda term, k: term * x / (k + 1))
    return x.exp() - 1


def _log1p(x):
    if abs(x) < Decimal("0.1"):
        # log(1 + x) = 2 atanh(x / (2 + x))
        t = x / (2 + x)
        power, total, k = t, Decimal(0), 0
        while power and total + power / (2 * k + 1) != total:
            total += power / (2 * k + 1)
            power *= t * t
            k += 1
        return 2 * total
    return (1 + x).ln()


def _sinh(x):
    e = _expm1(abs(x))
    return ((e + e / (1 + e)) / 2).copy_sign(x)


def _tanh(x):
    e = _expm1(-2 * abs(x))
    return (-e / (2 + e)).copy_sign(x)


def _cbrt(x):
    return (abs(x) ** (Decimal(1) / 3)).copy_sign(x) if x else x


def _asinh(x):
    a = abs(x)
    return _log1p(a + a * a / (1 + (1 + a * a).sqrt())).copy_sign(x)


_FUNCTIONS = {
    "sqrt": lambda x: x.sqrt(),
    "exp": lambda x: x.exp(),
    "log": lambda x: x.ln(),
    "log10": lambda x: x.log10(),
    "cbrt": _cbrt,
    "hypot": lambda x, y: (x * x + y * y).sqrt(),
    "exp2": lambda x: Decimal(2) ** x,
    "expm1": _expm1,
    "log2": lambda x: x.ln() / Decimal(2).ln(),
    "log1p": _log1p,
    "sin": lambda x: _sin_cos(x)[0],
    "cos": lambda x: _sin_cos(x)[1],
    "tan": _tan,
    "asin": _asin,
    "acos": lambda x: _here_pi() / 2 - _asin(x),
    "atan": _atan,
    "atan2": _atan2,
    "sinh": _sinh,
    "cosh": lambda x: (x.exp() + (-x).exp()) / 2,
    "tanh": _tanh,
    "asinh": _asinh,
    "acosh": lambda x: _log1p((x - 1) + ((x - 1) * (x + 1)).sqrt()),
    "atanh": lambda x: _log1p(2 * x / (1 - x)) / 2,
    "fmod": lambda x, y: x % y,
    "copysign": lambda x, y: x.copy_sign(y),
    "floor": lambda x: x.to_integral_value(decimal.ROUND_FLOOR),
    "ceil": lambda x: x.to_integral_value(decimal.ROUND_CEILING),
    "trunc": lambda x: x.to_integral_value(decimal.ROUND_DOWN),
    "round": lambda x: x.to_integral_value(decimal.ROUND_HALF_EVEN),
    "sign": lambda x: Decimal(0) if x == 0 else x if x.is_nan() else Decimal(1).copy_sign(x),
}


class DecimalNamespace(Namespace):
    """``decimal.Decimal``. Its ``//`` and ``%`` round towards zero, unlike those of other numbers."""

    name = "Decimal numbers"

    def __init__(self):
        super().__init__({name: _precisely(function) for name, function in _FUNCTIONS.items()})

    def number(self, text):
        """See `Namespace.number`."""
        return Decimal(text)

    def constant(self, name):
        """See `Namespace.constant`."""
        return _precisely(_CONSTANTS[name])()

    def lift(self, value):
        """See `Namespace.lift`."""
        return Decimal(value) if type(value) is int else value

    def is_number(self, value):
        """See `Namespace.is_number`."""
        return isinstance(value, Decimal)


_CONSTANTS = {
    "PI": _here_pi,
    "LN2": lambda: Decimal(2).ln(),
    "LN10": lambda: Decimal(10).ln(),
    "SQRT_2": lambda: Decimal(2).sqrt(),
    "SQRT_PI": lambda: _here_pi().sqrt(),
    "SQRT_2PI": lambda: (2 * _here_pi()).sqrt(),
    "INF": lambda: Decimal("Infinity"),
    "NAN": lambda: Decimal("NaN"),
}
