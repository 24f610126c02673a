"""Rule text bound to boxed numbers: exact or precise as the numbers are."""

import cmath
import decimal
import math
from decimal import Decimal
from fractions import Fraction

import mpmath
import pytest
import sympy
import uncertainties
from mpmath import mp

import dualtape  # noqa: F401 - registers the functions that bound text calls
from dualtape.core import kernels
from dualtape.rules import bind
from dualtape.rules.namespaces import namespace_of
from dualtape.rules.table import BY_NAME, INDEX, RULES
from rules.rule_oracle import oracle, points


def leaf_of(args):
    """The namespace of the first argument that is not a plain int."""
    return next((namespace_of(x) for x in args if type(x) is not int), namespace_of(1))


def value(name, *args):
    """The value of a row at boxed numbers: by their namespace, else by the text."""
    leaf = leaf_of(args)
    function = leaf.function(name)
    return function(*args) if function is not None else bind.value(BY_NAME[name])(leaf, *args)


def slope(name, i, *args):
    """A partial derivative of a row at boxed numbers."""
    return bind.partial(BY_NAME[name], i)(leaf_of(args), *args, value(name, *args))


A, B = Fraction(-7, 3), Fraction(2, 5)


@pytest.mark.parametrize(
    ("name", "args", "out", "partials"),
    [
        ("add", (A, B), A + B, (1, 1)),
        ("mul", (A, B), A * B, (B, A)),
        ("div", (A, B), A / B, (1 / B, -A / B**2)),
        ("pow", (A, 3), A**3, (3 * A**2,)),
        ("pow", (A, -2), A**-2, (-2 * A**-3,)),
        ("pow", (A, 0), 1, (0,)),
        ("pow", (Fraction(0), 0), 1, (0,)),
        ("pow", (Fraction(0), 1), 0, (1,)),
        ("abs", (A,), -A, (-1,)),
        ("mod", (A, B), A % B, (1, -(A // B))),
        ("fmod", (A, B), A - B * math.trunc(A / B), (1, -math.trunc(A / B))),
        ("square", (A,), A * A, (2 * A,)),
        ("reciprocal", (A,), 1 / A, (-1 / A**2,)),
        ("maximum", (A, B), B, (0, 1)),
        ("clip", (A, Fraction(-1), B), -1, (0, 1, 0)),
        ("relu", (B,), B, (1,)),
        ("atan_slope", (B,), 1 / (1 + B * B), (-2 * B / (1 + B * B) ** 2,)),
        ("copysign", (A, B), -A, (-1, 0)),
        ("floor", (A,), -3, (0,)),
        ("round", (Fraction(5, 2),), 2, (0,)),
    ],
)
def test_fractions_stay_exact(name, args, out, partials):
    assert value(name, *args) == out
    for i, exact in enumerate(partials):
        found = slope(name, i, *args)
        assert found == exact and isinstance(found, (Fraction, int))


def test_other_functions_of_fractions_are_floats():
    assert value("sin", Fraction(1, 3)) == math.sin(1 / 3)
    assert slope("log", 0, Fraction(1, 3)) == 3


def test_plain_ints_take_the_kind_of_the_other_argument():
    assert slope("div", 0, Fraction(1, 2), 3) == Fraction(1, 3)
    assert slope("copysign", 0, Fraction(1, 2), -3) == -1
    with mpmath.workdps(50):
        x = mp.mpf(1) / 3
        for args in ((2, x), (3, -x)):
            exact = mp.power(*args) * mp.log(args[0])
            assert abs(slope("pow", 1, *args) - exact) < mp.mpf(10) ** -48
        assert abs(slope("xlogy", 0, x, 2) - mp.log(2)) < mp.mpf(10) ** -48
        assert abs(value("xlogy", x, 2) - x * mp.log(2)) < mp.mpf(10) ** -48
    symbol = sympy.Symbol("x")
    assert slope("pow", 1, 2, symbol) == 2**symbol * sympy.log(2)
    with decimal.localcontext(prec=40):
        assert abs(slope("div", 0, Decimal(1), 3) * 3 - 1) < Decimal("1e-38")


REACHED = {
    # mpmath differentiates the oracle of order n numerically itself; its second differences have fewer digits.
    "log_ndtr_n": 1e-40,
    "sinc_n": 1e-40,
}
SMOOTH = [rule for rule in RULES if not rule.constant and rule.name != "where"]


@pytest.mark.parametrize("rule", SMOOTH, ids=lambda rule: rule.name)
def test_mpmath_numbers_keep_fifty_digits(rule):
    f = oracle(rule)
    tolerance = REACHED.get(rule.name, 1e-43)
    for point in points(rule, 2) if not rule.reach else list(points(rule, 2))[:2]:
        with mpmath.workdps(50):
            x = [int(c) if text is None else mp.mpf(c) for c, text in zip(point, rule.partials, strict=True)]
            with mpmath.workdps(75):
                exact = f(*x)
            got = value(rule.name, *x)
            assert abs(got - exact) <= tolerance * abs(exact) + 1e-60, point
            for i, text in enumerate(rule.partials):
                if text is None:
                    continue
                with mpmath.workdps(130):
                    h = mp.mpf(10) ** -40
                    along = lambda t: f(*[t if k == i else c for k, c in enumerate(x)])
                    exact = (along(x[i] + h) - along(x[i] - h)) / (2 * h)
                got = slope(rule.name, i, *x)
                assert isinstance(got, (mp.mpf, int))
                assert abs(got - exact) <= tolerance * max(1, abs(exact)), (point, i)


DECIMAL_ROWS = """
sqrt cbrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh hypot
sigmoid softplus logit logaddexp gauss normal_density rad2deg xlogy pow div copysign fmod
""".split()


@pytest.mark.parametrize("name", DECIMAL_ROWS)
def test_decimals_keep_their_precision(name):
    rule = BY_NAME[name]
    for point in (["0.7", "0.3"], ["1e-9", "1.7"], ["0.999", "2.5"]):
        texts = point[: rule.arity]
        if name == "acosh":
            texts = [str(1 + Decimal(texts[0]))]
        with decimal.localcontext(prec=40), mpmath.workdps(60):
            args = list(map(Decimal, texts))
            x = list(map(mp.mpf, texts))
            exact = oracle(rule)(*x)
            got = value(name, *args)
            assert isinstance(got, Decimal)
            assert abs(mp.mpf(str(got)) - exact) <= abs(exact) * mp.mpf("1e-37")
            for i in range(rule.arity):
                exact = value_of_partial(name, i, x)
                got = slope(name, i, *args)
                assert abs(mp.mpf(str(got)) - exact) <= abs(exact) * mp.mpf("1e-36")


def value_of_partial(name, i, x):
    """A partial by mpmath's numbers, tested above against differences of the oracle."""
    return slope(name, i, *x)


def test_large_decimal_angles():
    with decimal.localcontext(prec=30), mpmath.workdps(60):
        for x in ("1e15", "-12345.678"):
            assert abs(mp.mpf(str(value("sin", Decimal(x)))) - mp.sin(mp.mpf(x))) < mp.mpf("1e-28")


SYMBOLIC = """
add mul div pow sqrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh
atanh hypot logaddexp sigmoid softplus logit erf erfc ndtr log_ndtr gamma lgamma digamma sinc xlogy i0 i1 j0 j1 deg2rad
square reciprocal abs
""".split()


@pytest.mark.parametrize("name", SYMBOLIC)
def test_symbolic_partials(name):
    rule = BY_NAME[name]
    symbols = sympy.symbols("x y z", positive=True)[: rule.arity]
    point = [sympy.Rational(3, 7), sympy.Rational(9, 5)][: rule.arity]
    if name == "acosh":
        point = [sympy.Rational(9, 5)]
    out = value(name, *symbols)
    for i, symbol in enumerate(symbols):
        found = slope(name, i, *symbols)
        assert not sympy.sympify(found).atoms(sympy.Float), "exact numbers stay exact"
        difference = (found - sympy.diff(out, symbol)).subs(dict(zip(symbols, point, strict=True)))
        assert abs(sympy.N(difference, 40, chop=True)) < 1e-30


COMPLEX = """
sqrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh atanh sigmoid softplus logit
erf erfc ndtr log_ndtr gamma lgamma digamma sinc i0 i1 j0 j1 square reciprocal
""".split()


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_values_and_slopes(name):
    rule = BY_NAME[name]
    f = oracle(rule)
    for z in (0.4 + 0.3j, 0.6 - 0.2j):
        with mpmath.workdps(40):
            if name == "lgamma":
                f = mp.loggamma
            exact = f(mp.mpc(z))
            exact_slope = None if name == "digamma" else mp.diff(f, mp.mpc(z))
        assert value(name, z) == pytest.approx(complex(exact), rel=1e-13)
        if exact_slope is not None:
            assert slope(name, 0, z) == pytest.approx(complex(exact_slope), rel=1e-12)


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_numbers_on_the_real_axis_agree_with_the_kernels(name):
    x = 0.37
    assert value(name, complex(x)) == pytest.approx(kernels.evaluate(INDEX[name], x), rel=1e-13)
    if name != "digamma":
        assert slope(name, 0, complex(x)) == pytest.approx(kernels.partials(INDEX[name], x)[0], rel=1e-12)


def test_complex_functions_are_those_of_cmath():
    z = -0.3 + 1.7j
    for name in "sqrt exp log sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh".split():
        assert value(name, z) == getattr(cmath, name)(z)
    assert value("expm1", 1e-12 + 1e-12j) == pytest.approx(1e-12 + 1e-12j + 1e-24j, rel=1e-15)
    assert value("log1p", 1e-12 + 1e-12j) == pytest.approx(1e-12 + 1e-12j - 1e-24j, rel=1e-15)


@pytest.mark.parametrize("name", ["sin", "exp", "sqrt", "gamma", "ndtr", "sigmoid", "j0", "sinc"])
def test_uncertainties(name):
    x = uncertainties.ufloat(0.6, 0.01)
    out = value(name, x)
    first, second = kernels.partials(INDEX[name], 0.6)[0], kernels.second(INDEX[name], 0.6)[0]
    assert out.nominal_value == kernels.evaluate(INDEX[name], 0.6)
    assert out.std_dev == pytest.approx(abs(first) * 0.01, rel=1e-12)
    derivative = slope(name, 0, x)
    assert derivative.nominal_value == pytest.approx(first, rel=1e-14)
    assert derivative.std_dev == pytest.approx(abs(second) * 0.01, rel=1e-10)


def test_only_the_branch_that_holds_is_computed():
    # xlogy at (0, y) never takes a logarithm, which would raise for a Decimal below 0.
    assert value("xlogy", Decimal(0), Decimal(-1)) == 0


def test_a_row_that_a_kind_lacks_raises():
    with pytest.raises(TypeError, match="gamma"):
        value("gamma", Decimal("0.5"))
    with pytest.raises(TypeError, match="no derivative"):
        bind.partial(BY_NAME["polygamma"], 0)
