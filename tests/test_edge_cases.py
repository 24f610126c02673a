"""Points where derivatives are a matter of agreement, and where others return NaN."""

import math

import numpy as np
import pytest

import dualtape as dt
from modes import BOXED, FIRST, NATIVE, SECOND

modes = pytest.mark.parametrize("differentiate", FIRST.values(), ids=FIRST)
seconds = pytest.mark.parametrize("second", SECOND.values(), ids=SECOND)
inf, nan = math.inf, math.nan


@modes
def test_abs_at_zero(differentiate):
    assert differentiate(abs, 0.0) == 0.0
    assert differentiate(abs, -0.0) == 0.0
    assert differentiate(dt.fabs, 0.0) == 0.0
    assert differentiate(np.abs, 0.0) == 0.0


@modes
def test_ties_of_max_and_min_go_to_the_first_argument(differentiate):
    for pick in (max, min, dt.maximum, dt.minimum, dt.fmax, dt.fmin, np.maximum, np.minimum):
        assert differentiate(lambda x: pick(2 * x, 3 * x), 0.0) == 2.0
        assert differentiate(lambda x: pick(x, 1.0), 1.0) == 1.0
        assert differentiate(lambda x: pick(1.0, x), 1.0) == 0.0
    assert differentiate(lambda x: max([x, 2 * x, 3 * x]), 0.0) == 1.0


@modes
def test_extrema_beside_nan(differentiate):
    # fmax and fmin drop the NaN, and the gradient is the number's.
    assert differentiate(lambda x: dt.fmax(x, nan), 1.5) == 1.0
    assert differentiate(lambda x: dt.fmin(nan, x), 1.5) == 1.0
    assert dt.isnan(dt.maximum(1.5, nan)) and dt.isnan(dt.minimum(nan, 1.5))


