"""Boxed primals: numbers that are Python objects go through the same operators, exactly as they are."""

import decimal
import math
from decimal import Decimal
from fractions import Fraction

import mpmath
import pytest
import sympy
from mpmath import mp
from uncertainties import ufloat
from uncertainties.core import AffineScalarFunc

import dualtape as dt
from modes import FIRST

FIRST_ORDER = {
    "derivative": dt.derivative,
    "gradient": dt.gradient,
    "value_and_gradient": lambda f, x: dt.value_and_gradient(f, x)[1],
    "pushforward": lambda f, x: dt.pushforward(f, x, type(x)(1))[1],
    "pullback": lambda f, x: dt.pullback(f, x)[1](type(x)(1)),
    "list": lambda f, x: dt.gradient(lambda v: f(v[0]) * 1 + v[1] * 0, [x, x])[0],
    "dict": lambda f, x: dt.gradient(lambda d: f(d["x"]), {"x": x})["x"],
}
SECOND_ORDER = {
    "derivative of derivative": lambda f, x: dt.derivative(dt.derivative(f))(x),
    "gradient of gradient": lambda f, x: dt.gradient(dt.gradient(f))(x),
    "derivative of gradient": lambda f, x: dt.derivative(dt.gradient(f))(x),
    "gradient of derivative": lambda f, x: dt.gradient(dt.derivative(f))(x),
    "hessian": dt.hessian,
    "taylor": lambda f, x: dt.taylor(f, x, 2)[2],
}
first_order = pytest.mark.parametrize("first", FIRST_ORDER.values(), ids=FIRST_ORDER)
second_order = pytest.mark.parametrize("second", SECOND_ORDER.values(), ids=SECOND_ORDER)


def parabola(x):
    return x**2 + 3 * x + 1


@first_order
def test_fractions_stay_exact(first):
    slope = first(parabola, Fraction(1, 3))
    assert slope == Fraction(11, 3) and type(slope) is Fraction


@second_order
def test_fractions_stay_exact_at_second_order(second):
    curvature = second(lambda x: x**3 / (1 - x) + x**-2, Fraction(1, 3))
    # x^3/(1-x) = -x^2 - x - 1 + 1/(1-x)
    assert curvature == -2 + 2 / Fraction(2, 3) ** 3 + 6 * Fraction(3) ** 4
    assert type(curvature) is Fraction


@first_order
def test_fraction_operators(first):
    x = Fraction(3, 7)
    for f, slope in [
        (lambda x: 1 / x, -1 / x**2),
        (lambda x: x / (x + 1), 1 / (x + 1) ** 2),
        (lambda x: 2 - x, -1),
        (lambda x: abs(-x), 1),
        (lambda x: -x * Fraction(1, 9), Fraction(-1, 9)),
        (lambda x: x**0, 0),
        (lambda x: x**5, 5 * x**4),
        (lambda x: x % Fraction(1, 4), 1),
        (lambda x: x if x > Fraction(1, 3) else x * 0, 1),
        (lambda x: max(x, x * x), 1),
        (lambda x: sum([x, x * x]), 1 + 2 * x),
        (lambda x: dt.square(x) + dt.reciprocal(x), 2 * x - 1 / x**2),
    ]:
        out = first(f, x)
        assert out == slope and isinstance(out, Fraction | int), f


def test_a_rational_newton_iteration_is_differentiated_exactly():
    def root(a):
        x = Fraction(1)
        for _ in range(4):
            x = (x + a / x) / 2
        return x

    h = Fraction(1, 10**30)
    quotient = (root(2 + h) - root(2 - h)) / (2 * h)
    slope = dt.gradient(root, Fraction(2))
    assert type(slope) is Fraction
    assert abs(slope - quotient) < Fraction(1, 10**50)
    assert slope == dt.derivative(root, Fraction(2))


def test_a_transcendental_function_of_a_fraction_is_a_float_or_refused():
    for differentiate in (dt.derivative, dt.gradient):
        try:
            slope = differentiate(dt.sin, Fraction(1, 3))
        except dt.NoRuleError:
            continue
        assert slope == pytest.approx(math.cos(1 / 3), rel=1e-15)


