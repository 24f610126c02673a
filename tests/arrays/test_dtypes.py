"""Arrays of float32 and complex128: their derivatives in every mode against differences of plain NumPy, their dtypes
and values against NumPy's."""

import numpy as np
import pytest

import dualtape as dt

KINDS = {"float32": np.float32, "complex128": np.complex128}
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def numbers(shape, kind, seed=0):
    """Numbers in the right half of the plane, away from 0."""
    generator = np.random.default_rng(seed)
    x = generator.uniform(0.3, 1.4, shape)
    if np.dtype(kind).kind == "c":
        x = x + 1j * generator.uniform(-0.8, 0.8, shape)
    return np.asarray(x).astype(kind)


def wide(x):
    """The same numbers in double precision."""
    x = np.asarray(x)
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def inner(a, b):
    """The real inner product, for which adjoints are transposes."""
    return float(np.sum((np.conj(wide(a)) * wide(b)).real))


def along(f, args, tangents, h=4e-3):
    """The derivative of plain f along tangents, by differences of order 6 in double precision."""
    at = lambda t: wide(f(*[wide(a) + t * wide(v) for a, v in zip(args, tangents, strict=True)]))
    weights = ((1, 0.75), (2, -0.15), (3, 1 / 60))
    return sum(w * (at(k * h) - at(-k * h)) for k, w in weights) / h


def gradients(back, bar, n):
    """The pulled-back adjoints, as a tuple."""
    return (back(bar),) if n == 1 else back(bar)


def check(f, *args):
    """All modes of f, a function of arrays: value, reverse, forward, reverse with traced adjoints, and nested."""
    single = any(np.asarray(a).dtype == np.float32 for a in args)
    rtol = 3e-5 if single else 1e-8
    plain = f(*args)
    n = len(args)
    value, back = dt.pullback(f, *args)
    assert np.asarray(value).dtype == plain.dtype
    assert np.shape(value) == np.shape(plain)
    np.testing.assert_array_max_ulp(wide(value).real, wide(plain).real, 2 if not single else 2**31)
    np.testing.assert_allclose(value, plain, rtol=4 * np.finfo(plain.dtype).eps, atol=1e-300)
    bar = numbers(np.shape(plain), plain.dtype, 91)
    found = gradients(back, bar, n)
    moves = [numbers(np.shape(a), np.asarray(a).dtype, 50 + k) for k, a in enumerate(args)]
    slopes = along(f, args, moves)
    scale = np.sum(np.abs(wide(bar) * slopes)) + 1e-3
    for a, g in zip(args, found, strict=True):
        assert g.dtype == a.dtype
        assert g.shape == a.shape
    assert abs(sum(map(inner, moves, found)) - inner(bar, slopes)) <= rtol * scale
    # single entries, so that nothing lands in a wrong place
    for k, (a, g) in enumerate(zip(args, found, strict=True)):
        for place in list(np.ndindex(np.shape(a)))[:3]:
            for unit in (1.0, 1j) if a.dtype.kind == "c" else (1.0,):
                moved = [np.zeros_like(wide(x)) for x in args]
                moved[k][place] = unit
                expected = inner(bar, along(f, args, moved))
                assert abs(inner(unit, g[place]) - expected) <= rtol * scale
    np.testing.assert_allclose(dt.pushforward(f, tuple(args), tuple(moves))[1], slopes, rtol=rtol, atol=rtol * scale)
    # the adjoint of the adjoint is the tangent: a sweep whose adjoints are traced
    turned = dt.gradient(
        lambda b: sum(real_inner(m, g) for m, g in zip(moves, gradients(back, b, n), strict=True)), bar
    )
    np.testing.assert_allclose(turned, slopes, rtol=rtol, atol=rtol * scale)
    # second derivatives, by a reverse sweep over a reverse sweep
    loss = lambda *xs: real_inner(bar, f(*xs))
    slopes_at = lambda *xs: (dt.gradient(loss, *xs),) if n == 1 else dt.gradient(loss, *xs)
    inside = dt.gradient(lambda *xs: sum(map(real_inner, moves, slopes_at(*xs))), *args)
    inside = (inside,) if n == 1 else inside
    second = along(lambda *xs: curvature(f, xs, bar, moves), args, moves)
    assert abs(sum(map(inner, moves, inside)) - second) <= (2e-3 if single else 1e-6) * (abs(second) + scale)


