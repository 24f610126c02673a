"""Options of ufuncs, memory layouts of results, running products, and extended precision: as of NumPy."""

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import check, check_case, close, difference_gradient, primal, weights
from arrays.test_attributes import inside

X = weights((2, 3), 1) + 1.5
LIST = [[1, 0], [0, 1]]

# --- options of ufuncs ----------------------------------------------------------------------------------------------

OPTIONS = {
    "order C": lambda x: np.add(x.T, 1.0, order="C"),
    "order F": lambda x: np.multiply(x, x, order="F"),
    "order A of Fortran": lambda x: np.sin(x.T, order="A"),
    "order A of both": lambda x: np.add(x, x.T.copy().T, order="A"),
    "order K": lambda x: np.sin(x.T, order="K"),
    "order of a unary": lambda x: np.exp(x, order="F"),
    "order and where": lambda x: np.multiply(x, x, where=x.real > 1.0, out=np.zeros_like(x), order="F"),
    "dtype": lambda x: np.add(x, 1.0, dtype=np.complex128) * 1.0,
    "signature": lambda x: np.multiply(x, x, signature="DD->D"),
    "sig": lambda x: np.add(x, 1, sig=(None, None, np.complex128)),
    "casting": lambda x: np.add(x, np.float32(1.5), casting="safe"),
    "subok": lambda x: np.add(x, x, subok=False),
    "outer": lambda x: np.multiply.outer(x, x[0], order="F"),
}
REAL = {
    "signature of doubles": lambda x: np.divide(x, 3, signature="dd->d"),
    "float32": lambda x: np.add(x, 1.0, dtype=np.float32),
    "float32 by casting": lambda x: np.add(x, x, signature="ff->f", casting="same_kind"),
    "float32 of a unary": lambda x: np.sqrt(x, dtype="f4"),
}


def layout(a):
    """Shape, dtype and memory order of an array, without the steps along axes of length 1."""
    steps = tuple(s for n, s in zip(a.shape, a.strides, strict=True) if n > 1)
    return a.shape, a.dtype, steps, a.flags.c_contiguous, a.flags.f_contiguous


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_ufuncs(name):
    f = OPTIONS[name]
    if f(X).dtype == float:
        check(f, X)
    else:
        check(lambda x: f(x).real, X, reference=lambda x: f(x) * 1.0)
    assert inside(lambda x: layout(f(x)), X) == [layout(f(X))] * 4


@pytest.mark.parametrize("name", REAL)
def test_options_that_lose_precision(name):
    f = REAL[name]
    expected = difference_gradient(lambda x: np.sum(np.sin(f(x.astype(np.float64)).astype(float))), X, 0.02)
    for found in (dt.gradient(lambda x: np.sum(np.sin(f(x))), X), dt.jacobian(lambda x: np.sum(np.sin(f(x))), X)):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert inside(lambda x: layout(f(x)), X) == [layout(f(X))] * 4


def into(dtype, **options):
    return lambda x: np.add(x, 1.0, out=np.zeros_like(x, dtype=dtype), **options)


