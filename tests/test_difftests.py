"""The scalar-element functions of Julia's DiffTests, against closed forms and complex steps."""

import cmath
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import dualtape as dt
from modes import FIRST, SECOND
from oracles import complex_step, mp_derivative

# number -> number ---------------------------------------------------------------------------------------------------

NUMBER = {
    "sin squared over cos squared": lambda m, x: m.sin(x) ** 2 / m.cos(x) ** 2,
    "2x + sqrt(x^3)": lambda m, x: 2 * x + m.sqrt(x * x * x),
    "power minus x": lambda m, x: 10.31 ** (x + x) - x,
    "one": lambda m, x: 1 + 0 * x,
    "sigmoid": lambda m, x: 1 / (1 + m.exp(-x)),
    "identity": lambda m, x: x,
}


@pytest.mark.parametrize("f", NUMBER.values(), ids=NUMBER)
@pytest.mark.parametrize("x", [0.1, 0.9, 1.4])
def test_number_to_number(f, x):
    slope = complex_step(f, x)
    for name, differentiate in FIRST.items():
        assert differentiate(lambda x: f(dt, x), x) == pytest.approx(slope, rel=1e-13, abs=1e-14), name
    curvature = mp_derivative(f, x, 2)
    for name, second in SECOND.items():
        assert second(lambda x: f(dt, x), x) == pytest.approx(curvature, rel=1e-11, abs=1e-12), name


# number -> array ----------------------------------------------------------------------------------------------------


def test_number_to_array():
    one, two, three = list(NUMBER.values())[:3]

    def f(m, x):
        a, b, c = one(m, x), two(m, x), three(m, x)
        return [[[a, b], [c, a - b]], [[b, c], [b, c]]]

    x = 0.7
    a, b, c = (complex_step(g, x) for g in (one, two, three))
    expected = [[[a, b], [c, a - b]], [[b, c], [b, c]]]
    assert_allclose(dt.derivative(lambda x: f(dt, x), x), expected, rtol=1e-13)
    wrapped = lambda x: np.array(f(dt, x), dtype=object)
    out = dt.derivative(wrapped, x)
    assert out.shape == (2, 2, 2) and out.dtype == np.float64
    for mode in ("forward", "reverse"):
        assert_allclose(dt.jacobian(wrapped, x, mode=mode), expected, rtol=1e-13)


def test_number_to_array_in_place():
    def f(m, x, y):
        y[0] = 0 * x
        for i in range(1, len(y)):
            y[i] = (m.sin(x) + y[i - 1]) ** 2
        return y

    n, x = 6, 0.3
    expected = [value.imag / 1e-30 for value in f(cmath, complex(x, 1e-30), [0] * n)]
    assert dt.derivative(lambda x: f(dt, x, [0.0] * n), x) == pytest.approx(expected, rel=1e-13)
    array = dt.derivative(lambda x: f(dt, x, np.zeros(n, dtype=object)), x)
    assert_allclose(array, expected, rtol=1e-13)


# vector -> number ---------------------------------------------------------------------------------------------------


def products_ignored(m, x):
    total, product = 0.0, 1.0
    for value in x:
        total = total + value
        product = product * value
    return 1.0


def rosenbrock_constants(m, x):
    a, b, total = 1.0, 100.0, 0.0
    for i in range(len(x) - 1):
        total = total + (a - x[i]) ** 2 + b * (x[i + 1] - x[i] ** 2) ** 2
    return total


def rosenbrock_from_x(m, x):
    a = x[0]
    b = 100 * a
    total = 0.0
    for i in range(len(x) - 1):
        total = total + (a - x[i]) ** 2 + b * (x[i + 1] - x[i] ** 2) ** 2
    return total


def rosenbrock_map(m, x):
    return sum(map(lambda a, b: (1 - a) ** 2 + 100 * (b - a**2) ** 2, x[:-1], x[1:]))


def rosenbrock_plus(m, x):
    return sum((1 + a) ** 2 for a in x[:-1]) + 100 * sum((b + a**2) ** 2 for a, b in zip(x[:-1], x[1:], strict=True))