def curvature(f, args, bar, moves):
    return np.asarray(inner(bar, along(f, args, moves)))


def real_inner(a, b):
    """The real inner product of a plain and a traced array."""
    total = np.sum(np.conjugate(a) * b) if np.asarray(a).dtype.kind == "c" else np.sum(a * b)
    return total.real


# --- elementwise -------------------------------------------------------------------------------------------------

UNARY = {
    name: getattr(np, name)
    for names in (
        "negative positive square reciprocal sqrt exp log sin cos sinh cosh tanh absolute conjugate",
        "tan log2 arctan expm1",
    )
    for name in names.split()
}
UNARY |= {
    "power 3": lambda x: x**3,
    "power 2": lambda x: x**2,
    "power -2": lambda x: x**-2,
    "power 0": lambda x: x**0 * x,
    "power 1.5": lambda x: x**1.5,
    "real": lambda x: x.real * 2.0,
    "imag": lambda x: np.sin(x.real) * x.imag,
    "both parts": lambda x: x.real * x,
    "number": lambda x: 2.0 * x + 1 - x / 3.0,
    "number from the left": lambda x: (1.5 - x) / (2 / x),
    "float64": lambda x: x * np.float64(0.5),
    "0-d": lambda x: x * np.array(0.5),
    "plain row": lambda x: x * np.array([0.5, -2.0, 1.0]),
    "plain integers": lambda x: x * np.array([2, 1, 3]),
    "plain small integers": lambda x: x + np.array([2, 1, 3], dtype=np.int16),
    "plain complex": lambda x: x * np.array([0.5j, 2.0 - 1j, 1.0]),
    "twice": lambda x: x * x + x,
    "sum": lambda x: x.sum(),
    "mean": lambda x: np.mean(x * x),
    "sum of an axis": lambda x: np.sum(x, axis=0) if x.ndim else x * 1,
    "sum keeps an axis": lambda x: np.sum(x, axis=-1, keepdims=True) * x if x.ndim else x * 1,
    "astype": lambda x: (x * x).astype(np.complex128),
    "astype its own": lambda x: x.astype(x.dtype) * x,
    "hypot": lambda x: np.hypot(x.real, 2.0),
}
LAYOUTS = {
    "C": lambda k: numbers((2, 3), k),
    "Fortran": lambda k: np.asfortranarray(numbers((2, 3), k)),
    "backwards": lambda k: numbers((2, 3), k)[::-1, ::-1],
    "strided": lambda k: numbers((4, 6), k)[::2, 1::2],
    "vector": lambda k: numbers((3,), k),
    "long": lambda k: numbers((5, 2, 67, 3), k),
    "0-d": lambda k: numbers((), k),
    "empty": lambda k: numbers((0, 3), k),
}


@kinds
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_array(name, kind):
    if kind == np.float32 and name in ("imag", "both parts"):
        return
    check(UNARY[name], numbers((2, 3), kind))


@kinds
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["exp", "tanh", "power 3", "sum", "both parts", "absolute", "conjugate", "number"])
def test_layouts(name, layout, kind):
    x = LAYOUTS[layout](kind)
    if kind == np.float32 and name == "both parts":
        return
    f = UNARY[name]
    value, back = dt.pullback(f, x)
    np.testing.assert_allclose(value, f(x), rtol=1e-6 if kind == np.float32 else 1e-14)
    assert np.asarray(value).dtype == np.asarray(f(x)).dtype
    bar = numbers(np.shape(value), np.asarray(value).dtype, 3)
    same = np.ascontiguousarray(x).reshape(x.shape)
    found, expected = back(bar), dt.pullback(f, same)[1](bar)
    np.testing.assert_allclose(found, expected, rtol=1e-5 if kind == np.float32 else 1e-12, atol=1e-12)
    assert found.shape == x.shape
    if x.size == 0:
        return
    move = numbers(x.shape, kind, 4)
    exact = inner(bar, along(f, [x], [move]))
    scale = np.sum(np.abs(bar)) + 1.0
    assert abs(inner(move, found) - exact) <= (3e-5 if kind == np.float32 else 1e-9) * scale


