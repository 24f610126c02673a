"""Julia's DiffTests and the scenarios of DifferentiationInterfaceTest in the language of arrays.

Each function is written with NumPy on whole arrays, and compared with complex steps of plain NumPy, or with its closed
form where formulas give one.
"""

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import check, close, step_gradient, weights

LENGTHS = [5, 26]


def vector(n):
    """A vector away from kinks."""
    return 0.4 + np.abs(np.sin(np.arange(1.0, n + 1)))


def matrix(n, seed=0):
    """A matrix far from singular."""
    return 0.3 * weights((n, n), seed) + np.diag(1.0 + 0.1 * np.arange(n))


# --- number -> number and arrays -------------------------------------------------------------------------------------

NUMBER = {
    "sin squared over cos squared": lambda x: np.sin(x) ** 2 / np.cos(x) ** 2,
    "2x + sqrt(x^3)": lambda x: 2 * x + np.sqrt(x * x * x),
    "power minus x": lambda x: np.power(10.31, x + x) - x,
    "one": lambda x: np.ones_like(x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "identity": lambda x: x,
}


@pytest.mark.parametrize("name", NUMBER)
def test_numbers_elementwise(name):
    f = NUMBER[name]
    x = np.array([0.1, 0.9, 1.4])
    check(lambda x: 1e-2 * f(x), x)  # small, since the check takes sines of the results
    slopes = [f(complex(v, 1e-30)).imag / 1e-30 for v in x]
    close(dt.jacobian(f, x), np.diag(slopes), 1e-13)
    close(dt.gradient(lambda x: np.sum(f(x)), x), np.array(slopes), 1e-13)


def test_number_to_array():
    one, two, three = list(NUMBER.values())[:3]

    def f(x):
        a, b, c = one(x), two(x), three(x)
        return np.reshape(np.stack([a, b, c, a - b, b, c, b, c]), (2, 2, 2))

    expected = f(np.array(0.7 + 1e-30j)).imag / 1e-30
    close(dt.derivative(f, 0.7), expected, 1e-13)
    for mode in ("forward", "reverse"):
        close(dt.jacobian(f, np.array(0.7), mode=mode), expected, 1e-13)


@pytest.mark.parametrize("n", LENGTHS)
def test_number_to_array_in_place(n):
    def f(x, y):
        y[0] = 0.0
        for i in range(1, n):
            y[i] = (np.sin(x) + y[i - 1]) ** 2
        return y

    expected = f(0.2 + 1e-30j, np.zeros(n, complex)).imag / 1e-30
    close(dt.derivative(lambda x: f(x, dt.zeros(n)), 0.2), expected, 1e-12)
    close(dt.jacobian(lambda x: f(x, dt.zeros(n)), np.array(0.2), mode="reverse"), expected, 1e-12)


# --- vector -> number ------------------------------------------------------------------------------------------------


def ackley(x):
    n = x.size
    return -20.0 * np.exp(-0.2 * np.sqrt(np.sum(x * x) / n)) - np.exp(np.sum(np.cos(2 * np.pi * x)) / n) + 20.0 + np.e


def rosenbrock_from_x(x):
    a = x[0]
    return np.sum((a - x[:-1]) ** 2 + 100 * a * (x[1:] - x[:-1] ** 2) ** 2)


VECTOR = {
    "quotient": lambda x: (np.exp(x[0]) + x[3] * np.log(x[2])) / x[4],
    "product and sine": lambda x: x[0] * x[1] + np.sin(x[0]),
    "norm of the outer product": lambda x: np.sqrt(np.sum(np.outer(x, x) ** 2)),
    "sum and product ignored": lambda x: (np.sum(x), np.prod(x), 1.0)[2],
    "sum of cubes": lambda x: np.sum((-x) ** 3),
    "sum of positive entries": lambda x: np.sum(np.where(np.real(x) > 0, x, 0)),
    "first times all": lambda x: np.sum(x[0] * x),
    "Rosenbrock": lambda x: np.sum((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2),
    "Rosenbrock with constants from x": rosenbrock_from_x,
    "Rosenbrock with plus": lambda x: np.sum((1 + x[:-1]) ** 2) + 100 * np.sum((x[1:] + x[:-1] ** 2) ** 2),
    "Ackley": ackley,
    "sigmoid of the square": lambda x: 1 / (1 + np.exp(-np.dot(x, x))),
    "nested list": lambda x: np.sum(x[0] * np.stack([np.stack([x[1], x[2]])])),
    "first element": lambda x: x[0],
}


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", VECTOR)
def test_vector_to_number(name, n):
    # small, since the check takes the sine of the result
    check(lambda x: 1e-3 * VECTOR[name](x), vector(n), second=n == 5)


# --- matrix -> number ------------------------------------------------------------------------------------------------


def softmax_of_rows(x):
    e = np.exp(x - np.max(np.real(x), axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def vec_times_row(x):
    a, b = np.reshape(x, (-1, 1)), np.reshape(x, (1, -1))
    return np.trace(np.log(1 + a * b + a - b))


MATRIX = {
    "trace of a logarithm": vec_times_row,
    "smooth absolute values": lambda x: np.sum(0.5 * np.sqrt(np.where(np.real(x) < 0, -x, x) + x * x)),
    "mean of row sums of sin(X) X": lambda x: np.mean(np.sum(np.sin(x) @ x, axis=1)),
    "sum of row softmax": lambda x: np.sum(softmax_of_rows(x) ** 2),
}


@pytest.mark.parametrize("name", MATRIX)
def test_matrix_to_number(name):
    check(MATRIX[name], 0.3 * weights((5, 5), 2))


def test_the_row_softmax_sums_to_a_constant():
    x = weights((5, 5))
    close(dt.gradient(lambda x: np.sum(softmax_of_rows(x)), x), np.zeros((5, 5)), 1e-15)


def test_determinants():
    x = matrix(5)
    try:
        found = dt.gradient(lambda x: np.linalg.det(x), x)
    except dt.NoRuleError:
        pytest.skip("np.linalg.det has no rule")
    close(found, np.linalg.det(x) * np.linalg.inv(x).T, 1e-12)
    check(lambda x: np.linalg.det(x[0, 0] * np.linalg.inv(x @ x) + x), x, rtol=1e-10)


# --- broadcasts and products -----------------------------------------------------------------------------------------

N = 5
A, B, V = matrix(N, 1) + 2.0, matrix(N, 2) + 2.0, vector(N)
BINARY = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
}
PAIRS = {"matrix and matrix": (A, B), "matrix and row": (A, V), "column and matrix": (V[:, None], B)}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("operator", BINARY)
def test_broadcasts(operator, pair):
    f, (a, b) = BINARY[operator], PAIRS[pair]
    check(lambda a: f(a, b), a, second=False)
    check(lambda b: f(a, b), b, second=False)
    check(lambda b: f(2.5, b), b, second=False)
    check(lambda a: f(a, 2.5), a, second=False)
    check(lambda x: f(x, np.reshape(x[0], (1, -1)) if x.ndim == 2 else x), a, second=True)


def test_mixed_numbers_and_arrays():
    for f in BINARY.values():
        gradient = dt.gradient(lambda x, a: np.sum(f(a, x)), 1.7, A)
        z = A.astype(complex)
        close(gradient[0], np.sum(f(z, 1.7 + 1e-30j)).imag / 1e-30, 1e-12)
        close(gradient[1], step_gradient(lambda a: np.sum(f(a, 1.7)), A), 1e-12)


PRODUCTS = {
    "A B": lambda a, b: a @ b,
    "A B^T": lambda a, b: a @ b.T,
    "A^T B": lambda a, b: a.T @ b,
    "A^T B^T": lambda a, b: a.T @ b.T,
    "A^-1 B": lambda a, b: np.linalg.solve(a, b),
    "A^-T B": lambda a, b: np.linalg.solve(a.T, b),
    "A B^-1": lambda a, b: np.linalg.solve(b.T, a.T).T,
}
CONJUGATED = {
    "A B^H": (lambda a, b: a @ b.conj().T, lambda bar, a, b: (bar @ b, bar.conj().T @ a)),
    "A^H B": (lambda a, b: a.conj().T @ b, lambda bar, a, b: (b @ bar.conj().T, a @ bar)),
    "A^H B^H": (
        lambda a, b: a.conj().T @ b.conj().T,
        lambda bar, a, b: (b.conj().T @ bar.conj().T, bar.conj().T @ a.conj().T),
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name):
    f = PRODUCTS[name]
    check(lambda a: f(a, B), A, second=False, rtol=1e-10)
    check(lambda b: f(A, b), B, second=False, rtol=1e-10)
    check(lambda x: f(x, x * x), A, rtol=1e-9)


@pytest.mark.parametrize("name", CONJUGATED)
def test_conjugated_products(name):
    f, adjoint = CONJUGATED[name]
    a, b = A + 1j * weights((N, N), 3), B + 1j * weights((N, N), 4)
    bar = weights((N, N), 5) + 1j * weights((N, N), 6)
    out, back = dt.pullback(f, a, b)
    close(out, f(a, b), 1e-14)
    for found, expected in zip(back(bar), adjoint(bar, a, b), strict=True):
        close(found, expected, 1e-13)
    check(lambda a: f(a, B), A, reference=lambda a: f(a.real, B) if not np.iscomplexobj(a) else _transposed(name)(a, B))


def _transposed(name):
    """The product with transposes in place of conjugated ones, which takes complex steps."""
    return PRODUCTS[name.replace("H", "T")]


@pytest.mark.parametrize("n", [5, 9])
def test_neural_step(n):
    def f(p):
        w1, w2, x1 = p[: n * n].reshape(n, n), p[n * n : n * n + n], p[n * n + n :]
        return 1 / (1 + np.exp(-np.dot(w2[:n], np.log(1 + np.exp(w1 @ x1[:n])))))

    check(f, 0.2 * weights((n * n + 2 * n,), 1), second=False)


# --- in place, and the same out of place -----------------------------------------------------------------------------


def chebyquad(x, zeros):
    n = x.size
    y = zeros(n)
    before, current = np.ones(n), 2 * x - 1
    factor = 2 * current
    for k in range(n):
        y[k] += np.sum(current)
        before, current = current, factor * current - before
    y /= n
    even = np.arange(1, n, 2)
    y[1::2] += 1.0 / ((even + 1) ** 2 - 1)
    return y


def brown_almost_linear(x, zeros):
    y = zeros(x.size)
    y += x
    y += np.sum(x) - (x.size + 1)
    y[-1] = np.prod(x) - 1
    return y


def trigonometric(x, zeros):
    y = zeros(x.size)
    y[:] = np.cos(x[-1])
    c = np.sum(y)
    y *= np.sin(x)
    y += x.size - c
    return y


def mutate(x, zeros):
    y = zeros(x.size)
    y[0] = x[0]
    y[0] *= x[1]
    y[1] = y[0] * x[2]
    y[2] = np.sum(y[:2])
    return y


def mutate_twice(x, zeros):
    y = zeros(x.size)
    y[:2] = x[:2]
    y[:2] *= x[0]
    y[:2] *= x[1]
    return y


def plain_zeros(n):
    """Where a function is evaluated on plain NumPy, complex steps included."""
    return np.zeros(n, complex)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("f", [chebyquad, brown_almost_linear, trigonometric, mutate, mutate_twice])
def test_in_place_vector_functions(f, n):
    x = 0.3 + 0.5 * np.abs(np.cos(np.arange(n)))

    def reference(x):
        out = f(x, plain_zeros)
        return out if np.iscomplexobj(x) else out.real

    check(lambda x: f(x, dt.zeros), x, reference=reference, second=n == 5, rtol=1e-10)
    columns = [reference(x + 1e-30j * np.eye(n)[k]).imag / 1e-30 for k in range(n)]
    for mode in ("forward", "reverse"):
        close(dt.jacobian(lambda x: f(x, dt.zeros), x, mode=mode), np.transpose(columns), 1e-11)


ARRAY = {
    "negation": lambda x: -x,
    "zeros of x's shape": lambda x: np.zeros_like(x),
    "first row twice": lambda x: x[0] + x[0] + x[0, 0],
    "identity": lambda x: x,
    "transpose": lambda x: x.T,
}


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", ARRAY)
def test_array_to_array(name, n):
    x = matrix(n)
    f = ARRAY[name]
    bar = weights(np.shape(f(x)))
    close(dt.pullback(f, x)[1](bar), _adjoint(name, bar, n), 1e-14)
    if n == 5:
        close(dt.jacobian(f, x, mode="forward"), dt.jacobian(f, x, mode="reverse"), 0)


def _adjoint(name, bar, n):
    first = np.zeros((n, n))
    if name == "first row twice":
        first[0] = 2 * bar
        first[0, 0] += np.sum(bar)
    return {"negation": -bar, "identity": bar, "transpose": bar.T}.get(name, first)


# --- linear maps -----------------------------------------------------------------------------------------------------


def lehmer(n):
    k = np.arange(1.0, n + 1)
    return np.minimum.outer(k, k) / np.maximum.outer(k, k)


@pytest.mark.parametrize("n", LENGTHS)
def test_linear_maps(n):
    d, m, x = np.linspace(0.01, 100.0, n), lehmer(n), vector(n)
    maps = {
        "D x": (lambda x: np.diag(d) @ x, np.diag(d)),
        "d x": (lambda x: d * x, np.diag(d)),
        "L x": (lambda x: m @ x, m),
        "triu(L) x": (lambda x: np.triu(m) @ x, np.triu(m)),
        "tril(L) x": (lambda x: np.tril(m) @ x, np.tril(m)),
        "D^-1 x": (lambda x: np.linalg.solve(np.diag(d), x), np.diag(1 / d)),
        "L^-1 x": (lambda x: np.linalg.solve(m, x), np.linalg.inv(m)),
        "triu(L)^-1 x": (lambda x: np.linalg.solve(np.triu(m), x), np.linalg.inv(np.triu(m))),
        "tril(L)^-1 x": (lambda x: np.linalg.solve(np.tril(m), x), np.linalg.inv(np.tril(m))),
    }
    for name, (f, expected) in maps.items():
        for mode in ("forward", "reverse"):
            close(dt.jacobian(f, x, mode=mode), expected, 1e-10, name)
        close(dt.hvp(lambda x, f=f: np.dot(f(x), f(x)), x, np.ones(n)), 2 * expected.T @ expected @ np.ones(n), 1e-9)


# --- DifferentiationInterfaceTest ------------------------------------------------------------------------------------

POINTS = {"vector": np.arange(1.0, 7.0), "matrix": np.arange(1.0, 7.0).reshape(2, 3)}


def test_number_to_vector_and_matrix():
    f = lambda x: np.sin(x * np.array([1.0, 2.0]))
    close(dt.derivative(f, 0.42), np.array([np.cos(0.42), 2 * np.cos(0.84)]), 1e-15)
    both = lambda x: np.stack([f(x), f(3 * x)], axis=1)
    expected = np.array([[np.cos(0.42), 3 * np.cos(1.26)], [2 * np.cos(0.84), 6 * np.cos(2.52)]])
    close(dt.derivative(both, 0.42), expected, 1e-15)
    close(dt.derivative(dt.derivative(f), 0.42), np.array([-np.sin(0.42), -4 * np.sin(0.84)]), 1e-15)
    close(dt.pullback(f, 0.42)[1](np.array([1.0, 10.0])), np.cos(0.42) + 20 * np.cos(0.84), 1e-15)


@pytest.mark.parametrize("point", POINTS)
def test_powers(point):
    x = POINTS[point]
    f = lambda x: np.sum(x**4) * np.sum(x**6)
    s4, s6 = np.sum(x**4), np.sum(x**6)
    gradient = 4 * x**3 * s6 + 6 * x**5 * s4
    close(dt.gradient(f, x), gradient, 1e-14)
    value, slope = dt.value_and_gradient(f)(x)
    assert value == pytest.approx(s4 * s6, rel=1e-15)
    close(slope, gradient, 1e-14)
    p, q = (4 * x**3).ravel(), (6 * x**5).ravel()
    hessian = np.outer(p, q) + np.outer(q, p) + np.diag((12 * x**2 * s6 + 30 * x**4 * s4).ravel())
    close(dt.hessian(f, x).reshape(6, 6), hessian, 1e-14)
    for k in range(3):  # several tangents
        v = weights(x.shape, k)
        close(dt.pushforward(f, x, v)[1], np.sum(gradient * v), 1e-14)
        close(dt.hvp(f, x, v), (hessian @ v.ravel()).reshape(x.shape), 1e-14)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("as_matrix", [False, True])
def test_sines_and_cosines(point, in_place, as_matrix):
    x = POINTS[point]

    def f(x):
        flat = np.ravel(x)
        if not in_place:
            out = np.concatenate([np.sin(flat), np.cos(flat)])
        else:
            out = dt.zeros(12)
            np.sin(flat, out=out[:6])
            out[6:] = np.cos(flat)
        return out.reshape(2, 6) if as_matrix else out

    expected = np.concatenate([np.diag(np.cos(x.ravel())), np.diag(-np.sin(x.ravel()))])
    shape = ((2, 6) if as_matrix else (12,)) + x.shape
    for mode in ("forward", "reverse"):
        close(dt.jacobian(f, x, mode=mode), expected.reshape(shape), 1e-15)
    bar = weights(shape[: 2 if as_matrix else 1])
    close(dt.pullback(f, x)[1](bar), (bar.ravel() @ expected).reshape(x.shape), 1e-15)


def test_sparse_patterns():
    x = np.arange(1.0, 8.0) ** 1.5
    d = np.diff(x)
    rows = np.arange(6)
    for power in (2, 3):
        expected = np.zeros((6, 7))
        expected[rows, rows + 1] = power * d ** (power - 1)
        expected[rows, rows] = -expected[rows, rows + 1]
        for mode in ("forward", "reverse"):
            close(dt.jacobian(lambda x: np.diff(x) ** power, x, mode=mode), expected, 1e-14)
    hessian = np.zeros((7, 7))
    for i, e in enumerate(d):
        hessian[i : i + 2, i : i + 2] += 6 * e * np.array([[1, -1], [-1, 1]])
    close(dt.hessian(lambda x: np.sum(np.diff(x) ** 3), x), hessian, 1e-14)


@pytest.mark.parametrize("width", [5, 10, 20])
def test_banded_maps(width):
    n = 50
    k = np.arange(n)
    a = np.where(np.abs(np.subtract.outer(k, k)) <= width, weights((n, n)), 0.0)
    x = vector(n)
    close(dt.jacobian(lambda x: a @ x**2, x), a * (2 * x), 1e-13)
    f = lambda x: np.dot(x**2, a @ x**2)
    s = a + a.T
    close(dt.gradient(f, x), 2 * x * (s @ x**2), 1e-13)
    close(dt.hessian(f, x), 4 * np.outer(x, x) * s + np.diag(2 * (s @ x**2)), 1e-13)


def test_empty_arrays():
    x = np.zeros(0)
    close(dt.gradient(lambda x: np.sum(x), x), x, 0)
    close(dt.jacobian(lambda x: x * x, x), np.zeros((0, 0)), 0)
    close(dt.hessian(lambda x: np.sum(x * x), x), np.zeros((0, 0)), 0)
    close(dt.pushforward(lambda x: np.sin(x), x, x)[1], x, 0)


def test_complex_scenarios():
    z = np.array([1.0 + 2j, -0.5 + 0.3j])
    assert dt.derivative(lambda z: z * z, 1.0 + 2j) == pytest.approx(2 * (1 + 2j))
    close(dt.pushforward(lambda z: z**2, z, np.ones(2, complex))[1], 2 * z, 1e-15)
    close(dt.gradient(lambda z: np.sum(np.abs(z) ** 2), z), 2 * z, 1e-15)
    close(dt.pullback(lambda z: z**2, z)[1](np.array([1.0, 1j])), np.conj(2 * z) * np.array([1.0, 1j]), 1e-15)
