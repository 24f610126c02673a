"""NumPy's functions beyond the first set: every mode, layout and dtype, 0-d and empty arrays, kinks and NaN."""

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import (
    GRADIENTS,
    PRODUCTS,
    SLOPES,
    check,
    close,
    contract,
    difference_gradient,
    primal,
    weights,
)
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
        return np.stack([out.real, out.imag]) if getattr(out, "dtype", np.dtype(float)).kind == "c" else out

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


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.smooth])
def test_third_order(name):
    row = ROWS[name]
    x, f = row.point(), contract(row.f)
    v = 0.3 * weights(x.shape, 5)
    along = lambda f: lambda y: dt.pushforward(f, y, v)[1]
    # Cauchy's integral on a circle around x, on plain NumPy.
    turns = 0.02 * np.exp(2j * np.pi * np.arange(16) / 16)
    expected = 6.0 * np.mean([f(x + t * v) / t**3 for t in turns]).real
    scale = 1e-5 * (1 + abs(expected))
    assert abs(primal(along(along(along(f)))(x)) - expected) < scale
    assert abs(np.sum(v * dt.gradient(along(along(f)), x)) - expected) < scale
    assert abs(along(lambda y: np.sum(v * dt.hvp(f, y, v)))(x) - expected) < scale


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
    wide = dt.pullback(row.f, row.point())[1](
        np.asarray(weights(plain.shape), dtype=np.asarray(row.f(row.point())).dtype)
    )
    np.testing.assert_allclose(slope, wide, rtol=2e-3, atol=2e-3 * (1 + np.max(np.abs(wide))))
    tangent = np.asarray(dt.pushforward(row.f, x, weights(x.shape).astype(np.float32))[1])
    assert tangent.dtype == plain.dtype
    np.testing.assert_allclose(
        np.sum(np.real(np.conj(bar) * tangent)),
        np.sum(wide * weights(x.shape)),
        rtol=5e-3,
        atol=5e-3 * (1 + np.max(np.abs(wide))),
    )


# NumPy orders complex numbers by their real parts, which no real function of them follows.
ORDERED = {"pad maximum", "pad minimum", "ptp", "max where", "min initial", "clip"}


@pytest.mark.parametrize(
    "name", [name for name, row in ROWS.items() if (row.smooth or row.conjugates) and name not in ORDERED]
)
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
    h, terms = 1e-3, ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
    slope = lambda z: difference_gradient(total, z, 1e-3)
    expected = sum(c * (slope(z + k * h * dz) - slope(z - k * h * dz)) for k, c in terms) / h
    close(dt.pushforward(lambda z: dt.gradient(total, z), z, dz)[1], expected, 1e-6)
    along = lambda z: np.sum((np.conj(dt.gradient(total, z)) * dz).real)
    close(dt.gradient(along, z), expected, 1e-6)


# --- kinks, ties, NaN and infinities ---------------------------------------------------------------------------------

N = np.nan
INF = np.inf

