"""hessian and hvp: second derivatives of a scalar function."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import dualtape as dt
from oracles import mp_hessian


def rosenbrock(m, x):
    total = 0.0
    for i in range(len(x) - 1):
        total = total + 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
    return total


def mixture(m, x):
    out = 1.0
    for i in range(len(x)):
        out = out * m.exp(m.sin(x[i] * x[i - 1])) + m.log(1 + x[i] ** 2) / (2 + x[i - 2])
    return out


def kernels(m, x):
    a, b, c = x
    return (
        m.sqrt(a * a + b * b) * m.atan2(b, c)
        + m.tanh(a * c) ** 3
        + a**b
        + b / c
        - (2 - c) / (a - 5)
        + m.erf(a) * m.gamma(b)
        + m.hypot(a, c)
    )


FUNCTIONS = {
    "rosenbrock": (rosenbrock, [0.7, -0.3, 0.5, 1.1]),
    "mixture": (mixture, [0.4, 0.8, -0.6]),
    "kernels": (kernels, [0.9, 1.3, 0.6]),
}


@pytest.mark.parametrize(("f", "x"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_against_mpmath(f, x):
    expected = np.array(mp_hessian(f, x))
    program = lambda x: f(dt, x)
    hessian = dt.hessian(program, x)
    assert isinstance(hessian, np.ndarray) and hessian.dtype == np.float64
    scale = np.abs(expected).max()
    assert_allclose(hessian, expected, rtol=1e-11, atol=1e-12 * scale)
    assert_allclose(hessian, hessian.T, rtol=1e-13, atol=1e-14 * scale)
    for other in (
        dt.jacobian(dt.gradient(program), x, mode="forward"),
        dt.jacobian(dt.gradient(program), x, mode="reverse"),
        dt.jacobian(lambda x: dt.jacobian(program, x, mode="forward"), x, mode="reverse"),
    ):
        assert_allclose(other, hessian, rtol=1e-11, atol=1e-12 * scale)
    for i, direction in enumerate(np.eye(len(x))):
        assert_allclose(dt.hvp(program, x, list(direction)), hessian[i], rtol=1e-12, atol=1e-13 * scale)


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (2.0, ()),
        ([1.0, 2.0], (2, 2)),
        ((1.0, 2.0), (2, 2)),
        (np.ones(3), (3, 3)),
        (np.ones((2, 3)), (2, 3, 2, 3)),
        (np.zeros(0), (0, 0)),
    ],
    ids=repr,
)
def test_shapes(x, shape):
    def f(v):
        if hasattr(v, "ravel"):
            v = v.ravel()
        return sum(y * y for y in v) if hasattr(v, "__len__") else v * v

    hessian = dt.hessian(f, x)
    assert np.shape(hessian) == shape


def test_a_matrix_argument():
    a = np.arange(6.0).reshape(2, 3) + 1
    hessian = dt.hessian(lambda m: m[0, 0] ** 2 * m[1, 2] + m[0, 1] ** 3, a)
    expected = np.zeros((2, 3, 2, 3))
    expected[0, 0, 0, 0] = 2 * a[1, 2]
    expected[0, 0, 1, 2] = expected[1, 2, 0, 0] = 2 * a[0, 0]
    expected[0, 1, 0, 1] = 6 * a[0, 1]
    assert_array_equal(hessian, expected)


def test_dicts_give_structures():
    hessian = dt.hessian(lambda d: d["a"] ** 2 * d["b"], {"a": 2.0, "b": 3.0})
    assert hessian == {"a": {"a": 6.0, "b": 4.0}, "b": {"a": 4.0, "b": 0.0}}


def test_without_its_point_it_returns_a_function():
    assert_array_equal(dt.hessian(lambda v: v[0] * v[1])([2.0, 3.0]), [[0.0, 1.0], [1.0, 0.0]])


def test_linear_and_constant_functions_have_zero_hessians():
    assert_array_equal(dt.hessian(lambda v: 3 * v[0] - v[1], [1.0, 2.0]), np.zeros((2, 2)))
    assert_array_equal(dt.hessian(lambda v: 3.0, [1.0, 2.0]), np.zeros((2, 2)))
    assert_array_equal(dt.hessian(lambda v: v[1], [1.0, 2.0]), np.zeros((2, 2)))
    assert dt.hessian(lambda x: 7, 1.0) == 0.0
    assert_array_equal(dt.hvp(lambda v: 3.0, [1.0, 2.0], [1.0, 1.0]), np.zeros(2))


def test_closed_form_of_a_bilinear_sum():
    x = np.arange(1.0, 7.0)

    def f(v):
        return sum(y**4 for y in v) * sum(y**6 for y in v)

    s4, s6 = (x**4).sum(), (x**6).sum()
    cross = np.outer(4 * x**3, 6 * x**5)
    expected = cross + cross.T + np.diag(12 * x**2 * s6 + 30 * x**4 * s4)
    assert_allclose(dt.hessian(f, x), expected, rtol=1e-13)
    v = np.cos(x)
    assert_allclose(dt.hvp(f, x, v), expected @ v, rtol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 9, 16, 17, 33, 100])
def test_rosenbrock_of_every_size(n):
    x = np.cos(np.arange(n)) + 0.2
    hessian = dt.hessian(lambda v: rosenbrock(dt, v) + 0.0 * v[0], x)
    expected = np.zeros((n, n))
    for i in range(n - 1):
        expected[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        expected[i + 1, i + 1] += 200
        expected[i, i + 1] = expected[i + 1, i] = -400 * x[i]
    assert_allclose(hessian, expected, rtol=1e-12, atol=1e-11)


def test_hvp_takes_every_structure():
    f = lambda d: d["a"] ** 2 * d["b"][0]
    out = dt.hvp(f, {"a": 2.0, "b": [3.0]}, {"a": 1.0, "b": [0.5]})
    assert out == {"a": 6.0 + 2.0, "b": [4.0]}
    assert dt.hvp(lambda x: x**3, 2.0, 3.0) == 36.0
    assert dt.hvp(lambda x: x**3)(2.0, 3.0) == 36.0
    out = dt.hvp(lambda m: m[0, 1] ** 3, np.ones((2, 2)), 2 * np.ones((2, 2)))
    assert_array_equal(out, [[0.0, 12.0], [0.0, 0.0]])


def test_hvp_wants_a_vector_of_the_structure_of_x():
    for x, v in [([1.0, 2.0], [1.0]), (1.0, [1.0]), (np.ones(2), np.ones(3)), ({"a": 1.0}, {"b": 1.0})]:
        with pytest.raises((TypeError, ValueError)) as info:
            dt.hvp(lambda x: 1.0, x, v)
        assert isinstance(info.value, dt.DualtapeError)


def test_hessian_through_library_functions_with_zero_second_derivative():
    # abs and clip bend nowhere; max(a, b) picks one.
    f = lambda v: abs(v[0]) * v[1] + dt.clip(v[0], -5.0, 5.0) ** 2 + max(v[0], v[1])
    assert_array_equal(dt.hessian(f, [-2.0, 3.0]), [[2.0, -1.0], [-1.0, 0.0]])


def test_shared_subexpressions_and_constants():
    def f(v):
        y = v[0] * v[1]
        z = y * y + 3.0 * y
        return z * z / (1 + y)

    def second(y):
        z, z1, z2 = y * y + 3 * y, 2 * y + 3, 2.0
        g1 = (2 * z * z1 * (1 + y) - z * z) / (1 + y) ** 2
        numerator1 = 2 * (z1 * z1 + z * z2) * (1 + y) + 2 * z * z1 - 2 * z * z1
        g2 = (numerator1 - 2 * (1 + y) * g1) / (1 + y) ** 2
        return g1, g2

    a, b = 0.7, 1.9
    g1, g2 = second(a * b)
    expected = [[g2 * b * b, g2 * a * b + g1], [g2 * a * b + g1, g2 * a * a]]
    assert_allclose(dt.hessian(f, [a, b]), expected, rtol=1e-12)


def test_hessian_inside_derivative_and_gradient():
    def curvature(t):
        return dt.hessian(lambda v: t * v[0] ** 3 * v[1], [2.0, 3.0])[0, 0]

    for differentiate in (dt.derivative, dt.gradient):
        assert differentiate(curvature, 5.0) == 36.0
        assert differentiate(lambda t: dt.hvp(lambda x: x**4, t, 1.0), 2.0) == 48.0
        assert differentiate(lambda t: dt.hvp(lambda x: x**4, 2.0, t), 2.0) == 48.0


def test_newton_converges_on_a_likelihood():
    data = [0.8, 1.9, 0.3, 2.2, 1.1, 0.4]

    def loss(v):
        mu, s = v
        return sum(((y - mu) / dt.exp(s)) ** 2 / 2 + s for y in data)

    v = np.array([0.8, 0.1])
    for _ in range(12):
        v = v - np.linalg.solve(dt.hessian(loss, v), dt.gradient(loss, v))
    assert v == pytest.approx([np.mean(data), math.log(np.std(data))], rel=1e-12)
