"""Fractions: exact in rational functions."""

import math
import numbers
from fractions import Fraction

from . import bind
from .namespace import Namespace
from .table import BY_NAME

__all__ = ["FractionNamespace"]

_FRACTION_FUNCTIONS = {
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "round": round,
    "sign": lambda x: (x > 0) - (x < 0),
    "fmod": lambda x, y: x - y * math.trunc(Fraction(x) / y),
    "copysign": lambda x, y: abs(x) if y >= 0 else -abs(x),
}


class FractionNamespace(Namespace):
    """``fractions.Fraction``: exact in rational functions; others give floats, as those of :mod:`math` do."""

    name = "fractions"

    def __init__(self):
        super().__init__(_FRACTION_FUNCTIONS)

    def function(self, name):
        """See `Namespace.function`."""
        if name in self._functions:
            return self._functions[name]
        # A composite row stays exact as far as its text does.
        return bind.on_floats(name) if name in BY_NAME and BY_NAME[name].primitive else None

    def number(self, text):
        """See `Namespace.number`."""
        return Fraction(text)

    def lift(self, value):
        """See `Namespace.lift`."""
        return Fraction(value) if type(value) is int else value

    def is_number(self, value):
        """See `Namespace.is_number`."""
        return isinstance(value, numbers.Rational)
