"""Norms of matrices that are singular values: derivatives to third order, equal singular values, batches, dtypes."""

import mpmath
import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import GRADIENTS, PRODUCTS, SLOPES, close, difference_gradient, weights

ORDERS = (2, -2, "nuc")
SHAPES = {
    "square": ((3, 3), {}),
    "wide": ((2, 4), {}),
    "tall": ((4, 2), {}),
    "one row": ((1, 3), {}),
    "one number": ((1, 1), {}),
    "batch": ((2, 3, 2), {"axis": (0, 2)}),
    "batch, axes exchanged": ((2, 3, 2), {"axis": (1, 0), "keepdims": True}),
    "batch of batches": ((2, 2, 2, 2), {"axis": (-1, -2)}),
}


def point(shape):
    """Matrices without equal singular values."""
    return weights(shape, 0.3) + 0.2 * weights(shape, 2.0) ** 2


def along(f, x, v, h=1e-3):
    """The derivative of f at x along v, by central differences of sixth order."""
    terms = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
    return sum(c * (f(x + k * h * v) - f(x - k * h * v)) for k, c in terms) / h


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", SHAPES)
def test_every_mode(name, order):
    shape, options = SHAPES[name]

    def f(x):
        out = np.linalg.norm(x, order, **({"axis": (0, 1)} | options))
        return np.sum(weights(np.shape(out), 3) * np.sin(out))

    x, v = point(shape), weights(shape, 5)
    close(dt.value_and_gradient(f, x)[0], f(x), 1e-14)
    first = difference_gradient(f, x, 1e-3)
    for name, find in GRADIENTS.items():
        close(find(f, x), first, 1e-9, name)
    for name, find in SLOPES.items():
        close(find(f, x, v), np.sum(first * v), 1e-9, name)
    second = along(lambda x: dt.gradient(f, x), x, v)
    for name, find in PRODUCTS.items():
        close(find(f, x, v), second, 1e-8, name)
    curvature = lambda x: np.sum(dt.hvp(f, x, v) * v)
    third = difference_gradient(curvature, x, 1e-3)
    close(dt.gradient(curvature, x), third, 1e-7)
    close(dt.pushforward(curvature, x, v)[1], np.sum(third * v), 1e-7)


@pytest.mark.parametrize("order", ORDERS)
def test_against_mpmath(order):
    x, v = point((3, 2)), weights((3, 2), 5)

    def along_v(t):
        a = mpmath.matrix(x.tolist()) + t * mpmath.matrix(v.tolist())
        s = mpmath.svd_r(a, compute_uv=False)
        return sum(s) if order == "nuc" else max(s) if order == 2 else min(s)

    with mpmath.workdps(60):
        expected = [float(mpmath.diff(along_v, 0, k)) for k in range(4)]
    f = lambda t: np.linalg.norm(x + t * v, order)
    found = [f(0.0), dt.derivative(f, 0.0), dt.derivative(dt.derivative(f))(0.0)]
    found.append(dt.derivative(dt.gradient(dt.derivative(f)))(0.0))
    close(np.array(found), np.array(expected), 1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_complex(order):
    z, dz = point((3, 2)) + 1j * weights((3, 2), 4), weights((3, 2), 5) + 1j * weights((3, 2), 6)
    f = lambda z: np.linalg.norm(z, order)
    close(dt.gradient(f, z), difference_gradient(f, z, 1e-3), 1e-9)
    close(dt.pushforward(f, z, dz)[1], np.sum((difference_gradient(f, z, 1e-3).conj() * dz).real), 1e-9)
    curvature = along(lambda z: dt.gradient(f, z), z, dz)
    close(dt.pushforward(lambda z: dt.gradient(f, z), z, dz)[1], curvature, 1e-9)
    close(dt.gradient(lambda z: np.sum((dt.gradient(f, z).conj() * dz).real), z), curvature, 1e-9)


EQUAL = {
    "identity": np.eye(3),
    "a rotation": np.array([[0.6, -0.8], [0.8, 0.6]]),
    "two equal": np.diag([2.0, 1.0, 1.0]),
    "orthonormal columns": np.eye(4, 2),
}


@pytest.mark.parametrize("name", EQUAL)
def test_the_nuclear_norm_at_equal_singular_values(name):
    a = EQUAL[name]
    v = weights(a.shape, 5)
    f = lambda x: np.linalg.norm(x, "nuc")
    for t in (1, 2, 3):
        line = lambda s: f(a + s * v)
        expected = {
            1: lambda h: (line(h) - line(-h)) / (2 * h),
            2: lambda h: (line(h) - 2 * line(0) + line(-h)) / h**2,
            3: lambda h: (line(2 * h) - 2 * line(h) + 2 * line(-h) - line(-2 * h)) / (2 * h**3),
        }[t](1e-3)
        g = lambda s: f(a + s * v)
        for _ in range(t):
            g = dt.derivative(g)
        np.testing.assert_allclose(g(0.0), expected, rtol=2e-5, atol=2e-5)


def test_other_singular_values_may_be_equal():
    a, v = np.diag([2.0, 1.0, 1.0]), weights((3, 3), 5)
    f = lambda x: np.linalg.norm(x, 2)
    close(dt.hvp(f, a, v), along(lambda x: dt.gradient(f, x), a, v), 1e-9)
    close(dt.hvp(f, -a, v), along(lambda x: dt.gradient(f, x), -a, v), 1e-9)


def test_equal_extremes_share_the_derivative_and_have_no_second_one():
    for order in (2, -2):
        f = lambda x: np.linalg.norm(x, order)
        close(dt.gradient(f, np.eye(3)), np.eye(3) / 3, 1e-15)
        with pytest.raises(dt.NoRuleError, match="test_norms"):
            dt.hvp(f, np.eye(3), np.ones((3, 3)))


def test_zero_and_low_rank():
    for order in ORDERS:
        close(dt.gradient(lambda x: np.linalg.norm(x, order), np.zeros((3, 2))), np.zeros((3, 2)), 1e-15)
    x = np.array([1.0, 2.0, -1.0])
    for order in (2, "nuc"):  # both are |x|^2
        f = lambda x: np.linalg.norm(np.outer(x, x), order)
        close(dt.gradient(f, x), 2 * x, 1e-13)
        close(dt.hessian(f, x), 2 * np.eye(3), 1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_float32_and_layouts(order):
    f = lambda x: np.linalg.norm(x, order)
    x = point((3, 2))
    expected = dt.gradient(f, x)
    slope = dt.gradient(f, x.astype(np.float32))
    assert slope.dtype == np.float32
    np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-5)
    for same in (np.asfortranarray(x), x[::-1].copy()[::-1], np.repeat(x, 2, axis=1)[:, ::2]):
        close(dt.gradient(f, same), expected, 1e-14)
    with pytest.raises(ValueError, match="axes"):
        dt.gradient(lambda x: np.linalg.norm(x, order, axis=(0, 0)), x)
