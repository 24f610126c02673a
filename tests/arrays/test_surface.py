"""NumPy's functions beyond the first set: every mode, layout and dtype, 0-d and empty arrays, kinks and NaN."""

import warnings

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import GRADIENTS, PRODUCTS, SLOPES, check, close, contract, difference_gradient, weights
from arrays.surface import ROWS

pytestmark = pytest.mark.filterwarnings("ignore")

LAYOUTS = {
    "Fortran": np.asfortranarray,
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: x[..., ::-1].copy()[..., ::-1],
}


def real(f):
    """F with complex results as pairs of real ones."""

    def parts(x):
        out = f(x)
        return np.stack([out.real, out.imag]) if np.iscomplexobj(out) or getattr(out, "dtype", None) == complex else out

    return parts


def check_by_differences(f, x, rtol=1e-9):
    """`check` for functions that take no complex step: differences of plain NumPy, of sixth order."""
    scalar, v, before = contract(f), weights(np.shape(x), 5), x.copy()
    close(dt.pullback(f, x)[0], f(x.copy()), 1e-13, "value")
    expected = difference_gradient(scalar, x, 1e-3)
    for name, find in GRADIENTS.items():
        close(find(scalar, x), expected, rtol, name)
    for name, find in SLOPES.items():
        close(find(scalar, x, v), np.sum(expected * v), rtol, name)
    h, terms = 1e-3, ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
    slope = lambda y: difference_gradient(scalar, y, 1e-3)
    expected = sum(c * (slope(x + k * h * v) - slope(x - k * h * v)) for k, c in terms) / h
    for name, find in PRODUCTS.items():
        close(find(scalar, x, v), expected, 3e-7, name)
    np.testing.assert_array_equal(x, before, err_msg="the caller's array was changed")


@pytest.mark.parametrize("name", ROWS)
def test_every_mode(name):
    row = ROWS[name]
    if row.smooth:
        check(row.f, row.point(), rtol=1e-11)
    else:
        check_by_differences(real(row.f), row.point())


@pytest.mark.parametrize("name", ROWS)
def test_layouts(name):
    row = ROWS[name]
    scalar, x = contract(real(row.f)), row.point()
    expected = dt.gradient(scalar, x)  # itself compared with differences above
    for layout in LAYOUTS.values():
        close(dt.gradient(scalar, layout(x)), expected, 1e-12)
        close(dt.gradient(lambda y: scalar(layout_inside(y, layout)), x), expected, 1e-12)
        close(dt.jacobian(scalar, layout(x), mode="forward"), expected, 1e-12)


def layout_inside(y, layout):
    """A traced array in a layout."""
    return y[..., ::-1].copy()[..., ::-1] if layout is LAYOUTS["reversed"] else y.T.copy().T


@pytest.mark.parametrize("name", ROWS)
def test_float32(name):
    row = ROWS[name]
    x = row.point().astype(np.float32)
    plain = np.asarray(row.f(x.copy()))
    out, back = dt.pullback(row.f, x)
    out = np.asarray(dt.stop_gradient(out))
    assert out.dtype == plain.dtype and out.shape == plain.shape
    np.testing.assert_allclose(out, plain, rtol=2e-5, atol=2e-5)
    bar = np.asarray(weights(plain.shape), dtype=plain.dtype)
    slope = back(bar)
    assert slope.dtype == np.float32
    wide = dt.pullback(row.f, row.point())[1](np.asarray(weights(plain.shape), dtype=np.asarray(row.f(row.point())).dtype))
    np.testing.assert_allclose(slope, wide, rtol=2e-3, atol=2e-3 * (1 + np.max(np.abs(wide))))
    tangent = np.asarray(dt.pushforward(row.f, x, weights(x.shape).astype(np.float32))[1])
    assert tangent.dtype == plain.dtype
    np.testing.assert_allclose(
        np.sum(np.real(np.conj(bar) * tangent)), np.sum(wide * weights(x.shape)), rtol=5e-3, atol=5e-3 * (1 + np.max(np.abs(wide)))
    )


# NumPy orders complex numbers by their real parts, which no real function of them follows.
ORDERED = {"pad maximum", "pad minimum", "ptp", "max where", "min initial", "clip"}


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if (row.smooth or row.conjugates) and name not in ORDERED])
def test_complex128(name):
    row = ROWS[name]
    z = row.point() + 0.4j * weights(row.point().shape, 2)

    def total(z):
        out = row.f(z)
        w = weights(np.shape(out), 1) + 1j * weights(np.shape(out), 2)
        return np.sum((w * out).real)

    out = dt.pullback(row.f, z)[0]
    np.testing.assert_allclose(out, row.f(z.copy()), rtol=1e-13, atol=1e-13)
    assert np.asarray(out).dtype == np.asarray(row.f(z.copy())).dtype
    expected = difference_gradient(total, z)
    close(dt.gradient(total, z), expected, 1e-9)
    dz = weights(z.shape, 3) + 1j * weights(z.shape, 4)
    close(dt.pushforward(total, z, dz)[1], np.sum((np.conj(expected) * dz).real), 1e-9)


SPECIAL = [(name, k) for name, row in ROWS.items() for k in range(len(row.special))]


@pytest.mark.parametrize(("name", "k"), SPECIAL)
def test_special_points(name, k):
    x, expected = ROWS[name].special[k]
    f = lambda x: np.sum(ROWS[name].f(x))
    for differentiate in (dt.gradient, lambda f, x: dt.jacobian(f, x, mode="forward")):
        close(differentiate(f, x), np.array(expected, dtype=float), 1e-14)
