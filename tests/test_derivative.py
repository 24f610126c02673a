"""derivative: df/dx at a scalar x, of a scalar, an array or a structure."""

import math
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from numpy.testing import assert_allclose

import dualtape as dt
from oracles import complex_step


def test_a_number():
    slope = dt.derivative(lambda x: x * x, 3.0)
    assert slope == 6.0 and type(slope) is float


def test_without_its_point_it_returns_a_function():
    slope = dt.derivative(lambda x: x * x)
    assert callable(slope)
    assert (slope(3.0), slope(4.0)) == (6.0, 8.0)


def test_as_a_decorator():
    @dt.derivative
    def slope(x):
        """Cube."""
        return x**3

    assert slope(2.0) == 12.0
    assert slope.__name__ == "slope" or "derivative" in slope.__name__


@pytest.mark.parametrize("x", [3, 3.0, np.float64(3.0), np.int64(3), np.float32(3.0), np.array(3.0)], ids=repr)
def test_kinds_of_points(x):
    slope = dt.derivative(lambda x: x * x, x)
    assert slope == 6.0
    assert np.asarray(slope).dtype == (np.float32 if isinstance(x, np.float32) else np.float64)


@pytest.mark.parametrize("x", [True, np.True_])
def test_booleans_are_refused(x):
    with pytest.raises(TypeError, match="bool") as info:
        dt.derivative(lambda x: x * 1.0, x)
    assert isinstance(info.value, dt.DualtapeError)


@pytest.mark.parametrize("x", ["1.0", None, [1.0], (1.0,), {"x": 1.0}, np.ones(2), object()], ids=repr)
def test_points_that_are_not_scalars_are_refused(x):
    with pytest.raises(TypeError) as info:
        dt.derivative(lambda x: 1.0, x)
    assert isinstance(info.value, dt.DualtapeError)


@pytest.mark.parametrize("f", [None, 3.0, "sin", [abs]])
def test_what_cannot_be_called_is_refused(f):
    with pytest.raises(TypeError, match="function") as info:
        dt.derivative(f, 1.0)
    assert isinstance(info.value, dt.DualtapeError)


def test_a_constant_function():
    assert dt.derivative(lambda x: 5.0, 1.0) == 0.0
    assert dt.derivative(lambda x: 5, 1.0) == 0.0
    assert dt.derivative(lambda x: x // 1, 1.5) == 0.0
    assert type(dt.derivative(lambda x: 5, 1.0)) is float


def test_the_identity():
    assert dt.derivative(lambda x: x, 2.0) == 1.0


def test_a_list_a_tuple_and_a_dict_of_outputs():
    Pair = namedtuple("Pair", "first second")
    slope = dt.derivative(lambda x: [x * x, (x, 1.0), {"b": 3 * x, "a": Pair(-x, x**3)}], 2.0)
    assert slope == [4.0, (1.0, 0.0), {"b": 3.0, "a": Pair(-1.0, 12.0)}]
    assert type(slope[2]["a"]) is Pair
    ordered = dt.derivative(lambda x: OrderedDict(z=x, a=x * x), 2.0)
    assert list(ordered.items()) == [("z", 1.0), ("a", 4.0)] and type(ordered) is OrderedDict


def test_an_array_of_outputs():
    def f(x):
        return np.array([[x, x * x], [dt.sin(x), 1.0]], dtype=object)

    slope = dt.derivative(f, 2.0)
    assert slope.dtype == np.float64 and slope.shape == (2, 2)
    assert_allclose(slope, [[1.0, 4.0], [math.cos(2.0), 0.0]], rtol=1e-15)
    assert_allclose(dt.derivative(lambda x: np.arange(3.0) * x, 2.0), np.arange(3.0))
    assert_allclose(dt.derivative(lambda x: np.arange(3.0), 2.0), np.zeros(3))


def test_outputs_that_are_not_numbers_get_none():
    assert dt.derivative(lambda x: (x * x, "label", None), 2.0) == (4.0, None, None)


def test_keyword_arguments_are_passed_through():
    def f(x, *, power=1, scale=1.0):
        return scale * x**power

    assert dt.derivative(f)(2.0, power=3, scale=0.5) == 6.0


@pytest.mark.parametrize(
    "f",
    [
        lambda m, x: m.sin(x) * m.exp(-x) / (1 + x * x),
        lambda m, x: m.log(1 + x**4) ** 3,
        lambda m, x: m.sqrt(x + m.sqrt(x + m.sqrt(x))),
        lambda m, x: m.tan(m.atan(x) * 0.5) + m.cosh(x) - m.sinh(x),
        lambda m, x: x**x + 2**x + x**2.5 + x**-3,
        lambda m, x: (x - 1) / (x + 1) * m.asin(x / 10) * m.acos(x / 7),
    ],
)
@pytest.mark.parametrize("x", [0.25, 1.0, 3.5])
def test_against_the_complex_step(f, x):
    assert dt.derivative(lambda x: f(dt, x), x) == pytest.approx(complex_step(f, x), rel=1e-13)


def test_taylor_sine_of_the_2019_paper(capsys):
    def sine(x):
        t, sign = 0.0, -1.0
        for i in range(1, 20):
            if i % 2 == 1:
                term = x**i / math.factorial(i)
                if abs(term) < 1e-8:
                    return t
                print(i, end=" ")
                sign = -sign
                t = t + sign * term
        return t

    assert dt.derivative(sine, 1.0) == pytest.approx(0.5403023037918872, rel=1e-15)
    assert dt.gradient(sine, 1.0) == pytest.approx(0.5403023037918872, rel=1e-15)
    assert capsys.readouterr().out == "1 3 5 7 9 11 " * 2
    assert dt.derivative(sine, 0.0) == 0.0
    assert dt.derivative(dt.derivative(sine))(2.0) == pytest.approx(-0.90929745151967374, rel=1e-14)
    assert dt.derivative(sine, 3.0) == pytest.approx(-0.98999243749414648, rel=1e-13)


def test_a_function_that_returns_a_function_differentiates_the_closure():
    slope = dt.derivative(lambda x: lambda y: x * y, 2.0)
    assert slope(3.0) == 3.0
    assert slope(5.0) == 5.0
    assert dt.derivative(lambda x: lambda y: lambda z: x * y * z)(2.0)(3.0)(4.0) == 12.0


def test_nan_and_inf_points():
    assert math.isnan(dt.derivative(lambda x: x * x, math.nan))
    assert dt.derivative(lambda x: x * x, math.inf) == math.inf
    assert dt.derivative(lambda x: 1 / x, math.inf) == 0.0


def test_the_exceptions_of_f_come_through_unchanged():
    class Strange(Exception):
        pass

    error = Strange("from f")

    def f(x):
        raise error

    with pytest.raises(Strange) as info:
        dt.derivative(f, 1.0)
    assert info.value is error
    assert dt.derivative(lambda x: x * x, 1.0) == 2.0


def test_a_generator_based_program():
    def partial_sums(x):
        total, term = 0.0, 1.0
        for n in range(1, 30):
            total = total + term
            yield total
            term = term * x / n

    def f(x):
        for total in partial_sums(x):
            pass
        return total

    assert dt.derivative(f, 1.5) == pytest.approx(math.exp(1.5), rel=1e-14)
