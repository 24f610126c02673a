"""Operators on structures of arrays: dicts, tuples, dataclasses, arrays of several shapes and dtypes."""

import collections
import dataclasses

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import close, primal, weights


@dataclasses.dataclass
class Layer:
    """A matrix and a vector."""

    matrix: np.ndarray
    bias: np.ndarray
    name: str = "layer"


Pair = collections.namedtuple("Pair", "first second")

A, B, C = weights((2, 3), 1), weights((3,), 2), weights((2,), 3)


def program(a, b, c):
    """A scalar of three arrays."""
    y = np.tanh(a @ b + c)
    y[1:] *= c[0] * y[:1]
    return np.sum(y * y) + np.sum(a[:, 0] * c) * b[2]


def slopes(a, b, c, h=1e-30):
    """Its gradient, by complex steps."""
    out = []
    for k, wanted in enumerate((a, b, c)):
        slope = np.empty(wanted.shape)
        for place in np.ndindex(wanted.shape):
            arrays = [x.astype(complex) for x in (a, b, c)]
            arrays[k][place] += 1j * h
            slope[place] = program(*arrays).imag / h
        out.append(slope)
    return out


# Each way to pass three arrays: how they are packed, and how they are found again.
STRUCTURES = {
    "tuples in a list": (lambda a, b, c: [(a, (b,)), c], lambda s: (s[0][0], s[0][1][0], s[1])),
    "list": (lambda a, b, c: [a, [b, c]], lambda s: (s[0], s[1][0], s[1][1])),
    "dict": (lambda a, b, c: {"c": c, "a": a, "b": b}, lambda s: (s["a"], s["b"], s["c"])),
    "nested dict": (
        lambda a, b, c: {"x": {"a": a}, "y": [b, {"c": c}]},
        lambda s: (s["x"]["a"], s["y"][0], s["y"][1]["c"]),
    ),
    "namedtuple": (lambda a, b, c: Pair(a, Pair(b, c)), lambda s: (s.first, s.second.first, s.second.second)),
    "dataclass": (lambda a, b, c: [Layer(a, b), c], lambda s: (s[0].matrix, s[0].bias, s[1])),
    "OrderedDict": (lambda a, b, c: collections.OrderedDict(c=c, b=b, a=a), lambda s: (s["a"], s["b"], s["c"])),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_gradients_have_the_structure_of_the_argument(name):
    pack, unpack = STRUCTURES[name]
    f, x = lambda s: program(*unpack(s)), pack(A, B, C)
    expected, before = slopes(A, B, C), [a.copy() for a in (A, B, C)]
    value, found = dt.value_and_gradient(f, x)
    close(value, program(A.copy(), B.copy(), C.copy()), 1e-14)
    for slope in (found, dt.gradient(f)(x), dt.pullback(f, x)[1](1.0)):
        assert type(slope) is type(x)
        for a, b in zip(unpack(slope), expected, strict=True):
            close(a, b, 1e-13)
    tangents = pack(*(weights(a.shape, 5) for a in (A, B, C)))
    along = sum(np.sum(s * t) for s, t in zip(expected, unpack(tangents), strict=True))
    close(dt.pushforward(f, x, tangents)[1], along, 1e-13)
    for a, b in zip((A, B, C), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", STRUCTURES)
def test_second_derivatives(name):
    pack, unpack = STRUCTURES[name]
    f, x = lambda s: program(*unpack(s)), pack(A, B, C)
    v = [weights(a.shape, 6) for a in (A, B, C)]
    h = 1e-4
    steps = [slopes(*(a + k * h * t for a, t in zip((A, B, C), v, strict=True))) for k in (-2, -1, 1, 2)]
    expected = [(far - 8 * near + 8 * near_ - far_) / (12 * h) for far, near, near_, far_ in zip(*steps, strict=True)]
    inner = lambda s: sum(np.sum(g * t) for g, t in zip(unpack(dt.gradient(f, s)), v, strict=True))
    for found in (
        dt.hvp(f, x, pack(*v)),
        dt.pushforward(dt.gradient(f), x, pack(*v))[1],
        dt.gradient(inner, x),
        dt.gradient(lambda s: dt.pushforward(f, s, pack(*v))[1], x),
    ):
        for a, b in zip(unpack(found), expected, strict=True):
            close(a, b, 1e-9)


def test_several_arguments_and_argnums():
    expected = slopes(A, B, C)
    for found, wanted in zip(dt.gradient(program, A, B, C), expected, strict=True):
        close(found, wanted, 1e-13)
    close(dt.gradient(program, A, B, C, argnums=1), expected[1], 1e-13)
    two = dt.gradient(program, A, B, C, argnums=(2, 0))
    close(two[0], expected[2], 1e-13)
    close(two[1], expected[0], 1e-13)
    _, picked = dt.value_and_gradient(program, A, B, C, argnums=2)
    close(picked, expected[2], 1e-13)


def test_has_aux_returns_plain_arrays():
    def f(x):
        y = x * x
        return np.sum(y), {"y": y, "n": 3, "name": "aux"}

    (value, aux), slope = dt.value_and_gradient(f, B, has_aux=True)
    assert type(aux["y"]) is np.ndarray and aux["n"] == 3 and aux["name"] == "aux"
    close(aux["y"], B * B, 1e-15)
    close(value, np.sum(B * B), 1e-15)
    close(slope, 2 * B, 1e-15)
    slope, aux = dt.gradient(f, B, has_aux=True)
    close(aux["y"], B * B, 1e-15)


def test_numbers_and_arrays_in_one_structure():
    def f(p):
        return np.sum(p["a"] * p["k"]) + p["k"] ** 2 * p["n"] + p["a"][0] * p["n"]

    slope = dt.gradient(f, {"a": B, "k": 2.0, "n": 3, "s": "text", "none": None})
    close(slope["a"], np.array([5.0, 2.0, 2.0]), 1e-15)
    close(slope["k"], np.sum(B) + 12.0, 1e-15)
    close(slope["n"], 4.0 + B[0], 1e-15)
    assert slope["s"] is None and slope["none"] is None


def test_dtypes_stay_what_they_are():
    def f(p):
        return np.sum(p["f"]) * np.sum(p["d"]) * np.sum(p["i"]) * np.sum(p["c"] * p["c"].conj()).real

    p = {
        "f": np.ones(2, dtype=np.float32),
        "d": np.ones(3),
        "i": np.ones(2, dtype=np.int64),
        "c": np.ones(2, dtype=complex) * (1 + 1j),
    }
    slope = dt.gradient(f, p)
    assert [slope[k].dtype for k in "fdic"] == [np.float32, np.float64, np.float64, np.complex128]
    close(slope["f"], np.full(2, 24.0, dtype=np.float32), 1e-6)
    close(slope["i"], np.full(2, 24.0), 1e-6)
    close(slope["c"], np.full(2, 24.0 * (1 + 1j)), 1e-6)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "int64"])