def ackley(m, x):
    a, b, c = 20.0, -0.2, 2 * math.pi
    n = len(x)
    squares = sum(value * value for value in x)
    cosines = sum(m.cos(c * value) for value in x)
    return -a * m.exp(b * m.sqrt(squares / n)) - m.exp(cosines / n) + a + math.e


def norm_of_outer_product(m, x):
    return m.sqrt(sum((a * b) ** 2 for a in x for b in x))


VECTOR = {
    "quotient": lambda m, x: (m.exp(x[0]) + x[3] * m.log(x[2])) / x[4],
    "product and sine": lambda m, x: x[0] * x[1] + m.sin(x[0]),
    "norm of the outer product": norm_of_outer_product,
    "sum and product ignored": products_ignored,
    "sum of cubes": lambda m, x: sum((-value) ** 3 for value in x),
    "sum of positive entries": lambda m, x: sum(value if value.real > 0 else 0 for value in x),
    "first times all": lambda m, x: sum(x[0] * value for value in x),
    "Rosenbrock": rosenbrock_constants,
    "Rosenbrock with constants from x": rosenbrock_from_x,
    "Rosenbrock as a map": rosenbrock_map,
    "Rosenbrock with plus": rosenbrock_plus,
    "Ackley": ackley,
    "sigmoid of the square": lambda m, x: 1 / (1 + m.exp(-sum(value * value for value in x))),
    "nested list": lambda m, x: sum(value * x[0] for row in [[x[1], x[2]]] for value in row),
    "first element": lambda m, x: x[0],
}


def gradient_by_complex_step(f, x):
    out = []
    for i in range(len(x)):
        z = [complex(value, 1e-30 if i == j else 0.0) for j, value in enumerate(x)]
        out.append(complex(f(cmath, z)).imag / 1e-30)
    return out


def hessian_by_differences(f, x, h=1e-5):
    rows = []
    for i in range(len(x)):
        step = [h if i == j else 0.0 for j in range(len(x))]
        up = gradient_by_complex_step(f, np.add(x, step))
        down = gradient_by_complex_step(f, np.subtract(x, step))
        rows.append(np.subtract(up, down) / (2 * h))
    return np.array(rows)


@pytest.mark.parametrize("f", VECTOR.values(), ids=VECTOR)
@pytest.mark.parametrize("n", [5, 26])
@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_vector_to_number(f, n, kind):
    x = 0.4 + np.abs(np.sin(np.arange(1, n + 1)))
    expected = gradient_by_complex_step(f, x)
    argument = kind([float(value) for value in x])
    program = lambda v: f(dt, v)
    assert_allclose(np.asarray(dt.gradient(program, argument)), expected, rtol=1e-12, atol=1e-13)
    for mode in ("forward", "reverse"):
        assert_allclose(dt.jacobian(program, argument, mode=mode), expected, rtol=1e-12, atol=1e-13)
    if n == 5 and kind is list:
        hessian = hessian_by_differences(f, x)
        scale = np.abs(hessian).max() + 1
        assert_allclose(dt.hessian(program, argument), hessian, rtol=1e-5, atol=1e-7 * scale)
        assert_allclose(dt.jacobian(dt.gradient(program), argument), hessian, rtol=1e-5, atol=1e-7 * scale)


# in place: vector -> vector -----------------------------------------------------------------------------------------


def chebyquad(m, y, x):
    n = len(x)
    for k in range(n):
        y[k] = 0.0
    for value in x:
        before, current = 1.0, 2 * value - 1
        factor = 2 * current
        for k in range(n):
            y[k] = y[k] + current
            before, current = current, factor * current - before
    for k in range(n):
        y[k] = y[k] / n
        if k % 2 == 1:
            y[k] = y[k] + 1 / ((k + 1) ** 2 - 1)


def brown_almost_linear(m, y, x):
    n = len(x)
    c = sum(x) - (n + 1)
    for j in range(n - 1):
        y[j] = x[j] + c
    y[n - 1] = math.prod(x) - 1


def trigonometric(m, y, x):
    n = len(x)
    for j in range(n):
        y[j] = m.cos(x[n - 1])
    c = sum(y)
    for i in range(n):
        y[i] = m.sin(x[i]) * y[i] + n - c


