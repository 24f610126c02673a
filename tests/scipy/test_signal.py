"""dualtape.scipy.signal against differences of SciPy."""

import itertools

import numpy as np
import pytest
import scipy.signal

import dualtape as dt
from arrays.differences import agree
from arrays.random_programs import weights
from dualtape.scipy import signal

SIZES = [((5,), (3,)), ((3,), (5,)), ((4,), (4,)), ((3, 4), (2, 2)), ((2, 2), (3, 4)), ((1,), (4,))]


def agree_with_scipy(f, x, **options):
    agree(
        lambda x: f(x, signal), x, plain=lambda x: f(x, scipy.signal), reference=lambda x: f(x, scipy.signal), **options
    )


def parts(x, *shapes):
    """A vector cut into arrays."""
    ends = np.cumsum([np.prod(s, dtype=int) for s in shapes])
    return [x[e - np.prod(s, dtype=int) : e].reshape(s) for e, s in zip(ends, shapes, strict=True)]


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("name", ["convolve", "correlate", "fftconvolve"])
def test_convolutions(name, mode):
    for sizes in SIZES:
        f = lambda x, m, sizes=sizes: getattr(m, name)(*parts(x, *sizes), mode)
        n = sum(np.prod(s) for s in sizes)
        agree_with_scipy(f, weights((n,), 0.3), order=3)
        agree_with_scipy(f, weights((n,), 0.3) + 1j * weights((n,), 2), order=1)
        fixed = 1j * weights(sizes[1], 4)
        agree_with_scipy(lambda x, m, s=sizes, f=fixed: getattr(m, name)(x.reshape(s[0]), f, mode),
                         weights((np.prod(sizes[0]),)), order=1)  # fmt: skip


def test_methods_and_axes():
    for method in ("direct", "fft", "auto"):
        agree_with_scipy(lambda x, m, method=method: m.convolve(x[:5], x[5:], "same", method), weights((8,)), order=2)
        agree_with_scipy(lambda x, m, method=method: m.correlate(x[:5], x[5:], "full", method), weights((8,)), order=2)
    for mode, axes in itertools.product(["full", "same", "valid"], [0, 1, (0,), (-1,), [0, 1]]):
        f = lambda x, m, mode=mode, axes=axes: m.fftconvolve(
            x[:, :4], x[:, 4:8] if axes != 1 else x[:, 4:6], mode, axes
        )
        agree_with_scipy(f, weights((3, 8)), order=2)
    f = lambda x, m: m.fftconvolve(x[:, :4], x[:1, 4:6], "full", axes=1)  # broadcast along the other axis
    agree_with_scipy(f, weights((3, 8)), order=2)