def test_integers_are_promoted(dtype):
    x, seen = np.array([1, 2, 3], dtype=dtype), []
    slope = dt.gradient(lambda x: seen.append(x.dtype) or np.sum(x * x / 2), x)
    assert slope.dtype == np.float64 and seen == [np.float64]
    close(slope, np.array([1.0, 2.0, 3.0]), 1e-15)


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "longdouble", "complex64", "complex128", ">f4", ">f8", ">c16"]
)
def test_inputs_of_other_kinds(dtype):
    x = np.array([0.5, 2.0, 3.0]).astype(dtype)
    f = lambda x: np.sum(x * x).real + (x[0] * x[1]).real
    expected = np.array([1.0 + 2.0, 4.0 + 0.5, 6.0])
    slope = dt.gradient(f, x)
    assert slope.dtype in (x.dtype, x.dtype.newbyteorder("="))
    close(slope.astype(complex).real, expected, 1e-3)
    close(float(dt.pushforward(f, x, np.ones_like(x))[1]), 13.5, 1e-3)


def test_unaligned_inputs():
    x = np.frombuffer(b"-" + np.array([0.5, 2.0]).tobytes(), offset=1)
    close(dt.gradient(lambda x: np.sum(x**3), x), np.array([0.75, 12.0]), 1e-15)
    record = np.array([(0.5, 1), (2.0, 2)], dtype=[("a", "f8"), ("b", "i1")])
    close(dt.gradient(lambda x: np.sum(x**3), record["a"]), np.array([0.75, 12.0]), 1e-15)


def test_booleans_are_refused_anywhere_in_a_structure():
    with pytest.raises(TypeError, match="bool"):
        dt.gradient(lambda p: np.sum(p[0]), [B, np.ones(2, dtype=bool)])


def test_jacobians_of_arrays_by_arrays():
    f = lambda x: np.outer(x, x[::-1])[:, :2]
    expected = np.zeros((3, 2, 3))
    for i in range(3):
        for j in range(2):
            expected[i, j, i] += B[2 - j]
            expected[i, j, 2 - j] += B[i]
    for mode in ("forward", "reverse", "auto"):
        close(dt.jacobian(f, B, mode=mode), expected, 1e-15)
    assert dt.hessian(lambda x: np.sum(x**3), A).shape == (2, 3, 2, 3)


def test_structures_as_results():
    f = lambda x: {"sum": np.sum(x), "square": x * x, "rows": [x[0], x[1:] * 2.0], "plain": np.ones(2), "n": 1}
    value, tangent = dt.pushforward(f, B, C3 := np.array([1.0, 2.0, 3.0]))
    close(value["square"], B * B, 1e-15)
    close(tangent["square"], 2 * B * C3, 1e-15)
    close(tangent["sum"], 6.0, 1e-15)
    close(tangent["rows"][1], 2 * C3[1:], 1e-15)
    close(tangent["plain"], np.zeros(2), 1e-15)
    value, back = dt.pullback(lambda x: (np.sum(x), x * x), B)
    close(back((2.0, C3)), 2.0 + 2 * B * C3, 1e-15)