BINARY = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "power": lambda x, y: x**y,
    "a program": lambda x, y: np.exp(x * y) / (x + 2.0 * y),
    "in place": lambda x, y: accumulated(x * np.ones_like(y), y),
}
SHAPES = {
    "same": ((2, 3), (2, 3)),
    "row": ((2, 3), (3,)),
    "column": ((2, 1), (2, 3)),
    "outer": ((3, 1), (4,)),
    "0-d": ((), (2, 2)),
    "both 0-d": ((), ()),
    "three axes": ((2, 1, 3), (4, 1)),
}
MIXES = {
    "float32": (np.float32, np.float32),
    "complex128": (np.complex128, np.complex128),
    "float32, float64": (np.float32, np.float64),
    "float64, complex128": (np.float64, np.complex128),
    "complex128, float32": (np.complex128, np.float32),
}


def accumulated(out, y):
    if np.can_cast(y.dtype, out.dtype, "same_kind"):
        out += y
        out *= 2.0
        out[..., 0] = y[..., 0] if y.ndim else y
    return out


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_arrays(name, shape, mix):
    if name == "in place" and "0-d" in shape:
        return
    x, y = (numbers(s, k, 7 + i) for i, (s, k) in enumerate(zip(SHAPES[shape], MIXES[mix], strict=True)))
    check(BINARY[name], x, y)


@kinds
@pytest.mark.parametrize("name", ["add", "multiply", "divide"])
@pytest.mark.parametrize("transposed", [(True, True), (True, False), (False, True)])
def test_transposed_operands(name, transposed, kind):
    turn = lambda a, t: a.T if t else a
    f = lambda x, y: BINARY[name](turn(x, transposed[0]), turn(y, transposed[1]))
    check(f, numbers((3, 3), kind), numbers((3, 3), kind, 1))


@kinds
def test_results_are_laid_out_as_numpys(kind):
    def f(x):
        y = x.T + x.T * 2.0
        y.T.reshape(-1)[1] = 0.0  # a view only where the result is transposed as its operands are
        return y.sum().real

    x = numbers((2, 3), kind)
    expected = np.full((2, 3), 3.0)
    expected[0, 1] = 0.0
    np.testing.assert_array_equal(dt.gradient(f, x), expected)


# --- products ----------------------------------------------------------------------------------------------------

PRODUCTS = {
    "matrices": ((2, 3), (3, 4)),
    "square": ((4, 4), (4, 4)),
    "vector, matrix": ((3,), (3, 2)),
    "matrix, vector": ((2, 3), (3,)),
    "vectors": ((5,), (5,)),
    "large": ((9, 20), (20, 11)),
    "column, row": ((3, 1), (1, 4)),
    "empty": ((2, 0), (0, 3)),
    "stacks": ((2, 3, 2), (2, 2)),
}


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("shape", PRODUCTS)
def test_matrix_products(shape, mix):
    x, y = (numbers(s, k, 7 + i) for i, (s, k) in enumerate(zip(PRODUCTS[shape], MIXES[mix], strict=True)))
    product = lambda x, y: x @ y
    if shape in ("large", "empty"):
        value, back = dt.pullback(product, x, y)
        bar = numbers(value.shape, value.dtype, 2)
        for found, expected, like in zip(back(bar), (bar @ np.conj(y.T), np.conj(x.T) @ bar), (x, y), strict=True):
            expected = expected if like.dtype.kind == "c" else expected.real
            assert found.dtype == like.dtype
            np.testing.assert_allclose(found, expected, rtol=1e-4 if "float32" in mix else 1e-12)
        return
    check(product, x, y)


@kinds
def test_products_of_views(kind):
    check(lambda x, y: x.T @ y[::2] + (x.T @ x)[:, :2], numbers((2, 3), kind), numbers((4, 2), kind, 1))
    check(lambda x, y: np.dot(x.real, y.T.real), numbers((2, 3), kind), numbers((4, 3), kind, 1))


# --- assignment --------------------------------------------------------------------------------------------------