# A function, a point, and the gradient of the sum of its results there.
KINKS = {
    "median of equal elements": (lambda x: np.median(x), [1.0, 2.0, 2.0, 2.0, 3.0], [0, 1 / 3, 1 / 3, 1 / 3, 0]),
    "median of all equal": (lambda x: np.median(x), [2.0, 2.0], [0.5, 0.5]),
    "median with NaN": (lambda x: np.median(x, axis=1), [[1.0, N, 2.0], [1.0, 3.0, 2.0]], [[0, 0, 0], [0, 0, 1]]),
    "quantile of ties": (lambda x: np.quantile(x, 0.25), [1.0, 1.0, 3.0], [0.5, 0.5, 0.0]),
    "quantile 0 is min": (lambda x: np.quantile(x, 0.0), [1.0, 1.0, 3.0], [0.5, 0.5, 0.0]),
    "quantile 1 is max": (lambda x: np.percentile(x, 100), [1.0, 3.0, 3.0], [0.0, 0.5, 0.5]),
    "nanmedian of a row of NaN": (lambda x: np.nanmedian(x, axis=1), [[N, N], [1.0, 3.0]], [[0, 0], [0.5, 0.5]]),
    "nanquantile": (lambda x: np.nanquantile(x, 0.5, axis=1), [[N, 2.0], [1.0, 3.0]], [[0, 1], [0.5, 0.5]]),
    "nanmax of ties": (lambda x: np.nanmax(x), [2.0, N, 2.0, 1.0], [0.5, 0, 0.5, 0]),
    "nanmax of a row of NaN": (lambda x: np.nanmax(x, axis=1), [[N, N], [1.0, 3.0]], [[0, 0], [0, 1]]),
    "nanmin": (lambda x: np.nanmin(x), [2.0, N, -INF], [0, 0, 1]),
    "nanmax of infinities": (lambda x: np.nanmax(x), [N, -INF, N], [0, 1, 0]),
    "nansum": (lambda x: np.nansum(x * x), [2.0, N, 3.0], [4.0, 0, 6.0]),
    "nansum of nothing": (lambda x: np.nansum(x), [N, N], [0, 0]),
    "nanprod with a zero": (lambda x: np.nanprod(x), [2.0, N, 0.0, 3.0], [0, 0, 6.0, 0]),
    "nanmean": (lambda x: np.nanmean(x), [2.0, N, 4.0], [0.5, 0, 0.5]),
    "nanmean of a row of NaN": (lambda x: np.nanmean(x, axis=1), [[N, N], [1.0, 3.0]], [[0, 0], [0.5, 0.5]]),
    "nanstd of equal numbers": (lambda x: np.nanstd(x), [2.0, N, 2.0], [0, 0, 0]),
    "nanstd of one number": (lambda x: np.nanstd(x, axis=1), [[N, 2.0]], [[0, 0]]),
    "nanvar without freedom": (lambda x: np.nanvar(x, axis=1, ddof=1), [[N, 2.0], [1.0, 3.0]], [[0, 0], [-2.0, 2.0]]),
    "nancumsum": (lambda x: np.nancumsum(x), [2.0, N, 4.0], [3.0, 0, 1.0]),
    "nancumprod with a zero": (lambda x: np.nancumprod(x), [2.0, N, 0.0], [2.0, 0, 2.0]),
    "std of constants": (lambda x: np.std(x), [2.0, 2.0], [0, 0]),
    "nan_to_num": (lambda x: np.nan_to_num(x), [N, INF, -INF, 2.0], [0, 0, 0, 1]),
    "sinc at integers": (lambda x: np.sinc(x), [0.0, 1.0, -2.0], [0, -1.0, -0.5]),
    "i0 at 0": (lambda x: np.i0(x), [0.0], [0.0]),
    "heaviside at 0": (lambda x: np.heaviside(0.0, x) + np.heaviside(x - x, 2.0), [3.0], [1.0]),
    "interp at points": (lambda x: np.interp(x, [0, 1, 2], [0, 1, 5]), [0.0, 1.0, 2.0, 2.5, -0.5], [1, 4, 4, 0, 0]),
    "interp of equal points": (lambda x: np.interp(x, [0, 1, 1, 2], [0, 1, 5, 6]), [0.5, 1.5], [1, 1]),
    "interp of NaN": (lambda x: np.interp(x, [0, 1], [0, 3]), [N, 0.5], [0, 3]),
    "unwrap of half a period": (lambda x: np.unwrap(x, period=2), [0.0, 1.0, -0.5], [1, 1, 1]),
    "gradient of NaN elsewhere": (lambda x: np.where([0, 1, 1], np.gradient(x), 0.0)[2], [N, 1.0, 2.0], [0, -1, 1]),
    "roots at 0": (lambda x: np.roots(x).real, [1.0, -3.0, 0.0], [-3.0, -1.0, 0.0]),
    "polymul with a leading zero": (lambda x: np.polymul(x, [1.0, 2.0]), [0.0, 1.0], [2.0, 3.0]),
    "pad maximum of ties": (lambda x: np.pad(x, (1, 0), "maximum"), [2.0, 2.0], [1.5, 1.5]),
    "linspace without distance": (lambda x: np.linspace(x[0], x[1], 3), [1.0, 1.0], [1.5, 1.5]),
    "ptp of ties": (lambda x: np.ptp(x), [1.0, 1.0, 2.0], [-0.5, -0.5, 1.0]),
    "unique of equal elements": (lambda x: np.unique(x), [2.0, 1.0, 2.0], [1, 1, 0]),
    "sign of a complex zero": (lambda x: np.sign(x + 0j).real, [0.0, 2.0], [0, 0]),
    "histogram of equal data": (lambda x: np.histogram(x, 2)[1], [1.0, 1.0], [1.5, 1.5]),
    "average of zero": (lambda x: np.average(x, weights=[0.0, 1.0]), [N, 2.0], None),
    "cov of constants": (lambda x: np.cov(x), [2.0, 2.0], [0, 0]),
    "max initial ties": (lambda x: np.max(x, initial=2.0), [2.0, 1.0], [1.0, 0.0]),
    "logaddexp.reduce of -inf": (lambda x: np.logaddexp.reduce(x), [-INF, 1.0], [0, 1.0]),
}


@pytest.mark.parametrize("name", KINKS)
def test_kinks(name):
    f, x, expected = KINKS[name]
    x, total = np.array(x), lambda x: np.sum(f(x))
    np.testing.assert_allclose(dt.pullback(f, x)[0], f(x.copy()), rtol=1e-15)
    if expected is None:
        return
    expected = np.array(expected, dtype=float)
    close(dt.gradient(total, x), expected, 1e-14)
    close(dt.jacobian(total, x, mode="forward"), expected, 1e-14)
    close(dt.pushforward(lambda y: dt.gradient(total, y), x, np.ones_like(x))[0], expected, 1e-14)
    assert np.all(np.isfinite(dt.hvp(total, x, np.ones_like(x))))