@first_order
def test_decimals_keep_their_precision(first):
    with decimal.localcontext(prec=50):
        x = Decimal(1) / 3
        slope = first(lambda x: parabola(x) / x, x)
        assert type(slope) is Decimal
        assert abs(slope - (1 - 1 / x**2)) < Decimal("1e-47")


@first_order
def test_decimal_functions(first):
    with decimal.localcontext(prec=40), mpmath.workdps(45):
        x = Decimal("0.7")
        for f, exact in [
            (lambda x: dt.exp(x * x), 2 * mp.mpf("0.7") * mp.exp(mp.mpf("0.49"))),
            (lambda x: dt.log(x) * dt.sqrt(x), (1 + mp.log("0.7") / 2) / mp.sqrt("0.7")),
            (lambda x: dt.log10(x), 1 / (mp.mpf("0.7") * mp.log(10))),
        ]:
            slope = first(f, x)
            assert type(slope) is Decimal
            assert abs(mp.mpf(str(slope)) - exact) < mp.mpf("1e-37")


@second_order
def test_decimals_at_second_order(second):
    with decimal.localcontext(prec=40):
        curvature = second(lambda x: 1 / x, Decimal("0.7"))
        assert abs(curvature - 2 / Decimal("0.7") ** 3) < Decimal("1e-37")


@first_order
@pytest.mark.parametrize("digits", [15, 50, 200])
def test_mpmath_keeps_its_precision(first, digits):
    with mpmath.workdps(digits + 5):
        x = mp.mpf(1) / 3
        slope = first(parabola, x)
        assert isinstance(slope, mp.mpf)
        assert abs(slope - mp.mpf(11) / 3) < mp.mpf(10) ** -digits


MP_FUNCTIONS = {
    "sin": mp.cos,
    "tan": lambda x: 1 / mp.cos(x) ** 2,
    "exp": mp.exp,
    "expm1": mp.exp,
    "log": lambda x: 1 / x,
    "log1p": lambda x: 1 / (1 + x),
    "log2": lambda x: 1 / (x * mp.log(2)),
    "sqrt": lambda x: 1 / (2 * mp.sqrt(x)),
    "cbrt": lambda x: mp.cbrt(x) / (3 * x),
    "asin": lambda x: 1 / mp.sqrt(1 - x * x),
    "acos": lambda x: -1 / mp.sqrt(1 - x * x),
    "atan": lambda x: 1 / (1 + x * x),
    "tanh": lambda x: 1 / mp.cosh(x) ** 2,
    "asinh": lambda x: 1 / mp.sqrt(1 + x * x),
    "atanh": lambda x: 1 / (1 - x * x),
    "erf": lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x),
    "gamma": lambda x: mp.gamma(x) * mp.digamma(x),
    "lgamma": mp.digamma,
    "digamma": lambda x: mp.polygamma(1, x),
    "sigmoid": lambda x: 1 / (2 + mp.exp(x) + mp.exp(-x)),
    "softplus": lambda x: 1 / (1 + mp.exp(-x)),
    "ndtr": mp.npdf,
    "sinc": lambda x: mp.cos(mp.pi * x) / x - mp.sin(mp.pi * x) / (mp.pi * x * x),
    "j0": lambda x: -mp.besselj(1, x),
    "i0": lambda x: mp.besseli(1, x),
}


@pytest.mark.parametrize("name", MP_FUNCTIONS)
def test_functions_of_mpmath_numbers(name):
    with mpmath.workdps(45):
        x = mp.mpf("0.3")
        exact = MP_FUNCTIONS[name](x)
        for differentiate in (dt.derivative, dt.gradient):
            slope = differentiate(getattr(dt, name), x)
            assert isinstance(slope, mp.mpf)
            assert abs(slope - exact) < mp.mpf(10) ** -40 * (1 + abs(exact))


@second_order
def test_mpmath_at_second_order(second):
    with mpmath.workdps(45):
        x = mp.mpf("0.3")
        curvature = second(lambda x: dt.exp(x) * dt.sin(x) / x, x)
        exact = mp.diff(lambda t: mp.exp(t) * mp.sin(t) / t, x, 2)
        assert abs(curvature - exact) < mp.mpf(10) ** -25