def write_slices(x):
    y = x * 1.0
    z = y * y
    y[1:] = z[:-1]
    y[::2] *= 2.0
    y[0] += y[1]
    return y * z


def write_elements(x):
    y = np.zeros_like(x)
    for k in range(len(x)):
        y[k] = x[k] * x[k - 1]
    y[1] = 0.5
    return y + x


def write_parts(x):
    y = x * 1.0
    y.real[1:] = x.imag[:-1] * 3.0
    y.imag *= 2.0
    y.real += x.real
    return y * x


def write_other_kinds(x):
    y = np.zeros_like(x)
    y[1:] = x[1:].real * np.ones(len(x) - 1)
    y[0] = x[0]
    return y * x


def write_into_out(x):
    y = x * 1.0
    np.multiply(y, x, out=y)
    np.add(y, 1.0, out=y)
    return np.exp(y * 0.1)


def old_values_stay(x):
    y = x * 1.0
    z = np.exp(y) * y
    y[...] = 0.0
    return z + y


def read_elements(x):
    return x[0] * x[1] + x[2].real * 2.0


WRITES = [
    write_slices, write_elements, write_parts, write_other_kinds, write_into_out, old_values_stay, read_elements,
]  # fmt: skip


@kinds
@pytest.mark.parametrize("f", WRITES, ids=lambda f: f.__name__)
def test_assignment(f, kind):
    if f is write_parts and kind == np.float32:
        return
    check(f, numbers((4,), kind))


# --- conventions -------------------------------------------------------------------------------------------------


def test_a_number_of_the_tape_scales_a_complex_array():
    z = numbers((3,), np.complex128)
    f = lambda a, z: np.sum(a * z * z).real
    da, dz = dt.gradient(f, 0.7, z)
    assert abs(da - np.sum(z * z).real) < 1e-14
    np.testing.assert_allclose(dz, np.conj(2 * 0.7 * z), rtol=1e-14)


@kinds
def test_zero_times_infinity_is_zero(kind):
    x = np.array([0.0, 4.0], dtype=kind)
    f = lambda x: np.sum(np.sqrt(x) * np.array([0.0, 1.0], dtype=kind)).real
    np.testing.assert_array_equal(dt.gradient(f, x), np.array([0.0, 0.25], dtype=kind))
    with dt.strict_nan():
        assert np.isnan(dt.gradient(f, x)[0])


def test_the_modulus_has_slope_zero_at_zero():
    z = np.array([0.0, 3.0 + 4.0j])
    np.testing.assert_allclose(dt.gradient(lambda z: np.sum(abs(z)), z), [0.0, 0.6 + 0.8j], rtol=1e-15)


@pytest.mark.parametrize(
    "other",
    [2.0, 2, True, np.float32(2), np.float64(2), np.complex128(2), 2j, np.ones(3, np.float32), np.ones(3), 1e300]
    + [np.ones(3, t) for t in (np.int8, np.int32, np.int64, bool, np.float16, np.complex64, ">f4", ">f8")],
    ids=lambda x: f"{type(x).__name__} {getattr(x, 'dtype', '')}",
)
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.complex128])
def test_promotion_is_numpys(other, kind):
    x = numbers((3,), kind)
    with np.errstate(over="ignore"):
        for f in (lambda x: x * other, lambda x: other - x):
            value, back = dt.pullback(f, x)
            assert value.dtype == f(x).dtype
            np.testing.assert_allclose(value, f(x), rtol=1e-6)
            assert back(np.ones_like(value)).dtype == kind


@kinds
def test_large_arrays(kind):
    x = numbers((700,), kind)
    f = lambda x: np.sum(np.tanh(x) * x + np.exp(-x) / x).real
    exact = np.conj(1 - np.tanh(x) ** 2) * np.conj(x) + np.conj(np.tanh(x)) - np.conj(np.exp(-x) / x * (1 + 1 / x))
    np.testing.assert_allclose(dt.gradient(f, x), exact, rtol=2e-5 if kind == np.float32 else 1e-11)


def test_tanh_keeps_its_digits_where_it_is_flat():
    z = np.array([300.0 + 0.3j, -25.0 + 1.0j, 20.0, 0.1 + 1.5j])
    exact = [0.0, *np.conj(1 / np.cosh(z[1:]) ** 2)]
    np.testing.assert_allclose(dt.gradient(lambda z: np.sum(np.tanh(z)).real, z), exact, rtol=1e-13, atol=1e-200)


