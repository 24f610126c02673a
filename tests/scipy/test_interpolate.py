"""dualtape.scipy.interpolate against differences of SciPy."""

import numpy as np
import pytest
import scipy.interpolate

import dualtape as dt
from arrays.differences import agree
from arrays.random_programs import weights
from dualtape.errors import NoRuleError
from dualtape.scipy import interpolate

KNOTS = np.array([0.0, 0.7, 1.1, 2.0, 2.6, 3.5])
Y = weights((6,), 0.3)
POINTS = np.array([-0.4, 0.2, 0.9, 1.5, 2.2, 3.1, 4.0])


def agree_with_scipy(f, x, **options):
    agree(
        lambda x: f(x, interpolate), x, plain=lambda x: f(x, scipy.interpolate),
        reference=lambda x: f(x, scipy.interpolate), exact=False, **options,
    )  # fmt: skip
    np.testing.assert_array_equal(f(x, interpolate), f(x, scipy.interpolate))


MADE = {
    "linear": lambda m, x, y: m.interp1d(x, y, fill_value="extrapolate"),
    "pchip": lambda m, x, y: m.PchipInterpolator(x, y),
    "spline": lambda m, x, y: m.CubicSpline(x, y),
    "natural": lambda m, x, y: m.CubicSpline(x, y, bc_type="natural"),
    "clamped": lambda m, x, y: m.CubicSpline(x, y, bc_type="clamped"),
    "given": lambda m, x, y: m.CubicSpline(x, y, bc_type=((1, 0.5), (2, -0.3))),
    "mixed": lambda m, x, y: m.CubicSpline(x, y, bc_type=("not-a-knot", (1, 0.2))),
    "mixed the other way": lambda m, x, y: m.CubicSpline(x, y, bc_type=((2, 0.1), "not-a-knot")),
    "traced ends": lambda m, x, y: m.CubicSpline(x, y, bc_type=((1, y[0] * 0.5), (2, x[1]))),
}


@pytest.mark.parametrize("name", MADE)
def test_points_values_and_knots(name):
    make = MADE[name]
    agree_with_scipy(lambda x, m: make(m, KNOTS, Y)(x), POINTS, order=3)
    agree_with_scipy(lambda y, m: make(m, KNOTS, y)(POINTS), Y, order=2)
    agree_with_scipy(lambda x, m: make(m, x, Y)(POINTS), KNOTS, order=2)
    agree_with_scipy(lambda x, m: make(m, KNOTS + x[0], Y * x[1])(POINTS * x[2]), np.array([0.1, 0.9, 1.1]), order=3)
    agree_with_scipy(lambda x, m: make(m, KNOTS, Y)(x[0]), np.array([1.3]), order=2)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("name", MADE)
def test_few_points(name, count):
    make, points = MADE[name], np.array([-0.1, 0.3, 0.9])
    agree_with_scipy(lambda y, m: make(m, KNOTS[:count], y)(points), Y[:count], order=2)
    agree_with_scipy(lambda x, m: make(m, x, Y[:count])(points), KNOTS[:count], order=2)


@pytest.mark.parametrize("count", [3, 4, 6])
def test_periodic(count):
    def f(x, m):
        y = np.concatenate([x[:-1], x[:1]])
        return m.CubicSpline(KNOTS[:count], y, bc_type="periodic")(POINTS)

    agree_with_scipy(f, Y[:count], order=2)
    y = np.concatenate([Y[: count - 1], Y[:1]])
    agree_with_scipy(lambda x, m: m.CubicSpline(KNOTS[:count], y, bc_type="periodic")(x), POINTS + 0.033, order=2)
    g = lambda x, m: m.CubicSpline(x, y, bc_type="periodic")(np.array([0.2, 0.5, 4.3]))
    agree_with_scipy(g, KNOTS[:count], order=2)


def test_axes_and_derivatives():
    table = weights((2, 6, 2), 0.4)
    for make in (
        lambda m, y: m.CubicSpline(KNOTS, y, axis=1),
        lambda m, y: m.PchipInterpolator(KNOTS, y, axis=1),
        lambda m, y: m.interp1d(KNOTS, y, axis=1, fill_value="extrapolate"),
    ):
        agree_with_scipy(lambda y, m, make=make: make(m, y)(POINTS), table, order=2)
        agree_with_scipy(lambda x, m, make=make: make(m, table)(x.reshape(1, 7)), POINTS, order=2)
        agree_with_scipy(lambda y, m, make=make: make(m, y)(1.3), table, order=1)
    for nu in (0, 1, 2, 3, 4):
        agree_with_scipy(lambda y, m, nu=nu: m.CubicSpline(KNOTS, y)(POINTS, nu), Y, order=2)
        agree_with_scipy(lambda x, m, nu=nu: m.CubicSpline(KNOTS, Y)(x, nu), POINTS, order=2)
        agree_with_scipy(lambda y, m, nu=nu: m.CubicSpline(KNOTS, y).derivative(max(nu, 1))(POINTS), Y, order=1)
        agree_with_scipy(lambda x, m, nu=nu: m.PchipInterpolator(KNOTS, Y)(x, nu), POINTS, order=1, rtol=1e-7)


def test_flat_and_turning_data_of_pchip():
    for y in ([0.0, 0.0, 1.0, 1.0, 2.0, 0.0], [0.0, 2.0, 1.0, 3.0, 3.5, -9.0], [0.0, 0.1, 5.0, 5.1, 5.15, 1.0]):
        y = np.array(y)
        f = lambda x, m, y=y: m.PchipInterpolator(KNOTS, y)(x)
        agree_with_scipy(f, POINTS, order=2)
        g = lambda y: interpolate.PchipInterpolator(KNOTS, y)(POINTS)
        assert np.all(np.isfinite(dt.jacobian(g, y)))


