"""taylor: f and its derivatives of every order up to the one asked for."""

import math
import subprocess
import sys
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from mpmath import mp

import dualtape as dt


def test_the_identity_and_constants():
    assert dt.taylor(lambda x: x, 2.0, 3) == [2.0, 1.0, 0.0, 0.0]
    assert dt.taylor(lambda x: 5.0, 2.0, 2) == [5.0, 0.0, 0.0]
    assert all(type(value) is float for value in dt.taylor(lambda x: 5, 2, 2))


def test_order_zero_is_the_value():
    assert dt.taylor(lambda x: x * x, 3.0, 0) == [9.0]


def test_derivatives_are_not_divided_by_factorials():
    assert dt.taylor(lambda x: x**4, 1.0, 5) == [1.0, 4.0, 12.0, 24.0, 24.0, 0.0]


def test_exp_to_order_twenty():
    assert dt.taylor(dt.exp, 0.0, 20) == pytest.approx([1.0] * 21, rel=1e-12)


def test_sin_to_order_twelve():
    expected = [math.sin(0.7 + k * math.pi / 2) for k in range(13)]
    assert dt.taylor(dt.sin, 0.7, 12) == pytest.approx(expected, rel=1e-12)


def test_reciprocal_to_order_fifteen():
    expected = [(-1) ** k * math.factorial(k) / 2.0 ** (k + 1) for k in range(16)]
    assert dt.taylor(lambda x: 1 / x, 2.0, 15) == pytest.approx(expected, rel=1e-12)


HIGH = """
import math
import dualtape as dt

n = 40
checks = [
    (lambda x: 1 / x, 2.0, lambda k: (-1) ** k * math.factorial(k) / 2.0 ** (k + 1)),
    (dt.log, 2.0, lambda k: -((-1) ** k) * math.factorial(k - 1) / 2.0**k if k else math.log(2.0)),
    (dt.sqrt, 1.0, lambda k: math.prod(0.5 - i for i in range(k))),
    (dt.tanh, 0.0, lambda k: 0.0 if k % 2 == 0 else None),
    (lambda x: dt.hypot(x, 1.0), 0.0, lambda k: 0.0 if k % 2 else None),
    (lambda x: dt.atan2(x, 1.0), 0.0, lambda k: 0.0 if k % 2 == 0 else (-1) ** (k // 2) * math.factorial(k - 1)),
]
for f, x, exact in checks:
    for k, value in enumerate(dt.taylor(f, x, n)):
        if exact(k) is not None:
            assert math.isclose(value, exact(k), rel_tol=1e-9, abs_tol=1e-9), (f, k, value, exact(k))
"""


def test_high_orders():
    # In a process of its own: a cost that grows exponentially with the order would never end.
    subprocess.run([sys.executable, "-c", HIGH], check=True, timeout=60)


@pytest.mark.parametrize("n", range(9))
def test_powers_at_zero(n):
    expected = [0.0] * 9
    expected[n] = float(math.factorial(n))
    assert dt.taylor(lambda x: x**n, 0.0, 8) == expected


PROGRAMS = {
    "composition": lambda m, x: m.exp(m.sin(x)) / (1 + x * x),
    "logarithm": lambda m, x: m.log(1 + m.exp(x)),
    "powers": lambda m, x: x**2.5 + 3**x + x**x + x**-2,
    "roots": lambda m, x: m.sqrt(x) * m.sqrt(1 + x) / m.sqrt(2 - x),
    "inverse": lambda m, x: m.atan(x) * m.asinh(x) + m.asin(x / 3),
    "hyperbolic": lambda m, x: m.tanh(x) ** 2 + m.cosh(x) / m.sinh(x),
    "tangent": lambda m, x: m.tan(x / 2),
    "special": lambda m, x: m.erf(x) * m.gamma(x),
    "loop": lambda m, x: _iterate(m, x),
}


def _iterate(m, x):
    y = x
    for _ in range(4):
        y = y - m.cos(y) * x / 4
    return y


