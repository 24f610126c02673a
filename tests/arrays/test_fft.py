"""numpy.fft in every mode: lengths cut and padded, axes, norms, half spectra of odd and even length."""

import itertools

import numpy as np
import pytest

import dualtape as dt
from arrays.differences import agree, real_total
from arrays.random_programs import close, weights

ft = np.fft
NORMS = (None, "backward", "ortho", "forward")
ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
REAL_INPUT = ("rfft", "ihfft", "rfft2", "rfftn")


def signals(shape, name):
    """Real and complex points."""
    x = weights(shape, 0.3) + 0.1 * weights(shape, 2) ** 2
    return (x,) if name in REAL_INPUT else (x, x + 0.4j * weights(shape, 2))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ONE_AXIS)
def test_one_axis(name, norm):
    f = getattr(ft, name)
    for shape, n, axis in itertools.product([(6,), (5,), (2, 4, 3)], (None, 4, 7), (-1, 0)):
        for x in signals(shape, name):
            agree(lambda x, n=n, axis=axis: f(x, n, axis, norm), x, order=1)


@pytest.mark.parametrize("name", ONE_AXIS)
def test_higher_orders(name):
    f = getattr(ft, name)
    for x in signals((2, 5), name):
        agree(lambda x: f(x, axis=1), x, order=3)
        agree(lambda x: f(f(x).real) if name in ("irfft", "hfft") else f(np.abs(f(x)) ** 2), x, order=3)


SEVERAL = {
    "defaults": {},
    "shape": {"s": (3, 4), "axes": (-2, -1)},
    "shape and axes": {"s": (3, 4), "axes": (1, 0)},
    "whole lengths": {"s": (-1, 3), "axes": (0, 1)},
    "axes": {"axes": (0, 2), "norm": "ortho"},
    "axes the other way": {"axes": (2, 0), "norm": "forward"},
    "one axis twice": {"axes": (1, 1)},
}


@pytest.mark.parametrize("options", SEVERAL)
@pytest.mark.parametrize("name", [a + b for a in ("fft", "ifft", "rfft", "irfft") for b in "n2"])
def test_several_axes(name, options):
    f = getattr(ft, name)
    with np.errstate(all="ignore"):
        for x in signals((2, 3, 4), name):
            agree(lambda x: f(x, **SEVERAL[options]), x, order=1)


@pytest.mark.parametrize("name", ["fftn", "irfftn", "rfftn"])
def test_all_axes(name):
    for x in signals((2, 3, 2), name):
        agree(getattr(ft, name), x, order=2)


@pytest.mark.parametrize("f", [ft.fftshift, ft.ifftshift])
def test_shifts(f):
    for x in signals((2, 5), ""):
        for axes in (None, 1, (0, 1)):
            agree(lambda x, axes=axes: f(x, axes) * x, x, order=2)


@pytest.mark.parametrize("name", ONE_AXIS)
def test_float32_and_layouts(name):
    f = getattr(ft, name)
    x = signals((4, 6), name)[-1]
    single = x.astype(np.complex64 if np.iscomplexobj(x) else np.float32)
    scalar = real_total(f)
    expected = dt.gradient(scalar, x)
    found = dt.gradient(scalar, single)
    assert found.dtype == single.dtype
    assert np.asarray(dt.pullback(f, single)[0]).dtype == f(single).dtype
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    for layout in (np.asfortranarray, lambda x: x[::-1].copy()[::-1], lambda x: np.repeat(x, 2, axis=1)[:, ::2]):
        close(dt.gradient(scalar, layout(x)), expected, 1e-13)


def test_out():
    x = signals((5,), "fft")[0]

    def f(x):
        out = dt.zeros(5, complex)
        assert ft.fft(x, out=out) is out
        return out

    agree(f, x, order=2, plain=ft.fft, reference=ft.fft)
    with pytest.raises(dt.ConversionError):
        dt.gradient(lambda x: np.sum(ft.fft(x, out=np.zeros(5, complex)).real), x)


ERRORS = {
    "no points": (lambda x: ft.fft(x, n=0), ValueError),
    "an unknown norm": (lambda x: ft.fft(x, norm="other"), ValueError),
    "an unknown norm of irfft": (lambda x: ft.irfft(x, norm="other"), ValueError),
    "an axis that is not there": (lambda x: ft.fft(x, axis=3), (np.exceptions.AxisError, IndexError)),
    "no points of irfft": (lambda x: ft.irfft(x[:1]), ValueError),
    "shape and axes": (lambda x: ft.fftn(x, s=(2,), axes=(0, 1)), ValueError),
    "a complex signal": (lambda x: ft.rfft(x * 1j), TypeError),
    "nothing": (lambda x: ft.fft(x[:0]), ValueError),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_those_of_numpy(name):
    f, error = ERRORS[name]
    x = weights((5,))
    with pytest.raises(error):
        f(x.copy())
    for differentiate in (dt.gradient, lambda f, x: dt.pushforward(f, x, x), lambda f, x: dt.hvp(f, x, x)):
        with pytest.raises(error):
            differentiate(f, x)