def mutate(m, y, x):
    y[0] = x[0]
    y[0] = y[0] * x[1]
    y[1] = y[0] * x[2]
    y[2] = sum(y[:2])
    for i in range(3, len(y)):
        y[i] = 0.0


def mutate_twice(m, y, x):
    y[0] = x[0]
    y[1] = x[1]
    for i in range(2):
        y[i] = y[i] * x[0]
    for i in range(2):
        y[i] = y[i] * x[1]
    for i in range(2, len(y)):
        y[i] = 0.0


IN_PLACE = [chebyquad, brown_almost_linear, trigonometric, mutate, mutate_twice]


@pytest.mark.parametrize("f", IN_PLACE)
@pytest.mark.parametrize("n", [5, 9])
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_in_place_vector_functions(f, n, mode):
    x = 0.3 + 0.5 * np.abs(np.cos(np.arange(n)))
    columns = []
    for i in range(n):
        z, y = x.astype(complex), [0j] * n
        z[i] += 1e-30j
        f(cmath, y, list(z))
        columns.append([value.imag / 1e-30 if isinstance(value, complex) else 0.0 for value in y])

    def program(v):
        y = [0.0] * n
        f(dt, y, v)
        return y

    assert_allclose(dt.jacobian(program, x, mode=mode), np.transpose(columns), rtol=1e-12, atol=1e-14)


# DifferentiationInterfaceTest's scenarios ---------------------------------------------------------------------------


def test_number_scenarios():
    assert dt.derivative(dt.sin, 0.42) == pytest.approx(math.cos(0.42), rel=1e-15)
    both = dt.derivative(lambda x: [dt.sin(x), dt.sin(2 * x)], 0.42)
    assert both == pytest.approx([math.cos(0.42), 2 * math.cos(0.84)], rel=1e-15)


@pytest.mark.parametrize("x", [np.arange(1.0, 7.0), np.arange(1.0, 7.0).reshape(2, 3)], ids=["vector", "matrix"])
def test_array_scenarios(x):
    def f(a):
        flat = a.ravel()
        return sum(v**4 for v in flat) * sum(v**6 for v in flat)

    s4, s6 = (x**4).sum(), (x**6).sum()
    assert_allclose(dt.gradient(f, x), 4 * x**3 * s6 + 6 * x**5 * s4, rtol=1e-14)
    stacked = lambda a: [[dt.sin(v) for v in a.ravel()], [dt.cos(v) for v in a.ravel()]]
    jacobian = dt.jacobian(stacked, x)
    assert jacobian.shape == (2, 6, *x.shape)
    flat = jacobian.reshape(2, 6, 6)
    assert_allclose(flat[0], np.diag(np.cos(x.ravel())), atol=1e-15)
    assert_allclose(flat[1], np.diag(-np.sin(x.ravel())), atol=1e-15)


def test_bidiagonal_and_tridiagonal():
    x = np.arange(1.0, 8.0) ** 1.5
    difference = np.diff(x)
    squares = dt.jacobian(lambda v: [(v[i + 1] - v[i]) ** 2 for i in range(6)], x)
    expected = np.zeros((6, 7))
    expected[np.arange(6), np.arange(6)] = -2 * difference
    expected[np.arange(6), np.arange(1, 7)] = 2 * difference
    assert_allclose(squares, expected, rtol=1e-14)
    hessian = dt.hessian(lambda v: sum((v[i + 1] - v[i]) ** 3 for i in range(6)), x)
    expected = np.zeros((7, 7))
    for i, d in enumerate(difference):
        expected[i : i + 2, i : i + 2] += 6 * d * np.array([[1, -1], [-1, 1]])
    assert_allclose(hessian, expected, rtol=1e-12)


def test_empty_inputs():
    assert dt.gradient(sum, []) == []
    assert dt.gradient(sum, ()) == ()
    assert dt.gradient(lambda a: a.sum() if a.size else 0.0, np.zeros(0)).shape == (0,)
    assert dt.jacobian(lambda v: v, np.zeros(0)).shape == (0, 0)
    assert dt.hessian(lambda v: 0.0, np.zeros(0)).shape == (0, 0)