def test_derivative_by_a_number_of_an_array():
    f = lambda t: np.array([1.0, 2.0]) * t**2
    close(dt.derivative(f, 3.0), np.array([6.0, 12.0]), 1e-15)
    g = lambda t: np.sum(np.sin(A * t))
    close(dt.derivative(g, 0.5), np.sum(A * np.cos(A * 0.5)), 1e-14)
    close(dt.gradient(g, 0.5), np.sum(A * np.cos(A * 0.5)), 1e-14)
    close(dt.derivative(dt.derivative(g))(0.5), -np.sum(A * A * np.sin(A * 0.5)), 1e-14)
    h = lambda t: dt.array([t, t * t, 1.0]) * t
    close(dt.derivative(h, 3.0), np.array([6.0, 27.0, 1.0]), 1e-15)


def test_holomorphic_derivative_of_arrays_in_a_complex_number():
    w = weights((3,), 1) + 1j * weights((3,), 2)
    z = 0.3 + 0.4j
    close(dt.derivative(lambda z: np.sum(np.exp(w * z)), z), np.sum(w * np.exp(w * z)), 1e-14)
    close(dt.derivative(lambda z: np.exp(w * z), z), w * np.exp(w * z), 1e-14)


def test_closures_over_arrays_of_an_outer_differentiation():
    def f(x):
        inner = lambda y: np.sum(x * y * y) + np.sum(x[0] * y)
        return np.sum(dt.gradient(inner, np.ones(3)) * x)

    close(dt.gradient(f, B), 4 * B + np.sum(B) * np.array([1.0, 0, 0]) + B[0], 1e-14)
    close(dt.jacobian(f, B, mode="forward"), 4 * B + np.sum(B) * np.array([1.0, 0, 0]) + B[0], 1e-14)

    def confusion(x):
        return np.sum(x * dt.derivative(lambda t: np.sum(x + t), 1.0))

    close(dt.gradient(confusion, np.ones(2)), np.array([2.0, 2.0]), 1e-15)
    close(dt.jacobian(confusion, np.ones(2), mode="forward"), np.array([2.0, 2.0]), 1e-15)


def test_mixtures_of_scalars_and_arrays_of_two_levels():
    def f(x):
        def g(t):
            y = x * t
            y[0] = t**3
            y[1] += x[2] * t
            return np.sum(y * y)

        return dt.derivative(g, 2.0) + dt.gradient(g, 2.0)

    # g = t^6 + (x1 + x2)^2 t^2 + x2^2 t^2
    a, b = B[1], B[2]
    expected = 2 * 2 * 2.0 * np.array([0.0, 2 * (a + b), 2 * (a + b) + 2 * b])
    close(dt.gradient(f, B), expected, 1e-14)
    close(dt.jacobian(f, B, mode="forward"), expected, 1e-14)


def test_inputs_of_a_structure_are_not_modified_either():
    a, b = np.arange(3.0), np.ones((2, 2))

    def f(inputs):
        inputs["a"][1:] *= inputs["a"][0]
        inputs["b"] += inputs["a"][2]
        inputs["b"].T[0] = 0.0
        return np.sum(inputs["a"]) + np.sum(inputs["b"] ** 2)

    for run in (dt.gradient, dt.value_and_gradient, dt.pullback, lambda f, x: dt.hvp(f, x, x)):
        run(f, {"a": a, "b": b})
    np.testing.assert_array_equal(a, np.arange(3.0))
    np.testing.assert_array_equal(b, np.ones((2, 2)))


def test_gradients_do_not_share_memory_with_one_another_or_the_input():
    x = np.arange(3.0)
    value, back = dt.pullback(lambda x: x, x)
    assert not np.shares_memory(primal(value), x)
    first, second = back(np.ones(3)), back(np.ones(3))
    first[:] = 7.0
    np.testing.assert_array_equal(second, np.ones(3))
    ga, gb = dt.gradient(lambda a, b: np.sum(a + b), x, x)
    assert not np.shares_memory(ga, gb)


def test_a_cotangent_is_not_modified():
    def f(x):
        y = x * x
        y[1:] += y[:-1]
        y *= 2.0
        return y

    bar = np.ones(3)
    _, back = dt.pullback(f, np.arange(3.0))
    assert np.array_equal(back(bar), back(bar)) and np.array_equal(bar, np.ones(3))
    tangent = np.ones(3)
    dt.pushforward(f, np.arange(3.0), tangent)
    assert np.array_equal(tangent, np.ones(3))