@modes
def test_clip_is_one_on_the_closed_interval(differentiate):
    for x, slope in [(-1.0, 0.0), (0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (2.0, 0.0)]:
        assert differentiate(lambda x: dt.clip(x, 0.0, 1.0), x) == slope
        assert differentiate(lambda x: np.clip(x, 0.0, 1.0), x) == slope
    assert differentiate(lambda low: dt.clip(-1.0, low, 1.0), 0.0) == 1.0
    assert differentiate(lambda low: dt.clip(0.5, low, 1.0), 0.0) == 0.0
    assert differentiate(lambda low: dt.clip(0.0, low, 1.0), 0.0) == 0.0
    assert differentiate(lambda high: dt.clip(2.0, 0.0, high), 1.0) == 1.0
    assert differentiate(lambda high: dt.clip(1.0, 0.0, high), 1.0) == 0.0


@modes
def test_relu_at_zero(differentiate):
    assert [differentiate(dt.relu, x) for x in (-1.0, 0.0, -0.0, 1.0)] == [0.0, 0.0, 0.0, 1.0]


@modes
@pytest.mark.parametrize("x", [0.0, -0.0, 2.0, -3.0, 1e-320, 1e300, inf, -inf, nan])
def test_a_power_of_zero_is_flat_everywhere(differentiate, x):
    if math.isfinite(x):
        assert differentiate(lambda x: x**0, x) == 0.0
        assert differentiate(lambda x: x**0.0, x) == 0.0
        assert differentiate(lambda x: dt.pow(x, 0), x) == 0.0
    assert dt.derivative(lambda x: x**0, x) == 0.0
    assert dt.gradient(lambda x: x**0, x) == 0.0


@modes
def test_zero_to_a_power_is_flat_in_the_exponent(differentiate):
    for y in (0.5, 1.0, 2.0, 3.7):
        assert differentiate(lambda y: 0.0**y, y) == 0.0
        assert differentiate(lambda y: dt.pow(0.0, y), y) == 0.0
        assert differentiate(lambda y: 0**y, y) == 0.0
        assert differentiate(lambda y: np.power(0.0, y), y) == 0.0


@modes
def test_small_powers_at_zero(differentiate):
    assert differentiate(lambda x: x**1, 0.0) == 1.0
    assert differentiate(lambda x: x**2, 0.0) == 0.0
    assert differentiate(lambda x: x**3.0, 0.0) == 0.0
    assert differentiate(lambda x: x**1.5, 0.0) == 0.0
    assert differentiate(lambda x: x**0.5, 0.0) == inf


@seconds
def test_second_derivatives_of_powers_at_zero(second):
    assert second(lambda x: x**0, 0.0) == 0.0
    assert second(lambda x: x**1, 0.0) == 0.0
    assert second(lambda x: x**2, 0.0) == 2.0
    assert second(lambda x: x**3, 0.0) == 0.0
    assert second(lambda x: x * x**1, 0.0) == 2.0
    assert second(lambda x: x**2.0 + x**0 * x**2, 0.0) == 4.0


@seconds
@pytest.mark.parametrize("n", [2, 3, 5, -1, -2])
def test_powers_of_negative_numbers(second, n):
    assert dt.gradient(lambda x: x**n, -1.5) == pytest.approx(n * (-1.5) ** (n - 1), rel=1e-14)
    assert second(lambda x: x**n, -1.5) == pytest.approx(n * (n - 1) * (-1.5) ** (n - 2), rel=1e-13)
    assert second(lambda x: x ** float(n), -1.5) == pytest.approx(n * (n - 1) * (-1.5) ** (n - 2), rel=1e-13)


@modes
def test_a_sum_of_powers_from_arange(differentiate):
    assert differentiate(lambda x: (x ** np.arange(3)).sum(), 0.0) == 1.0
    assert differentiate(lambda x: sum(x**i for i in range(3)), 0.0) == 1.0


@modes
def test_where_does_not_let_the_branch_not_taken_in(differentiate):
    assert differentiate(lambda x: dt.where(x < 1, x, dt.sqrt(x - 1)), 0.0) == 1.0
    assert differentiate(lambda x: dt.where(x < 1, x, dt.sqrt(x - 1)), 1.0) == inf
    assert differentiate(lambda x: dt.where(x > 0, dt.log(x), 2 * x), 0.0) == 2.0
    assert differentiate(lambda x: dt.where(x != 0, dt.sin(x) * dt.reciprocal(x), 1.0 + 0 * x), 0.0) == 0.0
    assert differentiate(lambda x: dt.where(x > 5, dt.exp(x * 1000), x), 3.0) == 1.0


@seconds
def test_where_at_second_order(second):
    assert second(lambda x: dt.where(x < 1, x * x, dt.sqrt(x - 1)), 0.0) == 2.0
    assert second(lambda x: dt.where(x > 0, dt.log(x) * dt.log(x), x**3), 0.0) == 0.0
    assert second(lambda x: dt.where(x < 1, x, dt.sqrt(x - 1)) * x, 0.0) == 2.0
    assert second(lambda x: x * dt.exp(dt.where(x < 1, x, dt.sqrt(x - 1))), 0.0) == 2.0


@modes
def test_strict_nan_restores_ieee(differentiate):
    f = lambda x: dt.sqrt(0.0 * x) + x
    with dt.strict_nan():
        assert math.isnan(differentiate(f, 2.0))
    assert differentiate(f, 2.0) == 1.0


def test_strict_nan_is_left_after_an_exception():
    f = lambda x: dt.sqrt(0.0 * x) + x
    with pytest.raises(KeyError), dt.strict_nan():
        raise KeyError
    assert dt.gradient(f, 2.0) == 1.0


@pytest.mark.parametrize("differentiate", (NATIVE | {"b": BOXED["gradient in gradient"]}).values())
def test_roots_and_logarithms_at_zero(differentiate):
    assert differentiate(dt.sqrt, 0.0) == inf
    assert differentiate(lambda x: x**0.5, 0.0) == inf
    assert differentiate(dt.cbrt, 0.0) == inf
    assert differentiate(dt.log, 0.0) == inf
    assert differentiate(lambda x: dt.sqrt(0 * x), 2.0) == 0.0


@pytest.mark.parametrize("differentiate", NATIVE.values(), ids=NATIVE)
def test_an_infinite_slope_times_an_exact_zero(differentiate):
    for f in (lambda x: dt.sqrt(x * x), lambda x: (x * x) ** 0.5, lambda x: dt.sqrt(x) * x, lambda x: dt.cbrt(x**3)):
        assert differentiate(f, 0.0) == 0.0


@modes
def test_the_norm_at_zero(differentiate):
    assert differentiate(lambda x: dt.hypot(x, x), 0.0) == 0.0
    assert differentiate(lambda x: dt.hypot(x, 0.0), 0.0) == 0.0


@modes
def test_functions_outside_their_domain_do_not_raise(differentiate):
    for f in (dt.log, dt.sqrt, dt.asin, dt.acosh, dt.log1p):
        assert math.isnan(differentiate(f, -2.0)) or math.isfinite(differentiate(f, -2.0))
        assert math.isnan(dt.value_and_gradient(f, -2.0)[0])
    assert differentiate(lambda x: 1.0 if math.isnan(dt.stop_gradient(dt.log(x))) else x, -1.0) == 0.0


@modes
def test_overflow_of_functions_does_not_raise(differentiate):
    assert differentiate(dt.exp, 1000.0) == inf
    assert differentiate(dt.sinh, 1000.0) == inf
    assert differentiate(lambda x: dt.exp(-x), 1000.0) == 0.0
    assert differentiate(lambda x: dt.tanh(x), 1000.0) == 0.0
    assert differentiate(dt.sigmoid, -1000.0) == 0.0
    assert differentiate(dt.softplus, 1000.0) == 1.0
    assert differentiate(lambda x: dt.logaddexp(x, 0.0), 1000.0) == 1.0
    assert differentiate(lambda x: dt.logaddexp(x, x), 1e300) == 1.0


def test_functions_of_plain_floats_raise_as_maths():
    for f, x in [(dt.log, 0.0), (dt.sqrt, -1.0), (dt.asin, 2.0), (dt.log1p, -1.0), (dt.gamma, 0.0), (dt.acosh, 0.5)]:
        with pytest.raises(ValueError):
            f(x)
    for f, x in [(dt.exp, 1000.0), (dt.cosh, 1000.0), (dt.gamma, 200.0), (dt.expm1, 1000.0)]:
        with pytest.raises(OverflowError):
            f(x)


@modes
def test_division_by_zero_raises_as_pythons(differentiate):
    for f in (lambda x: 1 / x, lambda x: x / (x * 0.0), lambda x: x**-1, lambda x: 5 % x, lambda x: 5 // x):
        with pytest.raises(ZeroDivisionError):
            differentiate(f, 0.0)


@modes
def test_zero_times_infinity(differentiate):
    # An exact zero stays zero, whatever it is multiplied with in the sweep.
    assert differentiate(lambda x: dt.sqrt(0.0 * x) + x, 3.0) == 1.0
    assert differentiate(lambda x: dt.log(dt.stop_gradient(x) * 0.0 + 0 * x) * 0.0 + x, 3.0) == 1.0


@modes
def test_infinite_and_nan_constants(differentiate):
    assert differentiate(lambda x: x + inf, 1.0) == 1.0
    assert differentiate(lambda x: x * inf, 1.0) == inf
    assert differentiate(lambda x: dt.minimum(x, inf), 1.0) == 1.0
    assert differentiate(lambda x: x if x < nan else 2 * x, 1.0) == 2.0
    assert math.isnan(differentiate(lambda x: x * nan, 1.0))


@modes
def test_negative_zero(differentiate):
    assert math.copysign(1.0, dt.value_and_gradient(lambda x: -x, 0.0)[0]) == -1.0
    assert differentiate(lambda x: dt.copysign(x, -1.0), 2.0) == -1.0
    assert differentiate(lambda x: dt.copysign(3.0, x), 2.0) == 0.0
    assert differentiate(lambda x: dt.atan2(x, -1.0), 0.0) == -1.0
    assert differentiate(lambda x: dt.atan2(0.0, x), 2.0) == 0.0


@modes
def test_steps_are_flat(differentiate):
    for f in (dt.floor, dt.ceil, dt.trunc, dt.round, dt.sign, lambda x: x // 1, np.floor, np.sign, np.rint):
        assert differentiate(f, 1.5) == 0.0
        assert differentiate(f, 2.0) == 0.0
        assert differentiate(lambda x: x * f(x), 2.5) == f(2.5)


@modes
def test_remainders(differentiate):
    for x in (7.5, -7.5):
        assert differentiate(lambda x: x % 2.0, x) == 1.0
        assert differentiate(lambda x: x % -2.0, x) == 1.0
        assert differentiate(lambda x: dt.fmod(x, 2.0), x) == 1.0
        assert differentiate(lambda y: x % y, 2.0) == -math.floor(x / 2.0)
        assert differentiate(lambda y: dt.fmod(x, y), 2.0) == -math.trunc(x / 2.0)
        assert differentiate(lambda x: math.prod(divmod(x, 2.0)), x) == x // 2.0
    assert dt.value_and_gradient(lambda x: x % 3, -1e-20)[0] == -1e-20 % 3


@modes
def test_sinc_and_xlogy_at_zero(differentiate):
    assert differentiate(dt.sinc, 0.0) == 0.0
    assert differentiate(lambda x: dt.xlogy(x, 2.0), 0.0) == pytest.approx(math.log(2.0))
    assert differentiate(lambda y: dt.xlogy(0.0, y), 0.0) == 0.0


@seconds
def test_infinite_curvature_is_not_zero(second):
    for f in (dt.cbrt, dt.sqrt, lambda x: x**1.5 + x, lambda x: x**0.5):
        assert not math.isfinite(second(f, 0.0))


@pytest.mark.parametrize("f", [dt.log, dt.sqrt, dt.asinh, lambda x: dt.maximum(x, inf), lambda x: dt.hypot(x, inf)])
@modes
def test_zero_slopes_of_infinite_values(differentiate, f):
    assert differentiate(f, inf if f in (dt.log, dt.sqrt, dt.asinh) else 1.0) == 0.0


@seconds
def test_curvature_at_special_points(second):
    assert second(dt.sinc, 0.0) == pytest.approx(-(math.pi**2) / 3, rel=1e-14)
    assert second(dt.cosh, 0.0) == 1.0
    assert second(abs, 0.0) == 0.0
    assert second(dt.relu, 0.0) == 0.0
    assert second(dt.softplus, 0.0) == 0.25
    assert second(dt.erf, 0.0) == 0.0
    assert second(lambda x: dt.logaddexp(x, -x), 0.0) == 1.0
    assert second(dt.tan, 0.0) == 0.0
    assert second(lambda x: max(x * x, 0.0), 0.0) == 2.0


@modes
def test_huge_and_tiny_numbers(differentiate):
    assert differentiate(lambda x: dt.hypot(x, 1e200), 1e200) == pytest.approx(math.sqrt(0.5), rel=1e-15)
    assert differentiate(lambda x: dt.atan2(x, 1e-300), 1e-300) == pytest.approx(0.5e300, rel=1e-14)
    assert differentiate(lambda x: 1 / x, 1e200) == pytest.approx(-0.0, abs=1e-300)
    assert differentiate(lambda x: x / 1e-300 * 1e-300, 2.0) == pytest.approx(1.0, rel=1e-15)
    assert differentiate(lambda x: 5e-324 * x, 1.0) == 5e-324


@modes
def test_cancellation(differentiate):
    assert differentiate(lambda x: dt.expm1(x) / x, 1e-8) == pytest.approx(0.5, rel=1e-7)
    assert differentiate(dt.tanh, 19.0) == pytest.approx(4 * math.exp(-38.0), rel=1e-13)
    assert differentiate(dt.sigmoid, 40.0) == pytest.approx(math.exp(-40.0), rel=1e-13)
    assert differentiate(dt.sigmoid, -40.0) == pytest.approx(math.exp(-40.0), rel=1e-13)
    assert differentiate(dt.erf, 6.0) == pytest.approx(2 / math.sqrt(math.pi) * math.exp(-36.0), rel=1e-13)
    assert differentiate(dt.log_ndtr, -1e4) == pytest.approx(1e4, rel=1e-7)
    assert differentiate(dt.acosh, 1 + 1e-10) == pytest.approx(1 / math.sqrt(2.0e-10), rel=1e-6)
