"""Jacobians and Hessians from one recording with several tangents at a time, against complex steps on plain NumPy."""

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import close, step_gradient, step_hvp, weights

RNG = np.random.default_rng(7)
SIZES = [1, 2, 4, 5, 7, 8, 9, 12, 16, 17]
TALL, WIDE, SQUARE = RNG.standard_normal((40, 9)), RNG.standard_normal((9, 40)), RNG.standard_normal((6, 6))


def step_jacobian(f, x, h=1e-30):
    columns = []
    for place in np.ndindex(x.shape):
        z = x.astype(complex)
        z[place] += 1j * h
        columns.append(np.imag(f(z)) / h)
    return np.stack(columns, -1).reshape(*np.shape(columns[0]), *x.shape)


def step_hessian(f, x):
    rows = []
    for place in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[place] = 1.0
        rows.append(step_hvp(f, x, e))
    return np.stack(rows).reshape(x.shape + x.shape)


def check_jacobian(f, x, rtol=1e-12):
    expected = step_jacobian(f, x)
    for mode in ("auto", "forward", "reverse"):
        close(dt.jacobian(f, x, mode=mode), expected, rtol, mode)


def in_place(x):
    y = x * 1.0
    y[1:] += 2.0 * y[:-1]
    y *= x
    y[0] = y[-1] * x[0]
    y[::2] = np.sin(y[::2])
    y[::-1][:2] -= x[:2] * x[-2:]
    return y


def by_elements(x):
    y = np.zeros_like(x)
    for i in range(len(x)):
        y[i] = x[i] * x[i - 1] + (y[i - 1] if i else 0.0)
        y[i - 1] = y[i - 1] * 0.5
    return y


def rules_in_python(x):
    y = np.concatenate([x, x[::-1] * x])
    y = np.where(np.arange(y.size) % 3 == 0, y**2, np.exp(-y))
    return np.cumsum(y) * np.prod(x + 0.5) + np.sort(y) * np.sqrt(np.sum((x + 3.0) ** 2))


def written_by_index(x):
    y = np.zeros_like(x)
    y[np.arange(len(x))[::-1]] = x * x
    y[np.arange(len(x)) % 2 == 0] *= 3.0
    y[0] += x[-1]
    np.add.at(y, [0, 0, -1], x[0] * x[-1])
    return y


def products(x):
    a = np.outer(x, x[::-1]) + 2.0
    return (a @ a.T) @ (a[:, :1] * x[:, None]) + (x @ a)[:, None] + np.dot(x, x) * a.T[:, ::-1][:, :1]


def reductions(x):
    a = np.reshape(np.outer(x, np.cos(x)), (-1,))
    return np.stack([np.sum(a), np.mean(a * a), np.sum(a.reshape(len(x), -1), axis=0)[0] * x[-1], a[0] + 0.0])


PROGRAMS = {f.__name__: f for f in (in_place, by_elements, rules_in_python, written_by_index, products, reductions)}
programs = pytest.mark.parametrize("f", PROGRAMS.values(), ids=PROGRAMS)


@programs
@pytest.mark.parametrize("n", SIZES)
def test_jacobians_of_every_width(f, n):
    if n == 1 and f is in_place:
        n = 3
    check_jacobian(f, RNG.uniform(0.2, 1.2, n))


@programs
@pytest.mark.parametrize("n", [3, 8, 11])
def test_hessians(f, n):
    x = RNG.uniform(0.2, 1.2, n)

    def scalar(x):
        return np.sum(np.sin(0.01 * f(x)) * weights(np.shape(f(x * 1.0))))

    close(dt.hessian(scalar, x), step_hessian(scalar, x), 1e-7, "hessian")
    v = RNG.standard_normal(n)
    close(dt.hvp(scalar, x, v), step_hvp(scalar, x, v), 1e-8, "hvp")


UNARY = [np.sin, np.tanh, np.exp, np.sqrt, np.log, np.reciprocal, np.square, np.arctan, np.log1p, np.cosh]