@pytest.mark.parametrize("f", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("x", [0.6, 1.3])
def test_six_orders_against_mpmath(f, x):
    with mpmath.workdps(60):
        expected = [float(value) for value in mp.diffs(lambda t: f(mp, t), mp.mpf(x), 6)]
    assert dt.taylor(lambda x: f(dt, x), x, 6) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("f", PROGRAMS.values(), ids=PROGRAMS)
def test_agrees_with_nested_derivatives(f):
    program = lambda x: f(dt, x)
    expected, current = [program(0.9)], program
    for _ in range(4):
        current = dt.derivative(current)
        expected.append(current(0.9))
    assert dt.taylor(program, 0.9, 4) == pytest.approx(expected, rel=1e-10)


def test_every_function_of_the_table_to_third_order():
    from dualtape.rules.table import RULES

    for rule in RULES:
        public = getattr(dt, rule.name, None)
        if public is None or len(rule.args) != 1 or rule.partials == ("0.0",):
            continue
        low, high = max(rule.domain[0][0], -2.0), min(rule.domain[0][1], 3.0)
        x = low + 0.63 * (high - low)
        expected = dt.derivative(dt.derivative(dt.derivative(public)))(x)
        assert dt.taylor(public, x, 3)[3] == pytest.approx(expected, rel=1e-8, abs=1e-8), rule.name


def test_branches_and_plain_numbers():
    assert dt.taylor(lambda x: x**3 if x > 1 else -x, 2.0, 2) == [8.0, 12.0, 12.0]
    assert dt.taylor(lambda x: x * math.floor(x), 2.5, 2) == [5.0, 2.0, 0.0]
    assert dt.taylor(lambda x: abs(x) * x, -2.0, 2) == [-4.0, 4.0, -2.0]


@pytest.mark.parametrize("order", [-1, 1.5, "2", None])
def test_orders_that_are_not_counts_are_refused(order):
    with pytest.raises((TypeError, ValueError)) as info:
        dt.taylor(dt.sin, 1.0, order)
    assert isinstance(info.value, dt.DualtapeError)


def test_booleans_are_refused():
    with pytest.raises(TypeError, match="bool"):
        dt.taylor(dt.sin, True, 2)


def test_exact_numbers_stay_exact():
    x = Fraction(1, 2)
    derivatives = dt.taylor(lambda x: 1 / (1 - x), x, 6)
    assert derivatives == [math.factorial(k) * Fraction(2) ** (k + 1) for k in range(7)]
    assert all(isinstance(value, Fraction | int) for value in derivatives)


def test_inside_another_differentiation():
    def third(t):
        return dt.taylor(lambda x: x**5 * t, t, 3)[3]  # 60 t^2 * t

    for differentiate in (dt.derivative, dt.gradient):
        assert differentiate(third, 2.0) == pytest.approx(180 * 4.0, rel=1e-13)


def test_around_another_differentiation():
    assert dt.taylor(dt.gradient(lambda x: x**5), 2.0, 3) == pytest.approx([80.0, 160.0, 240.0, 240.0], rel=1e-13)
    assert dt.taylor(dt.derivative(lambda x: x**5), 2.0, 3) == pytest.approx([80.0, 160.0, 240.0, 240.0], rel=1e-13)
    assert dt.taylor(lambda x: dt.taylor(lambda y: x * y**4, x, 2)[2], 2.0, 2) == [96.0, 144.0, 144.0]


def test_complex_points():
    z = 0.3 + 0.4j
    expected = [np.exp(1j * z) * 1j**k for k in range(5)]
    assert dt.taylor(lambda z: dt.exp(1j * z), z, 4) == pytest.approx(expected, rel=1e-13)


def test_keyword_arguments_and_the_missing_point():
    assert dt.taylor(lambda x: x * x)(3.0, 2) == [9.0, 6.0, 2.0]


ARRAYS = {
    "made": lambda t: dt.array([t, t * t]).sum(),
    "stored": lambda t: dt.zeros(2).__setitem__(0, t),
    "plain array": lambda t: (dt.ones(2) * t).sum(),
    "inside a gradient": lambda t: dt.gradient(lambda a: (a * t).sum())(np.ones(2))[0],
}


@pytest.mark.parametrize("program", ARRAYS.values(), ids=ARRAYS)
def test_series_do_not_go_into_arrays_and_say_so(program):
    with pytest.raises(dt.NoRuleError, match=r"dt\.taylor .* dt\.derivative"):
        dt.taylor(program, 1.0, 2)
