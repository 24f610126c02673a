"""jacobian: all first derivatives, of shape out.shape + in.shape."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import dualtape as dt

modes = pytest.mark.parametrize("mode", ["forward", "reverse", "auto"])


def three_of_two(v):
    x, y = v
    return [x * y, dt.sin(x), y**3]


@modes
@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_vector_to_vector(mode, kind):
    jacobian = dt.jacobian(three_of_two, kind([2.0, 3.0]), mode=mode)
    assert isinstance(jacobian, np.ndarray) and jacobian.dtype == np.float64
    assert_allclose(jacobian, [[3.0, 2.0], [math.cos(2.0), 0.0], [0.0, 27.0]], rtol=1e-15)


@modes
@pytest.mark.parametrize(
    ("f", "x", "shape"),
    [
        (lambda x: x * x, 3.0, ()),
        (lambda x: [x, x * x], 3.0, (2,)),
        (lambda v: v[0] * v[1], [1.0, 2.0], (2,)),
        (lambda v: v, [1.0, 2.0], (2, 2)),
        (lambda m: m[0, 0] * m[1, 2], np.ones((2, 3)), (2, 3)),
        (lambda m: m.T, np.ones((2, 3)), (3, 2, 2, 3)),
        (lambda m: m * 2.0, np.ones((2, 3)), (2, 3, 2, 3)),
        (lambda x: np.array([[x, x]], dtype=object), 1.0, (1, 2)),
        (lambda v: np.array([v[0], 1.0], dtype=object), np.ones(3), (2, 3)),
        (lambda v: [1.0, 2.0], [1.0, 2.0, 3.0], (2, 3)),
        (lambda v: np.ones(4), [1.0, 2.0, 3.0], (4, 3)),
    ],
)
def test_shapes(mode, f, x, shape):
    assert np.shape(dt.jacobian(f, x, mode=mode)) == shape


@modes
def test_the_identity_transposed(mode):
    jacobian = dt.jacobian(lambda m: m.T, np.arange(6.0).reshape(2, 3), mode=mode)
    for i in range(3):
        for j in range(2):
            expected = np.zeros((2, 3))
            expected[j, i] = 1.0
            assert_array_equal(jacobian[i, j], expected)


@modes
def test_empty_inputs_and_outputs(mode):
    assert dt.jacobian(lambda v: v, np.zeros(0), mode=mode).shape == (0, 0)
    assert dt.jacobian(lambda v: [1.0], np.zeros(0), mode=mode).shape == (1, 0)
    assert dt.jacobian(lambda v: np.zeros(0), [1.0, 2.0], mode=mode).shape == (0, 2)


@modes
@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 40), (40, 1), (7, 9), (12, 12), (13, 5), (30, 31)])
def test_every_size_against_a_closed_form(mode, n, m):
    weights = np.sin(np.arange(m * n)).reshape(m, n)

    def f(x):
        return [dt.tanh(sum(weights[i, j] * x[j] * x[j] for j in range(n))) for i in range(m)]

    x = np.cos(np.arange(n)) * 0.3
    jacobian = dt.jacobian(f, x, mode=mode)
    inner = np.tanh(weights @ x**2)
    assert_allclose(jacobian, (1 - inner**2)[:, None] * weights * 2 * x, rtol=1e-12, atol=1e-15)


@modes
def test_dicts_give_structures(mode):
    jacobian = dt.jacobian(lambda d: d["a"] * d["b"], {"a": 2.0, "b": 3.0}, mode=mode)
    assert jacobian == {"a": 3.0, "b": 2.0}
    jacobian = dt.jacobian(lambda v: {"s": v[0] + v[1], "p": v[0] * v[1]}, [2.0, 3.0], mode=mode)
    assert set(jacobian) == {"s", "p"}
    assert_array_equal(jacobian["s"], [1.0, 1.0])
    assert_array_equal(jacobian["p"], [3.0, 2.0])
    nested = dt.jacobian(lambda d: {"s": d["a"] + 0.0, "p": d["a"] * d["b"]}, {"a": 2.0, "b": 3.0}, mode=mode)
    assert nested == {"s": {"a": 1.0, "b": 0.0}, "p": {"a": 3.0, "b": 2.0}}


@modes
def test_without_its_point_it_returns_a_function(mode):
    assert_allclose(dt.jacobian(three_of_two, mode=mode)([2.0, 3.0])[2], [0.0, 27.0])


def test_auto_is_the_default():
    assert_allclose(dt.jacobian(three_of_two, [2.0, 3.0])[0], [3.0, 2.0])


@modes
def test_dtypes(mode):
    for dtype, out in (("float32", "float32"), ("int64", "float64"), ("float64", "float64")):
        jacobian = dt.jacobian(lambda v: [v[0] * v[1], v[0]], np.array([2, 3], dtype=dtype), mode=mode)
        assert jacobian.dtype == out
    assert dt.jacobian(lambda v: [v[0] * v[1]], [2, 3], mode=mode).dtype == np.float64


@modes
def test_repeated_and_constant_outputs(mode):
    def f(v):
        y = v[0] * v[1]
        return [y, y, v[0], 7.0, y, 0 * v[1]]

    assert_array_equal(dt.jacobian(f, [2.0, 3.0], mode=mode), [[3, 2], [3, 2], [1, 0], [0, 0], [3, 2], [0, 0]])


def test_an_unknown_mode_is_refused():
    with pytest.raises((TypeError, ValueError), match="mode") as info:
        dt.jacobian(three_of_two, [1.0, 2.0], mode="backward")
    assert isinstance(info.value, dt.DualtapeError)


@modes
def test_f_is_called_as_rarely_as_the_mode_allows(mode):
    calls = []

    def f(v):
        calls.append(1)
        return [x * x for x in v]

    dt.jacobian(f, [1.0, 2.0, 3.0], mode=mode)
    assert len(calls) <= (3 if mode != "reverse" else 1) + (mode == "auto")


@modes
def test_the_jacobian_of_the_polar_transform(mode):
    def cartesian(v):
        r, phi, theta = v
        return (r * dt.sin(theta) * dt.cos(phi), r * dt.sin(theta) * dt.sin(phi), r * dt.cos(theta))

    jacobian = dt.jacobian(cartesian, (1.7, 0.3, 1.1), mode=mode)
    assert np.linalg.det(jacobian) == pytest.approx(-(1.7**2) * math.sin(1.1), rel=1e-14)


@modes
@pytest.mark.parametrize("inner", ["forward", "reverse", "auto"])
def test_jacobian_of_a_jacobian(mode, inner):
    def f(v):
        return [v[0] ** 2 * v[1], v[1] ** 3]

    second = dt.jacobian(lambda v: dt.jacobian(f, v, mode=inner), [2.0, 3.0], mode=mode)
    assert second.shape == (2, 2, 2)
    assert_array_equal(second, [[[6.0, 4.0], [4.0, 0.0]], [[0.0, 0.0], [0.0, 18.0]]])


@modes
def test_inputs_are_not_modified(mode):
    x = np.array([1.0, 2.0])

    def f(v):
        v[0] = v[0] * v[1]
        return v

    assert_array_equal(dt.jacobian(f, x, mode=mode), [[2.0, 1.0], [0.0, 1.0]])
    assert_array_equal(x, [1.0, 2.0])


@modes
@pytest.mark.parametrize("x", [True, [True, 1.0], np.array([True])])
def test_booleans_are_refused(mode, x):
    with pytest.raises(TypeError, match="bool"):
        dt.jacobian(lambda v: v, x, mode=mode)


@modes
def test_exceptions_of_f_leave_nothing_behind(mode):
    def f(v):
        y = v[0] * v[1]
        raise KeyError("mine", y.value)

    with pytest.raises(KeyError, match="mine"):
        dt.jacobian(f, [1.0, 2.0], mode=mode)