def test_mpmath_to_the_tenth_derivative():
    with mpmath.workdps(60):
        x = mp.mpf("0.3")
        derivatives = dt.taylor(lambda x: dt.exp(-x * x), x, 10)
        for n, value in enumerate(derivatives):
            exact = (-1) ** n * mp.hermite(n, x) * mp.exp(-x * x)
            assert abs(value - exact) < mp.mpf(10) ** -50


@pytest.mark.parametrize("name", ["derivative", "gradient", "value_and_gradient", "list", "dict"])
def test_a_number_with_an_uncertainty(name):
    slope = FIRST_ORDER[name](parabola, ufloat(1 / 3, 0.01))
    assert slope.nominal_value == pytest.approx(11 / 3, rel=1e-15)
    assert slope.std_dev == pytest.approx(0.02, rel=1e-12)


def test_uncertainties_stay_correlated():
    a, b = ufloat(2, 0.1), ufloat(3, 0.2)
    da, db = dt.gradient(lambda a, b: a * b**2 / (a + b), a, b)
    assert (da.nominal_value, da.std_dev) == pytest.approx((1.08, 0.13661039491927401), rel=1e-12)
    assert (db.nominal_value, db.std_dev) == pytest.approx((1.68, 0.06967352438336963), rel=1e-12)
    # The two derivatives share the errors of a and b: covariance 0.0005184.
    assert (da + db).std_dev ** 2 == pytest.approx(0.0186624 + 0.0048544 + 2 * 0.0005184, rel=1e-10)


def test_functions_of_a_number_with_an_uncertainty():
    x = ufloat(0.5, 0.1)
    for differentiate in (dt.derivative, dt.gradient):
        slope = differentiate(lambda x: dt.sin(x) * dt.exp(x), x)
        assert slope.nominal_value == pytest.approx(2.2373281197977843, rel=1e-14)
        assert slope.std_dev == pytest.approx(0.2893778073168339, rel=1e-10)


def test_second_derivative_with_an_uncertainty():
    x = ufloat(0.5, 0.1)
    for second in SECOND_ORDER.values():
        curvature = second(lambda x: x**3, x)
        assert isinstance(curvature, AffineScalarFunc)
        assert curvature.nominal_value == pytest.approx(3.0) and curvature.std_dev == pytest.approx(0.6)


@pytest.mark.parametrize(
    "f",
    [
        parabola,
        lambda x: dt.sin(x) * dt.exp(x),
        lambda x: x**3 / (1 + x),
        lambda x: dt.log(x) ** 2,
        lambda x: dt.sqrt(1 + dt.tanh(x)),
        lambda x: dt.atan(x) - dt.asinh(x) / 2,
        lambda x: dt.erf(x) * dt.gamma(x),
        lambda x: 2**x + x**x,
    ],
)
def test_symbolic_derivatives(f):
    x = sympy.Symbol("x", positive=True)
    plain = dt.value_and_gradient(f, x)[0]
    for differentiate in (dt.derivative, dt.gradient):
        slope = differentiate(f, x)
        assert isinstance(slope, sympy.Basic)
        for point in (sympy.Rational(1, 3), sympy.Rational(7, 5)):
            difference = (slope - sympy.diff(plain, x)).subs(x, point)
            assert abs(sympy.N(difference, 30)) < 1e-25


def test_symbolic_derivative_is_exact():
    x = sympy.Symbol("x")
    assert sympy.expand(dt.gradient(parabola, x) - (2 * x + 3)) == 0
    assert sympy.simplify(dt.derivative(lambda x: dt.sin(x) ** 2, x) - sympy.sin(2 * x)) == 0
    assert sympy.simplify(dt.hessian(lambda x: dt.exp(x * x), x) - (2 + 4 * x * x) * sympy.exp(x * x)) == 0
    half = dt.derivative(lambda x: 0 * x + dt.sqrt(x), sympy.Integer(4))
    assert sympy.simplify(half - sympy.Rational(1, 4)) == 0


BOXED_TYPES = {
    "Fraction": Fraction(1, 3),
    "Decimal": Decimal("0.25"),
    "mpf": mp.mpf(1) / 3,
    "sympy": sympy.Rational(1, 3),
}