@kinds
def test_numbers_that_an_ended_derivative_left_are_kept(kind):
    """The memory that a node reads stays, though nothing else refers to it."""

    def f(x):
        rate = dt.derivative(lambda t: t * x, 1.0)
        out = rate * rate
        del rate
        keep = [np.full(x.shape, 7.0, dtype=kind) for _ in range(50)]
        return np.sum(out).real + 0.0 * keep[0].real[0]

    x = numbers((600,), kind)
    np.testing.assert_allclose(dt.gradient(f, x), 2 * np.conj(x), rtol=1e-6)


def test_slopes_of_tiny_and_huge_complex_numbers():
    z = np.array([1e-170 * (1 + 1j), 1e170 * (1 - 2j), 1 - 1j])
    np.testing.assert_allclose(dt.gradient(lambda z: np.sum(np.log(z)).real, z), np.conj(1 / z), rtol=1e-14)
    w = np.array([1e-200, 1e180, 2.0 + 1j])
    found = dt.gradient(lambda z, w: np.sum(w / z).real, z[1:], w[1:])
    np.testing.assert_allclose(found[1], np.conj(1 / z[1:]), rtol=1e-14)
    np.testing.assert_allclose(found[0], np.conj(-w[1:] / z[1:] / z[1:]), rtol=1e-14)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 43), (129,), (5, 7, 11), (70000,)])
def test_sums_of_all_elements_are_numpys(shape, kind):
    x = numbers(shape, kind) * kind(1000.3)
    for f in (lambda x: x.sum(), np.sum, lambda x: x.T.sum(), lambda x: (x * 1.0).sum(keepdims=True)):
        np.testing.assert_array_equal(dt.pullback(f, x)[0], f(x))


def test_a_rule_and_a_node_read_the_same_numbers():
    """The rule keeps a copy in double precision; the node reads the memory itself."""
    check(lambda x: x * np.array(1.2) + np.log(x), numbers((), np.float32))


def test_where_promotes_elements_as_numpys_scalars():
    mask, single = np.array([True, False]), np.float32([1.0, 2.0])

    def f(x):
        out = np.where(mask, x[0] * x[1], single) * np.where(mask, single, x[1])
        assert out.dtype == np.float64
        return np.sum(out)

    np.testing.assert_allclose(dt.gradient(f, np.array([3.0, 0.1])), [0.1, 5.0], rtol=1e-15)
    np.testing.assert_allclose(dt.hessian(f, np.array([3.0, 0.1])), [[0.0, 1.0], [1.0, 0.0]], rtol=1e-15)


PLAIN_LAYOUTS = {
    "Fortran": np.asfortranarray,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "every second": lambda a: np.repeat(np.repeat(a, 2, 0), 2, 1)[::2, ::2],
    "backwards": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
}


@pytest.mark.parametrize("layout", PLAIN_LAYOUTS.values(), ids=PLAIN_LAYOUTS)
@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.float32, np.float64, np.complex128])
def test_plain_operand_of_any_layout(dtype, layout):
    """A plain array that is promoted keeps its elements where they are."""
    x = numbers((3, 3), np.float64)
    plain = layout(np.array([[0, 1, 2], [3, 0, 4], [0, 5, 6]]).astype(dtype))
    for f, slope in (
        (lambda x: x * plain, plain),
        (lambda x: plain - x, -np.ones((3, 3))),
        (lambda x: np.where(plain != 0, x, 0.0), plain != 0),
        (lambda x: np.concatenate([x, x * plain], axis=1), 1 + plain),
        (lambda x: plain @ x, np.repeat(plain.sum(0)[:, None], 3, 1)),
    ):
        seen = []

        def total(x, f=f, seen=seen):
            y = f(x)
            seen.append(dt.stop_gradient(y))
            return y.sum().real

        np.testing.assert_allclose(dt.gradient(total, x), np.asarray(slope).real.astype(float), rtol=1e-14)
        np.testing.assert_allclose(seen[0], f(x), rtol=1e-14)