FILTERS = {
    "both": lambda x, m: m.lfilter(x[:3], x[3:6] + [2.0, 0.0, 0.0], x[6:]),
    "moving average": lambda x, m: m.lfilter(x[:3], 2.0, x[6:]),
    "traced number": lambda x, m: m.lfilter(x[0], x[1] + 2.0, x[6:]),
    "recursive": lambda x, m: m.lfilter([1.0], x[3:6] + [2.0, 0.0, 0.0], x[6:]),
    "plain signal": lambda x, m: m.lfilter(x[:2], x[2:6] + [2.0, 0.0, 0.0, 0.0], weights((7,), 3)),
    "plain filter": lambda x, m: m.lfilter([0.5, 0.2], [1.0, -0.3], x),
    "rows": lambda x, m: m.lfilter(x[:2], x[2:4] + [2.0, 0.0], x[4:].reshape(2, 4)),
    "columns": lambda x, m: m.lfilter(x[:2], x[2:4] + [2.0, 0.0], x[4:].reshape(4, 2), axis=0),
    "more taps than numbers": lambda x, m: m.lfilter(x[:6], [1.0, 0.5], x[9:]),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters(name):
    agree_with_scipy(FILTERS[name], weights((12,), 0.3), order=3)
    agree_with_scipy(FILTERS[name], weights((12,), 0.3) + 0.3j * weights((12,), 3), order=2)


STATES = {
    "both": lambda x, m: m.lfilter(x[:3], x[3:6] + [2.0, 0.0, 0.0], x[6:], zi=x[1:3]),
    "state": lambda x, m: m.lfilter([0.5, 0.2], [1.0, -0.3, 0.1], weights((5,), 3), zi=x[:2]),
    "moving average": lambda x, m: m.lfilter(x[:3], 2.0, x[6:], zi=x[:2]),
    "recursive": lambda x, m: m.lfilter([1.0], x[3:6] + [2.0, 0.0, 0.0], x[6:], zi=x[:2]),
    "rows": lambda x, m: m.lfilter(x[:2], x[2:4] + [2.0, 0.0], x[4:].reshape(2, 4), zi=x[:2].reshape(2, 1)),
    "columns": lambda x, m: m.lfilter(x[:2], [2.0], x[4:].reshape(4, 2), axis=0, zi=x[None, :2]),
    "a broadcast state": lambda x, m: m.lfilter(
        x[:2], x[2:4] + [2.0, 0.0], x[4:].reshape(2, 4), zi=x[:1].reshape(1, 1)
    ),
    "shorter than the state": lambda x, m: m.lfilter(x[:5], [1.0, 0.5], x[10:], zi=x[:4]),
    "a plain state": lambda x, m: m.lfilter(x[:2], [1.0, 0.5], x, zi=np.ones(1)),
    "without a state": lambda x, m: m.lfilter(x[:1], [2.0], x, zi=np.ones(0)),
    "in two parts": lambda x, m: _in_parts(x, m),
}


def _in_parts(x, m):
    b, a = x[:3], x[3:6] + [2.0, 0.0, 0.0]
    first, state = m.lfilter(b, a, x[:5], zi=np.zeros(2))
    return first, m.lfilter(b, a, x[5:], zi=state)[0]


@pytest.mark.parametrize("name", STATES)
def test_filters_with_a_state(name):
    agree_with_scipy(STATES[name], weights((12,), 0.3), order=3)
    agree_with_scipy(STATES[name], weights((12,), 0.3) + 0.3j * weights((12,), 3), order=2)


def test_nothing():
    f = lambda x: signal.fftconvolve(x, x[:0])
    assert np.shape(dt.pullback(f, np.ones(3))[0]) == (0,)
    assert np.all(dt.gradient(lambda x: np.sum(f(x)), np.ones(3)) == 0)
    for g in (signal.convolve, signal.correlate):
        with pytest.raises(ValueError, match="empty"):
            dt.gradient(lambda x, g=g: np.sum(g(x, x[:0])), np.ones(3))


def test_numbers():
    for name in ("convolve", "correlate", "fftconvolve"):
        assert dt.gradient(lambda x, name=name: np.sum(getattr(signal, name)(x, x)), 3.0) == 6.0


ERRORS = {
    "other dimensions": (lambda x: signal.convolve(x, x[None]), ValueError),
    "an unknown mode": (lambda x: signal.convolve(x, x, "other"), ValueError),
    "valid of neither": (lambda x: signal.convolve(x.reshape(2, 3), x.reshape(3, 2), "valid"), ValueError),
    "axes that are not there": (lambda x: signal.fftconvolve(x, x, axes=3), (ValueError, np.exceptions.AxisError)),
    "a filter without a first coefficient": (lambda x: signal.lfilter(x, [0.0, 1.0], x), ValueError),
    "a state of another length": (lambda x: signal.lfilter(x, [1.0], x, zi=np.zeros(4))[0], ValueError),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    f, error = ERRORS[name]
    for differentiate in (dt.gradient, lambda f, x: dt.hvp(f, x, x)):
        with pytest.raises(error):
            differentiate(lambda x: np.sum(f(x)), weights((6,)))
