"""gradient and value_and_gradient: reverse mode of a scalar function."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import dualtape as dt
from oracles import mp_gradient


def test_one_argument():
    slope = dt.gradient(lambda x: x * x, 3.0)
    assert slope == 6.0 and type(slope) is float


def test_several_arguments_give_a_tuple():
    assert dt.gradient(lambda x, y: x * y * y, 3.0, 2.0) == (4.0, 12.0)
    assert dt.gradient(lambda *xs: xs[0] * xs[2], 1.0, 2.0, 3.0) == (3.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, 12.0),
        (1, 8.0),
        (-1, 6.0),
        ((0,), (12.0,)),
        ((2, 0), (6.0, 12.0)),
        ([1, 2], (8.0, 6.0)),
        ((-1, 0), (6.0, 12.0)),
    ],
)
def test_argnums(argnums, expected):
    f = lambda x, y, z: x * y * z
    assert dt.gradient(f, 2.0, 3.0, 4.0, argnums=argnums) == expected
    assert dt.gradient(f, argnums=argnums)(2.0, 3.0, 4.0) == expected
    assert dt.value_and_gradient(f, 2.0, 3.0, 4.0, argnums=argnums) == (24.0, expected)


def test_arguments_outside_argnums_pass_through_untouched():
    marker = object()
    seen = []

    def f(x, config, flag, y):
        seen.append((config, flag, type(y)))
        return x * y

    assert dt.gradient(f, 2.0, marker, True, 4, argnums=0) == 4.0
    assert seen == [(marker, True, int)]


@pytest.mark.parametrize("argnums", [3, -4, (0, 5), 1.5, "x", (0, 0), ()])
def test_argnums_that_pick_nothing_are_refused(argnums):
    if argnums == (0, 0) or argnums == ():
        try:
            out = dt.gradient(lambda x, y, z: x * y * z, 2.0, 3.0, 4.0, argnums=argnums)
        except (TypeError, ValueError, IndexError):
            return
        assert out == ((12.0, 12.0) if argnums else ())
        return
    with pytest.raises((TypeError, ValueError, IndexError)) as info:
        dt.gradient(lambda x, y, z: x * y * z, 2.0, 3.0, 4.0, argnums=argnums)
    assert isinstance(info.value, dt.DualtapeError)


def test_without_arguments_it_returns_a_function():
    slope = dt.gradient(lambda x, y: x * y)
    assert slope(3.0, 4.0) == (4.0, 3.0)
    assert dt.gradient(lambda x: x * x)(3.0) == 6.0

    @dt.gradient
    def decorated(x):
        return x**3

    assert decorated(2.0) == 12.0


def test_value_and_gradient():
    value, slope = dt.value_and_gradient(lambda x, y: x * y, 3.0, 4.0)
    assert value == 12.0 and type(value) is float
    assert slope == (4.0, 3.0)
    assert dt.value_and_gradient(lambda x: x * x)(3.0) == (9.0, 6.0)
    assert dt.value_and_gradient(lambda v: v[0] * v[1], [3.0, 4.0]) == (12.0, [4.0, 3.0])


def test_has_aux():
    def f(x):
        return x * x, {"half": x / 2, "text": "kept", "list": [x, 1]}

    assert dt.gradient(f, 3.0, has_aux=True) == (6.0, {"half": 1.5, "text": "kept", "list": [3.0, 1]})
    (value, aux), slope = dt.value_and_gradient(f, 3.0, has_aux=True)
    assert (value, slope) == (9.0, 6.0)
    assert type(aux["half"]) is float and type(aux["list"][0]) is float
    (value, aux), slope = dt.value_and_gradient(f, has_aux=True)(3.0)
    assert (value, slope, aux["text"]) == (9.0, 6.0, "kept")


def test_has_aux_wants_a_pair():
    for out in (lambda x: x * x, lambda x: (x, x, x), lambda x: [x]):
        with pytest.raises((TypeError, ValueError)) as info:
            dt.gradient(out, 3.0, has_aux=True)
        assert isinstance(info.value, dt.DualtapeError)


def test_aux_of_an_inner_gradient_keeps_the_outer_derivative():
    def outer(y):
        slope, aux = dt.gradient(lambda x: (x * x * y, x * y), 3.0, has_aux=True)
        return slope + aux

    for differentiate in (dt.derivative, dt.gradient):
        assert differentiate(outer, 2.0) == 6.0 + 3.0


def test_keyword_arguments_are_constants_passed_through():
    def f(x, power, *, scale=1.0):
        return scale * x**power

    assert dt.gradient(f, 2.0, power=3, scale=0.5) == 6.0
    assert dt.gradient(f)(2.0, power=3) == 12.0
    assert dt.value_and_gradient(f, 2.0, 3.0, scale=2.0, argnums=0) == (16.0, 24.0)


def test_a_constant_function_has_gradient_zero():
    assert dt.gradient(lambda x: 1.0, 2.0) == 0.0
    assert dt.gradient(lambda x: 1, 2.0) == 0.0
    assert dt.gradient(lambda x, y: y, 2.0, 3.0) == (0.0, 1.0)
    assert dt.gradient(lambda v: 2.5, [1.0, (2.0,)]) == [0.0, (0.0,)]
    assert_allclose(dt.gradient(lambda v: 2.5, np.ones((2, 2))), np.zeros((2, 2)))
    assert dt.gradient(lambda v: np.float64(1.0), 1.0) == 0.0


def test_the_output_is_an_input():
    assert dt.gradient(lambda x, y: y, 1.0, 2.0) == (0.0, 1.0)
    assert dt.gradient(lambda v: v[1], [1.0, 2.0, 3.0]) == [0.0, 1.0, 0.0]


def test_the_same_object_as_two_arguments():
    x = 3.0
    assert dt.gradient(lambda a, b: a * a * b, x, x) == (18.0, 9.0)
    v = [1.0, 2.0]
    assert dt.gradient(lambda a, b: a[0] * b[1], v, v) == ([2.0, 0.0], [0.0, 1.0])


@pytest.mark.parametrize(
    "output",
    [
        lambda x: [x],
        lambda x: (x, x),
        lambda x: None,
        lambda x: "text",
        lambda x: np.array([x, x], dtype=object),
        lambda x: {"a": x},
        lambda x: True,
        lambda x: x > 1,
        lambda x: lambda y: x,
    ],
)
def test_outputs_that_are_not_scalars_are_refused(output):
    with pytest.raises(TypeError, match=r"scalar|number|bool") as info:
        dt.gradient(output, 3.0)
    assert isinstance(info.value, dt.DualtapeError)


def test_a_size_one_array_is_a_scalar_or_refused():
    for wrap in (lambda x: np.array(x * x, dtype=object), lambda x: np.array([x * x], dtype=object)):
        try:
            slope = dt.gradient(lambda x: wrap(x), 3.0)
        except TypeError:
            continue
        assert slope == 6.0


def test_what_cannot_be_called_is_refused():
    for f in (None, 3.0, "sin"):
        with pytest.raises(TypeError, match="function") as info:
            dt.gradient(f, 1.0)
        assert isinstance(info.value, dt.DualtapeError)


@pytest.mark.parametrize("x", [True, np.True_, [1.0, True], {"a": False}, np.array([True])], ids=repr)
def test_booleans_are_refused(x):
    with pytest.raises(TypeError, match="bool") as info:
        dt.gradient(lambda x: 1.0, x)
    assert isinstance(info.value, dt.DualtapeError)


def test_rosenbrock_in_a_loop():
    def rosenbrock(m, x):
        total = 0.0
        for i in range(len(x) - 1):
            total = total + 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
        return total

    x = [0.3 * math.sin(i) + 0.8 for i in range(12)]
    expected = mp_gradient(rosenbrock, x)
    assert dt.gradient(lambda x: rosenbrock(dt, x), x) == pytest.approx(expected, rel=1e-13)
    assert dt.gradient(lambda *xs: rosenbrock(dt, xs), *x) == pytest.approx(expected, rel=1e-13)
    assert_allclose(dt.gradient(lambda x: rosenbrock(dt, x), np.array(x)), expected, rtol=1e-13)


def test_a_polynomial_of_ten_thousand_coefficients():
    x, n = 0.9995, 10_000

    def polynomial(coefficients, x):
        out = 0.0
        for c in reversed(coefficients):
            out = out * x + c
        return out

    da, dx = dt.gradient(polynomial, [1.0] * n, x)
    assert_allclose(da, x ** np.arange(n), rtol=1e-10)
    assert dx == pytest.approx((np.arange(1, n) * x ** np.arange(n - 1)).sum(), rel=1e-11)


def test_a_long_fan_out_adds_up():
    def f(x):
        total = 0.0
        for i in range(1000):
            total = total + x * i
        return total

    assert dt.gradient(f, 1.0) == 499500.0


def test_dead_branches_do_not_contribute():
    def f(x):
        1 / (x - 1e-300)
        dt.sqrt(x) * dt.log(x)
        return 3 * x

    assert dt.gradient(f, 0.0) == 3.0


def test_results_are_fresh_objects():
    a = np.ones(3)
    first = dt.gradient(lambda v: v[0] * 1.0, a)
    second = dt.gradient(lambda v: v[1] * 1.0, a)
    assert_allclose(first, [1, 0, 0])
    assert_allclose(second, [0, 1, 0])
    assert (first.flags.writeable and first.flags.owndata) or first.base is not a


def test_pieces_of_the_same_gradient_through_every_argument_kind():
    def f(scalar, pair, table, array):
        return scalar * pair[0] * table["k"] * array[1] + pair[1] ** 2

    slopes = dt.gradient(f, 2.0, (3.0, 1.0), {"k": 4.0}, np.array([0.0, 5.0]))
    assert slopes[0] == 60.0
    assert slopes[1] == (40.0, 2.0)
    assert slopes[2] == {"k": 30.0}
    assert_allclose(slopes[3], [0.0, 24.0])


def test_float32_stays_float32():
    slope = dt.value_and_gradient(lambda x, y: x * y, np.float32(1.5), 2.0)[1]
    assert isinstance(slope[0], np.float32) and slope[0] == 2.0
    assert type(slope[1]) is float and slope[1] == 1.5
    slope = dt.gradient(lambda v: v[0] * v[1], np.array([1.5, 2.5], dtype=np.float32))
    assert slope.dtype == np.float32
    assert_allclose(slope, [2.5, 1.5])