BAD = {
    "casting": lambda x: np.add(x, np.ones((2, 3), np.float32), casting="no"),
    "casting of the result": into(np.float32, casting="safe"),
    "integers": into(int),
    "no such loop": lambda x: np.sin(x, signature="ii->i"),
    "no such dtype": lambda x: np.add(x, 1.0, dtype=int),
    "no such option": lambda x: np.add(x, 1.0, nonsense=1),
    "signature and dtype": lambda x: np.add(x, 1.0, signature="d->d"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_options_raise_what_numpy_raises(name):
    with pytest.raises((TypeError, ValueError)) as info:
        BAD[name](X.copy())

    def look(x):
        with pytest.raises((type(info.value), dt.DualtapeError)):
            BAD[name](x)
        return True

    inside(look, X)


# --- layouts --------------------------------------------------------------------------------------------------------

RESULTS = {
    "sort": lambda x: np.sort(x, axis=0),
    "sort of a transpose": lambda x: np.sort(x.T, axis=0),
    "sort of three axes": lambda x: np.sort((x[:, None] * x[:, :1, None]).transpose(2, 0, 1), axis=1),
    "integers in the first axis": lambda x: x[[1, 0, 1]],
    "integers in the last axis": lambda x: x[:, [2, 0]],
    "integers and a transpose": lambda x: x.T[:, [1, 0]],
    "integers in two axes": lambda x: x[LIST, [0, 2]],
    "integers around a slice": lambda x: (x[:, None] * x[None])[LIST, :, LIST],
    "mask": lambda x: x.T[[True, False, True]],
    "roll": lambda x: np.roll(x.T, 1, axis=0),
    "take": lambda x: np.take(x.T, [0, 1], axis=0),
    "repeat": lambda x: np.repeat(x.T, 2, axis=0),
    "astype": lambda x: x.T.astype(np.float32),
    "astype with an order": lambda x: x.astype(np.float32, order="F"),
    "copy": lambda x: x.T.copy("A"),
    "elementwise": lambda x: np.sin(x.T) * x.T,
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_lie_in_memory_as_numpys(name):
    f = RESULTS[name]
    expected = layout(f(X.copy())), np.ravel(f(X.copy()), order="K").tolist()
    for found in inside(lambda x: (layout(f(x)), primal(np.ravel(f(x), order="K")).tolist()), X):
        assert found == expected


def test_later_views_of_such_results_write_through():
    def case(x, dt):
        y = np.sort(x.T, axis=0)
        y.reshape(-1)[0] = 0.0  # a copy
        y.T.reshape(-1)[1] = x[0, 0] ** 2  # a view
        return y * x.T

    check_case(case, X)


# --- products -------------------------------------------------------------------------------------------------------

ZEROS = np.array([[0.7, 0.0, -1.3, 0.4], [0.0, 1.1, 0.0, -0.6]])
PRODUCTS = {
    "cumprod": lambda x: np.cumprod(x),
    "cumprod axis": lambda x: np.cumprod(x, axis=1),
    "cumprod first axis": lambda x: np.cumprod(x, axis=0),
    "cumprod of one": lambda x: np.cumprod(x[:, :1], axis=1),
    "accumulate": lambda x: np.multiply.accumulate(x, axis=1),
    "prod": lambda x: np.prod(x),
    "prod axis": lambda x: np.prod(x, axis=1),
    "prod where": lambda x: np.prod(x, axis=1, where=[[True, False, True, True], [True, True, False, True]]),
    "prod of a slice": lambda x: np.prod(x[:, ::-2], axis=0),
    "cumprod of cumprod": lambda x: np.cumprod(np.cumprod(x, axis=1) + 0.5, axis=0),
}


@pytest.mark.parametrize("x", [X, ZEROS, np.zeros((2, 3))], ids=["numbers", "zeros", "only zeros"])
@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name, x):
    check(PRODUCTS[name] if x.shape[1] == 4 or "where" not in name else lambda x: np.prod(x), x)


def test_third_derivatives_of_products():
    v = weights((4,), 3)
    for x in (ZEROS[0], ZEROS[1], X.ravel()[:4]):
        for f in (lambda x: np.prod(x), lambda x: np.sum(np.cumprod(x) * v)):
            third = lambda x: np.sum(dt.hvp(f, x, v) * v)
            close(dt.gradient(third, x), difference_gradient(third, x, 1e-3), 1e-9)
            close(dt.pushforward(third, x, v)[1], np.sum(difference_gradient(third, x, 1e-3) * v), 1e-9)


def test_products_of_other_kinds():
    close(dt.gradient(lambda x: np.cumprod(x)[-1] if x.size else np.sum(x), np.ones(0)), np.ones(0), 1e-15)
    assert dt.gradient(lambda x: np.sum(np.cumprod(x)), X.astype(np.float32)).dtype == np.float32
    z, dz = X + 1j * weights((2, 3), 2), weights((2, 3), 3) + 1j * X
    for f in (lambda z: np.sum(np.cumprod(z, axis=1)).real, lambda z: np.prod(z, axis=0).imag.sum()):
        slope = difference_gradient(f, z)
        close(dt.gradient(f, z), slope, 1e-9)
        close(dt.pushforward(f, z, dz)[1], np.sum((slope.conj() * dz).real), 1e-9)
    for bad in (lambda x: np.cumprod(x, axis=2), lambda x: np.cumsum(x, axis=-3), lambda x: np.prod(x, axis=(0, 0))):
        with pytest.raises(ValueError, match="axis"):
            dt.gradient(lambda x: np.sum(bad(x)), X)


# --- extended precision ---------------------------------------------------------------------------------------------

LONG = np.array([1, 2, 4], dtype=np.longdouble) / 3
WIDE = {
    "power": (lambda x: x**3, lambda x: 3 * x * x, lambda x: 6 * x),
    "sin": (np.sin, np.cos, lambda x: -np.sin(x)),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, lambda x: -2 * np.tanh(x) * (1 - np.tanh(x) ** 2)),
    "log": (np.log, lambda x: 1 / x, lambda x: -1 / (x * x)),
    "arctan2": (lambda x: np.arctan2(x, 2), lambda x: 2 / (4 + x * x), lambda x: -4 * x / (4 + x * x) ** 2),
}


@pytest.mark.parametrize("name", WIDE)
def test_long_doubles_keep_dtype_and_digits(name):
    f, slope, curvature = WIDE[name]
    rtol = 8 * np.finfo(np.longdouble).eps
    for mode in ("forward", "reverse", "auto"):
        found = dt.jacobian(f, LONG, mode=mode)
        assert found.dtype == np.longdouble
        np.testing.assert_allclose(found, np.diag(slope(LONG)), rtol=rtol, atol=rtol)
    found = dt.hessian(lambda x: np.sum(f(x)), LONG)
    assert found.dtype == np.longdouble
    np.testing.assert_allclose(found, np.diag(curvature(LONG)), rtol=rtol, atol=rtol)


def test_extended_complex_and_half_precision():
    assert dt.jacobian(lambda z: z * z, LONG * (1 + 1j)).dtype == np.clongdouble
    half = LONG.astype(np.float16)
    for found in (dt.gradient(lambda x: np.sum(np.sin(x)), half), dt.jacobian(np.sin, half), dt.hessian(np.prod, half)):
        assert found.dtype == np.float16
    np.testing.assert_allclose(dt.gradient(lambda x: np.sum(np.sin(x)), half), np.cos(half), rtol=2e-3)


@pytest.mark.parametrize("shape", [(4, 2, 3), (5, 3), (1, 3), (6, 6)])
@pytest.mark.parametrize(
    "function",
    [np.sum, np.mean, np.max, np.prod, np.std, np.median, np.ptp, np.add.reduce, np.add.accumulate, np.cumsum],
)
def test_out_of_another_shape_is_an_error(function, shape):
    x = np.arange(6.0).reshape(2, 3)

    def f(x):
        with pytest.raises(ValueError):
            function(x, axis=0, out=dt.zeros(shape))
        return np.sum(x)

    dt.gradient(f, x)
    dt.pushforward(f, x, x)