@pytest.mark.parametrize("x", BOXED_TYPES.values(), ids=BOXED_TYPES)
def test_boxed_nested_three_deep(x):
    D = dt.derivative
    assert D(D(D(lambda x: x**4)))(x) == 24 * x
    G = dt.gradient
    assert G(G(G(lambda x: x**4)))(x) == 24 * x
    assert G(D(G(lambda x: x**4)))(x) == 24 * x
    assert D(G(D(lambda x: x**4)))(x) == 24 * x
    assert D(lambda x: x * D(lambda y: x * y)(x))(x) == 2 * x


@pytest.mark.parametrize("x", BOXED_TYPES.values(), ids=BOXED_TYPES)
def test_boxed_in_structures(x):
    out = dt.gradient(lambda d: d["a"] * d["b"][0] ** 2, {"a": x, "b": (x, None, "name")})
    assert out["a"] == x**2 and out["b"] == (2 * x * x, None, None)
    jacobian = dt.jacobian(lambda v: [v[0] * v[1], v[0] + 2 * v[1]], [x, x * 2])
    assert jacobian.tolist() == [[2 * x, x], [1, 2]]


@pytest.mark.parametrize("x", BOXED_TYPES.values(), ids=BOXED_TYPES)
def test_a_function_that_ignores_a_boxed_input(x):
    assert dt.derivative(lambda x: 3, x) == 0
    assert dt.gradient(lambda x: 3, x) == 0
    assert dt.gradient(lambda x, y: y * y, x, x)[0] == 0


def test_floats_and_boxed_inputs_of_one_function():
    da, db = dt.gradient(lambda a, b: a * a + float(3) * b, Fraction(1, 3), 0.5)
    assert da == Fraction(2, 3) and db == 3.0


def test_a_boxed_constant_in_a_float_program():
    assert dt.derivative(lambda x: x * Fraction(1, 4) + Fraction(1, 2), 2.0) == 0.25
    assert dt.gradient(lambda x: Fraction(1, 4) * x, 2.0) == 0.25
    assert dt.gradient(lambda x: mp.mpf(2) * x, 2.0) == 2.0
    assert dt.derivative(lambda x: x / mp.mpf(2), 2.0) == 0.5
    x = sympy.Symbol("x")
    assert dt.gradient(lambda t: t * t * x, 2.0) == 4.0 * x
    slope = dt.gradient(lambda t: t * t * ufloat(3, 0.1), 2.0)
    assert slope.nominal_value == 12.0 and slope.std_dev == pytest.approx(0.4)
    with pytest.raises(TypeError):
        dt.derivative(lambda x: x * Decimal(1), 2.0)


LEFT = {
    "Fraction": Fraction(5, 2),
    "mpf": mp.mpf("2.5"),
    "sympy Rational": sympy.Rational(5, 2),
    "sympy Float": sympy.Float("2.5"),
    "sympy Symbol": sympy.Symbol("s"),
    "ufloat": ufloat(2.5, 0.1),
    "complex": 2.5 + 0.5j,
    "Decimal": Decimal("2.5"),
}


@pytest.mark.parametrize("constant", LEFT.values(), ids=LEFT)
@pytest.mark.parametrize("differentiate", [dt.derivative, dt.gradient])
def test_a_boxed_constant_on_the_left_never_drops_the_derivative(differentiate, constant):
    # Other libraries' numbers come first in c * x, and some convert what they do not know to an int.
    for f, exact in [
        (lambda x: constant * x, lambda c, x: c),
        (lambda x: constant + x, lambda c, x: 1),
        (lambda x: constant - x, lambda c, x: -1),
        (lambda x: constant / x, lambda c, x: -c / (x * x)),
        (lambda x: x * constant, lambda c, x: c),
        (lambda x: x / constant, lambda c, x: 1 / c),
    ]:
        try:
            slope = differentiate(lambda x: dt.where(True, f(x), 0.0), 1.5)
        except TypeError:
            continue
        difference = slope - exact(constant, 1.5)
        assert abs(complex(getattr(difference, "nominal_value", difference))) < 1e-14


def test_every_mode_on_boxed_complex_intermediates():
    # The real part of an analytic function of a real input, through complex numbers.
    for differentiate in FIRST.values():
        slope = differentiate(lambda x: (dt.exp((1 + 2j) * x) * x).real, 0.3)
        assert slope == pytest.approx(_real_exp_slope(0.3), rel=1e-14)


def _real_exp_slope(x):
    return math.exp(x) * ((1 + x) * math.cos(2 * x) - 2 * x * math.sin(2 * x))