@pytest.mark.parametrize("f", UNARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("n", [7, 300, 1000])
def test_long_rows(f, n):
    """More points than go at once, contiguous and with steps."""
    x = RNG.uniform(0.3, 1.5, n)
    close(dt.jacobian(lambda x: f(x) * x, x), np.diag(step_gradient(lambda z: np.sum(f(z) * z), x)), 1e-11)
    v = RNG.standard_normal(n)

    def scalar(x):
        return np.sum(f(x[::-1])[: n // 2] * x[: n // 2] ** 2) + np.sum(f(x)) ** 2

    expected = (step_gradient(scalar, x + 1e-5 * v) - step_gradient(scalar, x - 1e-5 * v)) / 2e-5
    close(dt.hvp(scalar, x, v), expected, 1e-7)


BINARY = [np.multiply, np.divide, np.power, np.arctan2, np.hypot, np.add, np.subtract, np.logaddexp]


@pytest.mark.parametrize("f", BINARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", [(3, 4), (1, 4), (3, 1), (4,), ()], ids=str)
def test_broadcasting(f, shape):
    x = RNG.uniform(0.5, 1.5, (3, 4))
    size = int(np.prod(shape))

    def scalar(x):
        y = np.reshape(np.reshape(x, -1)[:size] * 1.5, shape)
        return np.sum(f(x, y) * weights((3, 4))) + np.sum(f(y, np.asarray(x)[::-1] if 0 else x[::-1]) ** 2)

    def difference(x):
        h = 1e-3
        rows = []
        for place in np.ndindex(x.shape):
            e = np.zeros(x.shape)
            e[place] = h
            g = [dt.gradient(scalar, x + k * e) for k in (1, -1, 2, -2, 3, -3)]
            rows.append((0.75 * (g[0] - g[1]) - 0.15 * (g[2] - g[3]) + (g[4] - g[5]) / 60) / h)
        return np.stack(rows).reshape(x.shape + x.shape)

    close(dt.hessian(scalar, x), difference(x), 1e-7)


@pytest.mark.parametrize("batch", [1, 2, 20])
def test_hessian_of_a_network(batch):
    """Parameters in one vector and in a structure; most directions leave most of them alone."""
    data, target = RNG.standard_normal((batch, 4)), RNG.standard_normal((batch, 3))
    shapes = {"a": (4, 6), "b": (6,), "c": (6, 3), "d": (3,)}
    places = np.cumsum([0] + [int(np.prod(s)) for s in shapes.values()])
    x = RNG.standard_normal(places[-1]) * 0.5

    def unpack(x):
        ends = zip(shapes.items(), places[:-1], places[1:], strict=True)
        return {k: np.reshape(x[i:j], s) for (k, s), i, j in ends}

    def loss(q):
        r = np.tanh(data @ q["a"] + q["b"]) @ q["c"] + q["d"] - target
        return np.sum(r * r) / batch

    expected = step_hessian(lambda x: loss(unpack(x)), x)
    close(dt.hessian(lambda x: loss(unpack(x)), x), expected, 1e-7)
    blocks = dt.hessian(loss, unpack(x))
    rows = [
        np.concatenate([blocks[i][j].reshape(np.prod(s, dtype=int), -1) for j in shapes], 1) for i, s in shapes.items()
    ]
    close(np.concatenate(rows), expected, 1e-7)


@pytest.mark.parametrize(
    "matrix", [TALL, WIDE, SQUARE, SQUARE.T, SQUARE[::-1]], ids=["tall", "wide", "square", "T", "::-1"]
)
def test_jacobians_of_linear_maps(matrix):
    x = RNG.standard_normal(matrix.shape[1])
    for f in (lambda x: matrix @ x, lambda x: np.dot(x, matrix.T), lambda x: (x[None, :] @ matrix.T)[0]):
        close(dt.jacobian(f, x), matrix, 1e-13)
        close(dt.jacobian(f, x, mode="reverse"), matrix, 1e-13)


def test_results_of_every_kind():
    x = RNG.standard_normal((2, 3))
    eye = np.eye(6).reshape(2, 3, 2, 3)
    for mode in ("auto", "reverse"):
        np.testing.assert_array_equal(dt.jacobian(lambda x: x, x, mode=mode), eye)
        np.testing.assert_array_equal(dt.jacobian(lambda x: x.T[::-1], x, mode=mode), eye.transpose(1, 0, 2, 3)[::-1])
        np.testing.assert_array_equal(dt.jacobian(lambda x: np.ones(4), x, mode=mode), np.zeros((4, 2, 3)))
        wide = dt.jacobian(lambda x: np.broadcast_to(x[0], (5, 3)), x, mode=mode)
        np.testing.assert_array_equal(wide, np.broadcast_to(eye[0], (5, 3, 2, 3)))
        out = dt.jacobian(lambda x: {"a": x[0] * 2.0, "b": [x[1, 1] ** 2, 3.0], "c": np.ones(2)}, x, mode=mode)
        np.testing.assert_array_equal(out["a"], 2.0 * eye[0])
        np.testing.assert_array_equal(out["b"][0], 2.0 * x[1, 1] * eye[1, 1])
        assert not np.any(out["b"][1]) and not np.any(out["c"])
        assert out["c"].shape == (2, 2, 3)
    np.testing.assert_array_equal(dt.hessian(lambda x: 3.0, x), np.zeros((2, 3, 2, 3)))
    np.testing.assert_array_equal(dt.hessian(lambda x: np.sum(x), x), np.zeros((2, 3, 2, 3)))


def test_elements_and_whole_arrays_together():
    """An independent array whose elements are read one by one and which is read as a whole, before and after."""
    x = RNG.uniform(0.5, 1.5, 5)

    def f(x):
        total = np.sum(x * x) * x[1]
        for i in range(5):
            total = total + x[i] * x[i - 1] * np.sum(x[:2])
        x[0] = total * x[2]
        return np.sum(x * x) + x[0] * x[1]

    def plain(x):
        return f(x.copy())

    close(dt.hessian(f, x), step_hessian(plain, x), 1e-7)
    close(dt.jacobian(dt.gradient(f), x), step_hessian(plain, x), 1e-7)


@pytest.mark.parametrize("order", ["F", "negative", "steps"])
def test_layouts_of_the_input(order):
    base = RNG.uniform(0.5, 1.5, (6, 8))
    x = {"F": np.asfortranarray(base[:3, :4]), "negative": base[2::-1, 3::-1], "steps": base[::2, ::2]}[order]
    f = lambda x: np.tanh(x @ x.T) * x[:, :1] + x[0, 1]
    check_jacobian(f, x)
    scalar = lambda x: np.sum(f(x) ** 2)
    close(dt.hessian(scalar, x), step_hessian(scalar, x), 1e-7)


def test_zero_times_infinity_is_zero():
    """A slope that is infinite where nothing flows, as in the reverse sweep."""
    x = np.array([0.0, 4.0])
    np.testing.assert_array_equal(
        dt.jacobian(lambda x: np.sqrt(x) * np.array([0.0, 1.0]), x, mode="reverse")[1], [0, 0.25]
    )
    hessian = dt.hessian(lambda x: np.sum(np.sqrt(x) * np.array([0.0, 1.0])), x)
    np.testing.assert_allclose(hessian, [[0, 0], [0, -0.25 / 8]])


def test_other_dtypes_go_the_general_way():
    x = np.array([0.5, 0.75], dtype=np.float32)
    out = dt.hessian(lambda x: np.sum(x**3), x)
    np.testing.assert_allclose(out, np.diag(6 * x), rtol=1e-6)
    mixed = dt.hessian(lambda x: np.sum(x.astype(np.float32) ** 3), np.array([0.5, 0.75]))
    np.testing.assert_allclose(mixed, np.diag([3.0, 4.5]), rtol=1e-6)
    z = dt.jacobian(lambda x: np.real(np.exp(1j * x)), np.array([0.5, 0.75]))
    np.testing.assert_allclose(z, np.diag(-np.sin([0.5, 0.75])))


def test_inside_other_differentiations():
    x = RNG.uniform(0.5, 1.5, 3)
    third = dt.jacobian(lambda x: dt.hessian(lambda y: np.sum(y**3) * y[0], x), x)
    expected = np.zeros((3, 3, 3))
    for k in range(3):
        e = np.zeros(3)
        e[k] = 1e-4
        expected[..., k] = (
            step_hessian(lambda y: np.sum(y**3) * y[0], x + e) - step_hessian(lambda y: np.sum(y**3) * y[0], x - e)
        ) / 2e-4
    close(third, expected, 1e-5)


def test_exceptions_leave_nothing_behind():
    from dualtape.core.tape import live

    def f(x):
        np.sum(np.tanh(x) * np.sort(x))
        raise KeyError("mine")

    for _ in range(3):
        with pytest.raises(KeyError, match="mine"):
            dt.hessian(f, np.ones(9))
        with pytest.raises(KeyError, match="mine"):
            dt.jacobian(f, np.ones(9))
    assert live() == (0, 0)


def test_result_without_axes():
    x = RNG.uniform(0.5, 1.5, 3)
    out = dt.hessian(lambda x: np.reshape(np.sum(x[:1] * x**2, keepdims=True), ()), x)
    close(out, step_hessian(lambda x: x[0] * np.sum(x**2), x), 1e-8)


TWO_VIEWS = {
    "y + y.T": lambda y: y + y.T,
    "y * y.T": lambda y: y * y.T,
    "y.T - y": lambda y: y.T - y,
    "y / y[::-1]": lambda y: y / (3.0 + y[::-1]),
    "arctan2": lambda y: np.arctan2(y, y.T + 4.0),
    "hypot": lambda y: np.hypot(y[:, ::-1] + 5.0, y),
    "y * y[0]": lambda y: y * y[0],
    "y[:, :1] - y": lambda y: y[:, :1] - y,
    "y @ y.T + y": lambda y: y @ y.T + y,
}


@pytest.mark.parametrize("f", TWO_VIEWS.values(), ids=TWO_VIEWS)
@pytest.mark.parametrize("before", [lambda x: x, lambda x: 2.0 * x], ids=["variable", "result"])
def test_two_views_of_one_array(f, before):
    """The adjoints of both are one: neither may be written over the other."""
    x = RNG.uniform(0.5, 1.5, (3, 3))

    def scalar(x):
        return np.sum(np.sin(f(before(x))) * weights((3, 3)))

    def difference(g, h=1e-3):
        rows = []
        for place in np.ndindex(x.shape):
            e = np.zeros(x.shape)
            e[place] = h
            steps = [g(x + k * e) - g(x - k * e) for k in (1, 2, 3)]
            rows.append((45 * steps[0] - 9 * steps[1] + steps[2]) / (60 * h))
        return np.stack(rows).reshape(x.shape + np.shape(rows[0]))

    close(dt.gradient(scalar, x), difference(scalar), 1e-9)
    close(dt.hessian(scalar, x), difference(lambda x: dt.jacobian(scalar, x, mode="forward")), 1e-9)
    wanted = np.moveaxis(difference(lambda x: f(before(x))), (0, 1), (2, 3))
    for mode in ("auto", "forward", "reverse"):
        close(dt.jacobian(lambda x: f(before(x)), x, mode=mode), wanted, 1e-9, mode)
