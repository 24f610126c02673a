"""pushforward and pullback: products of the Jacobian with vectors, on either side."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import dualtape as dt


def test_pushforward_of_one_argument():
    value, tangent = dt.pushforward(lambda x: x**3, 2.0, 0.5)
    assert (value, tangent) == (8.0, 6.0)
    assert type(value) is float and type(tangent) is float


def test_a_tuple_of_primals_is_several_arguments():
    value, tangent = dt.pushforward(lambda x, y: x * y, (2.0, 3.0), (1.0, 10.0))
    assert (value, tangent) == (6.0, 23.0)
    value, tangent = dt.pushforward(lambda x: x * x, (3.0,), (1.0,))
    assert (value, tangent) == (9.0, 6.0)


def test_anything_else_is_the_single_argument():
    value, tangent = dt.pushforward(lambda v: v[0] * v[1], [2.0, 3.0], [1.0, 10.0])
    assert (value, tangent) == (6.0, 23.0)
    value, tangent = dt.pushforward(lambda d: d["a"] ** 2, {"a": 3.0}, {"a": 2.0})
    assert (value, tangent) == (9.0, 12.0)
    value, tangent = dt.pushforward(lambda a: (a * a).sum(), np.array([1.0, 2.0]), np.array([0.5, -1.0]))
    assert (value, tangent) == (5.0, -3.0)


def test_pushforward_gives_the_structure_of_the_output():
    value, tangent = dt.pushforward(lambda x: {"y": [x, 2.0, "s"], "z": (x * x,)}, 3.0, 1.0)
    assert value == {"y": [3.0, 2.0, "s"], "z": (9.0,)}
    assert tangent == {"y": [1.0, 0.0, None], "z": (6.0,)}
    value, tangent = dt.pushforward(lambda x: np.array([x, x * x], dtype=object), 3.0, 1.0)
    assert value.dtype == tangent.dtype == np.float64
    assert_array_equal(value, [3.0, 9.0])
    assert_array_equal(tangent, [1.0, 6.0])


def test_integer_tangents_and_primals_are_promoted():
    value, tangent = dt.pushforward(lambda x: x * x, 3, 1)
    assert (value, tangent) == (9.0, 6.0) and type(tangent) is float


def test_a_zero_tangent_gives_exact_zeros():
    assert dt.pushforward(lambda x: dt.sqrt(x), 0.0, 0.0) == (0.0, 0.0)
    assert dt.pushforward(lambda x, y: dt.log(x) + y, (0.0, 1.0), (0.0, 1.0))[1] == 1.0


@pytest.mark.parametrize(
    ("primals", "tangents"),
    [
        (1.0, (1.0, 2.0)),
        ((1.0, 2.0), (1.0,)),
        ([1.0, 2.0], [1.0]),
        ({"a": 1.0}, {"b": 1.0}),
        (np.ones(2), np.ones(3)),
        (np.ones(2), 1.0),
        (np.ones((2, 3)), np.ones((3, 2))),
        (np.ones(2), [1.0, 1.0, 1.0]),
        ({"a": 1.0, "b": 2.0}, {"a": 1.0, "c": 2.0}),
        ([1.0, [2.0]], [[1.0], 2.0]),
        (1.0, "1.0"),
        (True, 1.0),
    ],
)
def test_tangents_that_do_not_fit_are_refused(primals, tangents):
    with pytest.raises((TypeError, ValueError)) as info:
        dt.pushforward(lambda *args: 1.0, primals, tangents)
    assert isinstance(info.value, dt.DualtapeError)


def test_pushforward_without_its_point_returns_a_function():
    assert dt.pushforward(lambda x, y: x * y)((2.0, 3.0), (1.0, 0.0)) == (6.0, 3.0)


def test_pushforward_of_pushforward_mixes_directions():
    def inner(x):
        return dt.pushforward(lambda y: y**3 * x, x, 1.0)[1]

    # inner(x) = 3 x^3, for the y direction alone.
    value, tangent = dt.pushforward(inner, 2.0, 1.0)
    assert (value, tangent) == (24.0, 36.0)


def test_tangents_may_be_traced():
    for differentiate in (dt.derivative, dt.gradient):
        assert differentiate(lambda t: dt.pushforward(lambda y: y**3, 2.0, t)[1], 5.0) == 12.0
        assert differentiate(lambda t: dt.pushforward(lambda y: y**3 * t, t, t)[1], 2.0) == 3 * 4 * 8.0


def test_pullback_of_one_argument():
    value, back = dt.pullback(lambda x: x**3, 2.0)
    assert value == 8.0 and type(value) is float
    assert back(1.0) == 12.0
    assert back(0.5) == 6.0
    assert back(1) == 12.0 and type(back(1)) is float


def test_pullback_of_several_arguments_gives_a_tuple():
    value, back = dt.pullback(lambda x, y: x * y, 2.0, 3.0)
    assert value == 6.0
    assert back(10.0) == (30.0, 20.0)
    assert back(1.0) == (3.0, 2.0)


def test_pullback_takes_cotangents_of_the_structure_of_the_output():
    value, back = dt.pullback(lambda v: {"s": v[0] + v[1], "p": [v[0] * v[1], 5.0]}, [2.0, 3.0])
    assert value == {"s": 5.0, "p": [6.0, 5.0]}
    assert back({"s": 1.0, "p": [10.0, 100.0]}) == [31.0, 21.0]
    assert back({"s": 0.0, "p": [1.0, 0.0]}) == [3.0, 2.0]


def test_pullback_of_array_outputs():
    a = np.array([1.0, 2.0, 3.0])
    value, back = dt.pullback(lambda v: v * v, a)
    assert_array_equal(value, a * a)
    assert value.dtype == np.float64
    assert_array_equal(back(np.array([1.0, 10.0, 100.0])), [2.0, 40.0, 600.0])


def test_pullback_of_a_repeated_output():
    value, back = dt.pullback(lambda x: (x, x, x * x, 1.0), 3.0)
    assert value == (3.0, 3.0, 9.0, 1.0)
    assert back((1.0, 1.0, 1.0, 1.0)) == 8.0


@pytest.mark.parametrize("cotangent", [(1.0,), [1.0, [2.0, 3.0]], "1.0", None, {"a": 1.0}, np.ones(3)])
def test_cotangents_that_do_not_fit_are_refused(cotangent):
    _, back = dt.pullback(lambda x: (x, x * x), 3.0)
    with pytest.raises((TypeError, ValueError)) as info:
        back(cotangent)
    assert isinstance(info.value, dt.DualtapeError)
    assert back((1.0, 0.0)) == 1.0


def test_a_zero_cotangent_gives_exact_zeros():
    _, back = dt.pullback(lambda x: (dt.sqrt(x), x), 0.0)
    assert back((0.0, 1.0)) == 1.0
    assert back((1.0, 0.0)) == math.inf


def test_back_outlives_the_call_and_its_inputs():
    def make():
        a = np.array([1.0, 2.0])
        return a, dt.pullback(lambda v: v[0] * v[1] ** 2, a)[1]

    a, back = make()
    a[:] = 100.0
    assert_array_equal(back(1.0), [4.0, 4.0])


def test_many_pullbacks_live_side_by_side():
    backs = [dt.pullback(lambda x, y: x * y**2, float(i), 2.0)[1] for i in range(50)]
    for i, back in reversed(list(enumerate(backs))):
        assert back(1.0) == (4.0, 4.0 * i)


def test_pullback_without_arguments_returns_a_function():
    value, back = dt.pullback(lambda x, y: x * y)(2.0, 3.0)
    assert (value, back(1.0)) == (6.0, (3.0, 2.0))


def test_keyword_arguments_are_passed_through():
    value, back = dt.pullback(lambda x, *, scale: scale * x, 2.0, scale=3.0)
    assert (value, back(1.0)) == (6.0, 3.0)


def test_pullback_inside_derivatives():
    def f(x):
        _, back = dt.pullback(lambda y: y**3 * x, 2.0)
        return back(x)  # 12 x^2

    for differentiate in (dt.derivative, dt.gradient):
        assert differentiate(f, 5.0) == 120.0


def test_traced_cotangents_of_a_float_pullback():
    # The pullback is linear in its cotangent, and that too can be differentiated.
    _, back = dt.pullback(lambda x, y: x * y, 2.0, 3.0)
    for differentiate in (dt.derivative, dt.gradient):
        assert differentiate(lambda t: back(t)[0] * t, 4.0) == 24.0


def test_pushforward_and_pullback_are_adjoint():
    def f(v):
        a, b, c = v
        return [a * dt.sin(b), dt.exp(c) / a, a * b * c, b**2]

    x, u, w = [0.7, 1.2, -0.4], [0.3, -1.0, 2.0], [1.0, 0.5, -2.0, 0.25]
    _, tangent = dt.pushforward(f, x, u)
    _, back = dt.pullback(f, x)
    assert np.dot(w, tangent) == pytest.approx(np.dot(back(w), u), rel=1e-14)
    assert_allclose(np.asarray(tangent), dt.jacobian(f, x) @ u, rtol=1e-14)


def test_the_value_holds_no_traced_value():
    value, _ = dt.pullback(lambda x: [x, {"y": x * 2}, np.array([x], dtype=object)], 3.0)
    assert type(value[0]) is float and type(value[1]["y"]) is float and value[2].dtype == np.float64
    value, _ = dt.pushforward(lambda x: [x, {"y": x * 2}], 3.0, 1.0)
    assert type(value[0]) is float and type(value[1]["y"]) is float


def test_none_stands_for_leaves_that_are_no_numbers():
    x = [2.0, "name", None]
    f = lambda x: x[0] ** 3
    assert dt.pushforward(f, x, [1.0, None, None]) == (8.0, 12.0)
    assert dt.hvp(f, x, [1.0, None, None]) == [12.0, None, None]
    value, back = dt.pullback(lambda x: (x * x, "name", None), 3.0)
    assert value == (9.0, "name", None)
    assert back((1.0, None, None)) == 6.0


def test_the_pullback_of_a_constant():
    value, back = dt.pullback(lambda x, y: 5.0, 1.0, 2.0)
    assert (value, back(1.0)) == (5.0, (0.0, 0.0))
