"""Sine and cosine of runs of doubles, against results of 300 bits and against NumPy's."""

import mpmath
import numpy as np
import pytest

import dualtape as dt

LENGTHS = (1, 3, 7, 8, 9, 15, 16, 31, 64, 100, 255, 256, 257, 1000)


def value_and_slope(function, x):
    """A function recorded at x, and its slope from the sweep."""
    values = []

    def total(x):
        y = function(x)
        values.append(dt.stop_gradient(y))
        return y.sum()

    slope = dt.gradient(total, x)
    return values[0], slope


def ulps(got, exact):
    """The largest distance, in units in the last place."""
    return max(
        float(abs(mpmath.mpf(float(g)) - e) / mpmath.mpf(float(np.spacing(abs(float(e))))))
        for g, e in zip(got, exact, strict=True)
    )


def hard_points():
    """Doubles next to multiples of pi/2, where most digits cancel, and points of all sizes."""
    rng = np.random.default_rng(5)
    with mpmath.workprec(300):
        near = np.array([float(k * mpmath.pi / 2) for k in rng.integers(1, 63600, 200)])
    near = np.concatenate([near, np.nextafter(near, 0.0), np.nextafter(near, 1e9)])
    sizes = 10.0 ** rng.uniform(-99, 5, 400)
    return np.concatenate([near, -near, sizes, -sizes, np.pi / 4 * np.arange(-20, 21)])


def test_accuracy():
    """Within a unit in the last place of the exact values, also where NumPy's loops are not called."""
    x = hard_points()
    with mpmath.workprec(300):
        sines = [mpmath.sin(mpmath.mpf(float(v))) for v in x]
        cosines = [mpmath.cos(mpmath.mpf(float(v))) for v in x]
        for start in range(0, len(x), 200):
            part = slice(start, start + 200)
            s, c = value_and_slope(np.sin, x[part])
            c2, minus_s = value_and_slope(dt.cos, x[part])
            assert ulps(s, sines[part]) < 1
            assert ulps(c, cosines[part]) < 1
            assert ulps(c2, cosines[part]) < 1
            assert ulps(-minus_s, sines[part]) < 1


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("step", [1, 2, -1])
def test_lengths_and_steps(n, step):
    x = np.random.default_rng(n).uniform(-30.0, 30.0, (3 * n,))[::step][:n]
    for function, of_numpy, slope in ((dt.sin, np.sin, np.cos(x)), (dt.cos, np.cos, -np.sin(x))):
        value, got = value_and_slope(function, x)
        np.testing.assert_array_max_ulp(value, of_numpy(x), 1)
        np.testing.assert_array_max_ulp(got, slope, 1)


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan, 1e5, 1.1e5, 1e22, -1.7e308, 1e-101, -5e-324, 0.0, -0.0])
def test_odd_numbers(odd):
    """One number that is huge, tiny or not finite sends all of them to NumPy's loop; zeros keep their sign."""
    x = np.linspace(-3.0, 3.0, 20)
    x[7] = odd
    with np.errstate(invalid="ignore"):
        value, slope = value_and_slope(dt.sin, x)
        assert (np.signbit(value) == np.signbit(np.sin(x))).all()
        np.testing.assert_array_max_ulp(value, np.sin(x), 1)
        np.testing.assert_array_max_ulp(slope, np.cos(x), 1)


def test_warnings_are_numpys():
    x = np.linspace(-3.0, 3.0, 20)
    with np.errstate(all="raise"):
        dt.gradient(lambda x: np.sin(x).sum(), x)
        dt.gradient(lambda x: np.cos(x * 1e-150).sum(), x)
    x[3] = np.inf
    with pytest.warns(RuntimeWarning, match="invalid value encountered in sin"):
        dt.gradient(lambda x: np.sin(x).sum(), x)


def test_in_place():
    """The result may overwrite the operand."""
    x = np.linspace(-3.0, 3.0, 40)

    def f(x):
        y = x * 1.0
        np.sin(y, out=y)
        np.cos(y[:20], out=y[20:])
        return (y * np.arange(40.0)).sum()

    y = np.sin(x)
    weights = np.arange(40.0)
    expected = np.cos(x) * np.where(weights < 20, weights, 0.0)
    expected[:20] -= np.sin(y[:20]) * weights[20:] * np.cos(x[:20])
    np.testing.assert_allclose(dt.gradient(f, x), expected, rtol=1e-14, atol=1e-15)
