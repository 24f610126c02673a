"""Which kind of number a value is, and what that kind offers."""

import math
import subprocess
import sys
from decimal import Decimal, getcontext
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy
import uncertainties

import dualtape
from dualtape.rules.namespaces import namespace_of
from dualtape.rules.table import RULES


class MyFraction(Fraction):
    pass


class Plain:
    pass


KINDS = [
    (1.0, "real numbers"),
    (3, "real numbers"),
    (True, "real numbers"),
    (np.float64(1), "real numbers"),
    (np.float32(1), "real numbers"),
    (np.int64(1), "real numbers"),
    (np.bool_(True), "real numbers"),
    (1j, "complex numbers"),
    (np.complex128(1), "complex numbers"),
    (np.complex64(1), "complex numbers"),
    (Fraction(1, 3), "fractions"),
    (MyFraction(1, 3), "fractions"),
    (Decimal(1), "Decimal numbers"),
    (mpmath.mpf(1), "mpmath numbers"),
    (mpmath.mpc(1), "mpmath numbers"),
    (mpmath.pi, "mpmath numbers"),
    (sympy.Symbol("x"), "SymPy expressions"),
    (sympy.Rational(1, 3), "SymPy expressions"),
    (uncertainties.ufloat(1, 0.1), "numbers with uncertainties"),
    (uncertainties.ufloat(1, 0.1) * 2, "numbers with uncertainties"),
    (np.zeros(3), "arrays"),
    (Plain(), "objects"),
    ("text", "objects"),
    (None, "objects"),
]


@pytest.mark.parametrize(("value", "name"), KINDS, ids=lambda x: type(x).__name__)
def test_kinds(value, name):
    leaf = namespace_of(value)
    assert leaf.name == name
    assert leaf.is_number(value) == (name not in ("arrays", "objects"))
    assert not leaf.is_number("text") and not leaf.is_number(None) and not leaf.is_number([1.0])


def test_contexts_of_mpmath_are_kept_apart():
    context = mpmath.MPContext()
    context.dps = 80
    leaf = namespace_of(context.mpf(1))
    assert leaf is not namespace_of(mpmath.mpf(1))
    assert abs(leaf.constant("PI") - context.pi) < context.mpf(10) ** -78


def test_literals_and_constants():
    assert namespace_of(Fraction(1)).number("0.1") == Fraction(1, 10)
    assert namespace_of(Decimal(1)).number("0.1") == Decimal("0.1")
    assert namespace_of(sympy.Integer(1)).number("0.1") == sympy.Rational(1, 10)
    assert namespace_of(1.0).number("0.1") == 0.1
    assert namespace_of(1j).constant("SQRT_2PI") == math.sqrt(2 * math.pi)
    assert sympy.simplify(namespace_of(sympy.Integer(1)).constant("SQRT_2PI") ** 2 - 2 * sympy.pi) == 0
    with mpmath.workdps(50):
        for name in ("PI", "LN2", "LN10", "SQRT_2", "SQRT_PI", "SQRT_2PI"):
            exact = namespace_of(mpmath.mpf(1)).constant(name)
            assert abs(float(exact) - namespace_of(1.0).constant(name)) < 1e-15
            decimal = mpmath.mpf(str(namespace_of(Decimal(1)).constant(name)))
            assert abs(decimal - exact) < mpmath.mpf(10) ** (2 - getcontext().prec)


@pytest.mark.parametrize("value", [value for value, name in KINDS if name != "objects"], ids=lambda x: type(x).__name__)
def test_every_kind_has_the_operators(value):
    leaf = namespace_of(value)
    for name in ("add", "sub", "mul", "div", "neg", "pow", "abs", "mod", "floordiv"):
        assert callable(leaf.function(name))
    assert leaf.function("no such row") is None
    for rule in RULES:
        function = leaf.function(rule.name)
        assert function is None or callable(function)


def test_objects_use_their_own_methods():
    class Number:
        def sin(self):
            return "sin"

        def arcsin(self):
            return "arcsin"

        def __mul__(self, other):
            return "product"

    leaf = namespace_of(Number())
    assert leaf.function("sin")(Number()) == "sin"
    assert leaf.function("asin")(Number()) == "arcsin"
    assert leaf.function("square")(Number()) == "product"
    with pytest.raises(TypeError, match="cos"):
        leaf.function("cos")(Number())


def test_nothing_foreign_is_imported():
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from rules.namespaces import namespace_of;"
        "from fractions import Fraction; from decimal import Decimal;"
        "[namespace_of(x) for x in (1, 1.0, 1j, Fraction(1), Decimal(1), 'x')];"
        "foreign = {'numpy', 'scipy', 'mpmath', 'sympy', 'uncertainties'} & set(sys.modules);"
        "assert not foreign, foreign"
    )
    subprocess.run([sys.executable, "-c", program, str(Path(dualtape.__file__).parent)], check=True)