def test_outside():
    for make in (
        lambda m, y: m.CubicSpline(KNOTS, y, extrapolate=False),
        lambda m, y: m.PchipInterpolator(KNOTS, y, 0, False),
    ):
        found, plain = (
            dt.pullback(lambda y, make=make: make(interpolate, y)(POINTS), Y)[0],
            make(scipy.interpolate, Y)(POINTS),
        )
        np.testing.assert_allclose(found, plain, rtol=1e-13)
        agree_with_scipy(lambda y, m, make=make: make(m, y)(POINTS[1:-1]), Y, order=1)
    agree_with_scipy(lambda y, m: m.interp1d(KNOTS, y, bounds_error=False, fill_value=(0.5, -1.0))(POINTS), Y, order=1)
    f = lambda y: interpolate.interp1d(KNOTS, Y, bounds_error=False, fill_value=(y[0] * y[1], y[2]))(POINTS)
    gradient = dt.gradient(lambda y: np.sum(f(y)), Y)
    np.testing.assert_allclose(gradient[:3], [Y[1], Y[0], 1.0])
    with pytest.raises(ValueError, match="interpolation range"):
        dt.gradient(lambda y: np.sum(interpolate.interp1d(KNOTS, y)(POINTS)), Y)


ERRORS = {
    "knots out of order": (lambda y: interpolate.CubicSpline(KNOTS[::-1], y), ValueError),
    "other lengths": (lambda y: interpolate.CubicSpline(KNOTS[:3], y), ValueError),
    "an unknown condition": (lambda y: interpolate.CubicSpline(KNOTS, y, bc_type="other"), ValueError),
    "no period": (lambda y: interpolate.CubicSpline(KNOTS, y, bc_type="periodic"), ValueError),
    "an unknown kind": (lambda y: interpolate.interp1d(KNOTS, y, kind="other"), NotImplementedError),
    "too few points": (lambda y: interpolate.interp1d(KNOTS[:3], y[:3], kind="cubic"), ValueError),
    "positions of a parabolic spline": (lambda y: interpolate.interp1d(KNOTS + y, Y, kind="quadratic"), NoRuleError),
    "an integral of periods": (lambda y: _periodic(y).integrate(0, 1), NoRuleError),
    "roots": (lambda y: interpolate.CubicSpline(KNOTS, y).roots(), NoRuleError),
}


def _periodic(y):
    return interpolate.CubicSpline(KNOTS, np.concatenate([y[:5], y[:1]]), bc_type="periodic")


KINDS = ["linear", "nearest", "nearest-up", "zero", "slinear", "quadratic", "cubic", "previous", "next", 0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_kinds_of_interp1d(kind):
    table, inside = weights((2, 6), 0.4), POINTS[1:-1] + 0.013  # between the knots of all kinds
    make = lambda m, x, y, **options: m.interp1d(x, y, kind=kind, **options)
    agree_with_scipy(lambda y, m: make(m, KNOTS, y)(inside), Y, order=2)
    agree_with_scipy(lambda x, m: make(m, KNOTS, Y)(x), inside, order=2)
    agree_with_scipy(lambda x, m: make(m, KNOTS, Y * x[0])(x), inside, order=2)
    agree_with_scipy(lambda y, m: make(m, KNOTS[::-1], y)(inside), Y, order=1)
    known = POINTS[{"previous": slice(1, None), "next": slice(-1)}.get(kind, slice(None))]  # NaN on the other side
    agree_with_scipy(lambda y, m: make(m, KNOTS, y, fill_value="extrapolate")(known), table, order=1)
    agree_with_scipy(lambda y, m: make(m, KNOTS, y, axis=0)(inside[None]), table.T, order=1)
    options = {"bounds_error": False, "fill_value": (0.5, -1.0)}
    agree_with_scipy(lambda y, m: make(m, KNOTS, y, **options)(POINTS), Y, order=1)
    agree_with_scipy(lambda y, m: make(m, KNOTS, y)(1.3), Y, order=1)
    agree_with_scipy(lambda y, m: make(m, KNOTS, y)(KNOTS), Y, order=1)
    if kind not in ("quadratic", 2, 4):
        agree_with_scipy(lambda x, m: make(m, x, Y)(inside), KNOTS, order=2)


def test_integrals():
    for make in (
        lambda m, y: m.CubicSpline(KNOTS, y),
        lambda m, y: m.PchipInterpolator(KNOTS, y),
        lambda m, y: m.CubicHermiteSpline(KNOTS, y, y * y),
    ):
        agree_with_scipy(lambda y, m, make=make: make(m, y).integrate(0.3, 2.7), Y, order=2)
        agree_with_scipy(lambda y, m, make=make: make(m, y).antiderivative()(POINTS), Y, order=2)
        agree_with_scipy(lambda y, m, make=make: make(m, y).antiderivative(2)(POINTS), Y, order=1)
        agree_with_scipy(lambda x, m, make=make: make(m, Y).integrate(x[0], x[1]), np.array([0.3, 2.7]), order=2)
        agree_with_scipy(lambda x, m, make=make: make(m, Y).antiderivative()(x), POINTS, order=2)
    agree_with_scipy(lambda x, m: m.CubicSpline(x, Y).integrate(0.3, 2.7), KNOTS, order=2)
    agree_with_scipy(lambda y, m: m.CubicHermiteSpline(KNOTS, y, y[:, ::-1], axis=1)(POINTS), weights((2, 6)), order=2)


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    f, error = ERRORS[name]
    with pytest.raises(error):
        dt.gradient(lambda y: f(y) and 0.0, Y)
