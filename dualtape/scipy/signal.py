"""`scipy.signal`: convolutions, correlation and linear filters."""

import numpy as np
import scipy.signal

from dualtape.arrays.apply import apply, unbroadcast, with_value
from dualtape.arrays.products import _real_like
from dualtape.arrays.reductions import as_array
from dualtape.core.array import Array
from dualtape.core.values import plain_of
from dualtape.scipy.dispatch import instead_of

__all__ = ["convolve", "correlate", "fftconvolve", "lfilter"]


def __getattr__(name):
    return getattr(scipy.signal, name)


def _mirrored(x, axes):
    x = np.flip(x, axes)
    return np.conjugate(x) if x.dtype.kind == "c" else x


def _bilinear(plain, a, b, mode, axes):
    """A convolution that `plain` computes. The adjoint of each factor is a convolution with the other, mirrored."""

    def value(a, b):
        if isinstance(a, Array) or isinstance(b, Array):
            return _bilinear(plain, a, b, mode, axes)
        return np.asarray(plain(a, b, mode))

    def full(bar):
        """The adjoint of the whole convolution, of which the result is a part."""
        n, m = [a.shape[k] for k in axes], [b.shape[k] for k in axes]
        for k, i, j in zip(axes, n, m, strict=True):
            whole, part = i + j - 1, bar.shape[k]
            # "same" is centred, and of the length of a; "valid" leaves out what the shorter one does not cover
            before = 0 if part == whole and mode == "full" else (whole - part) // 2 if mode == "same" else min(i, j) - 1
            sizes = before, whole - part - before
            pads = [np.zeros((*bar.shape[:k], s, *bar.shape[k + 1 :]), bar.dtype) for s in sizes]
            bar = np.concatenate([pads[0], bar, pads[1]], axis=k)
        return bar

    def vjp(k, bar, out, a, b):
        other, own = (b, a) if k == 0 else (a, b)
        return _real_like(unbroadcast(_bilinear_valid(plain, full(bar), _mirrored(other, axes), axes), own.shape), own)

    def jvp(k, t, out, a, b):
        return value(t, b) if k == 0 else value(a, t)

    return apply(value, (a, b), jvp, vjp, reads=("args",))


def _bilinear_valid(plain, a, b, axes):
    return _bilinear(plain, as_array(a), as_array(b), "valid", axes)


def _shaped(a, b, function, mode):
    """The operands as arrays; errors are SciPy's."""
    a, b = as_array(a), as_array(b)
    if a.ndim != b.ndim or mode not in ("full", "same", "valid"):
        function(plain_of(a), plain_of(b), mode)
    return a, b


@instead_of(scipy.signal.convolve)
def convolve(in1, in2, mode="full", method="auto"):
    """`scipy.signal.convolve`."""
    a, b = _shaped(in1, in2, scipy.signal.convolve, mode)
    if not (a.size and b.size):
        return scipy.signal.convolve(plain_of(a), plain_of(b), mode)
    if a.ndim == 0:
        return a * b
    scipy.signal.convolve(np.empty(a.shape), np.empty(b.shape), mode, "direct") if mode == "valid" else None
    return _bilinear(lambda a, b, mode: scipy.signal.convolve(a, b, mode, method), a, b, mode, tuple(range(a.ndim)))


@instead_of(scipy.signal.correlate)
def correlate(in1, in2, mode="full", method="auto"):
    """`scipy.signal.correlate`: a convolution with the second signal mirrored."""
    a, b = _shaped(in1, in2, scipy.signal.correlate, mode)
    if not (a.size and b.size):
        return scipy.signal.correlate(plain_of(a), plain_of(b), mode)
    if a.ndim == 0:
        return a * np.conjugate(b)
    axes = tuple(range(a.ndim))
    return convolve(a, _mirrored(b, axes), mode, method)


@instead_of(scipy.signal.fftconvolve)
def fftconvolve(in1, in2, mode="full", axes=None):
    """`scipy.signal.fftconvolve`."""
    a, b = _shaped(in1, in2, scipy.signal.fftconvolve, mode)
    if not (a.size and b.size):
        return scipy.signal.fftconvolve(plain_of(a), plain_of(b), mode)
    if a.ndim == 0:
        return a * b
    scipy.signal.fftconvolve(np.zeros(a.shape), np.zeros(b.shape), mode, axes)  # raises SciPy's errors
    places = range(a.ndim) if axes is None else np.atleast_1d(axes)
    return _bilinear(
        lambda a, b, mode: scipy.signal.fftconvolve(a, b, mode, axes),
        a,
        b,
        mode,
        tuple(int(k) % a.ndim for k in places),
    )


@instead_of(scipy.signal.lfilter)
def lfilter(b, a, x, axis=-1, zi=None):
    """`scipy.signal.lfilter`: with A y = B x, A dy = dB x + B dx - dA y."""
    b, a, x = np.atleast_1d(as_array(b)), np.atleast_1d(as_array(a)), as_array(x)
    if zi is None:
        scipy.signal.lfilter(plain_of(b), plain_of(a), np.zeros(x.shape), axis)  # raises SciPy's errors
        return np.moveaxis(_lfilter(b, a, np.moveaxis(x, axis, -1)), -1, axis)
    zi = as_array(zi)
    values = scipy.signal.lfilter(*map(plain_of, (b, a, x)), axis, plain_of(zi))
    parts = _from_state(b, a, np.moveaxis(x, axis, -1), np.moveaxis(zi, axis, -1))
    return tuple(with_value(np.moveaxis(p, -1, axis), v) for p, v in zip(parts, values, strict=True))


def _from_state(b, a, x, zi):
    """The filtered signal and the last state: with the first state z, A y = B x + z in powers of the delay."""
    n, order = x.shape[-1], max(b.shape[0], a.shape[0]) - 1
    zi = np.broadcast_to(zi, (*x.shape[:-1], order))
    rest = np.zeros((*x.shape[:-1], max(n - order, 0)))
    y = _lfilter(b, a, x) + _lfilter(a[:1], a, np.concatenate([zi[..., :n], rest], axis=-1))
    b, a = b / a[0], a / a[0]
    last = []
    for i in range(order):  # what the product of B and x lacks of that of A and y, after the end
        terms = [zi[..., i + n]] if i + n < order else []
        for j in range(min(n, order - i)):
            if i + 1 + j < b.shape[0]:
                terms.append(b[i + 1 + j] * x[..., n - 1 - j])
            if i + 1 + j < a.shape[0]:
                terms.append(-a[i + 1 + j] * y[..., n - 1 - j])
        last.append(as_array(sum(terms[1:], terms[0])))
    return y, np.stack(last, axis=-1) if last else zi


def _lfilter(b, a, x):
    one = np.ones(1)

    def value(b, a, x):
        if any(isinstance(p, Array) for p in (b, a, x)):
            return _lfilter(b, a, x)
        return scipy.signal.lfilter(b, a, x)

    def jvp(k, t, y, b, a, x):
        if k == 2:
            return value(b, a, t)
        return value(t, a, x) if k == 0 else -value(t, a, y)

    def vjp(k, bar, y, b, a, x):
        conj = lambda p: np.conjugate(p) if p.dtype.kind == "c" else p
        back = np.flip(value(one, conj(a), np.flip(bar, -1)), -1)
        if k == 2:
            return _real_like(np.flip(value(conj(b), one, np.flip(back, -1)), -1), x)
        read, taps = (conj(x), b.shape[0]) if k == 0 else (-conj(y), a.shape[0])
        n = x.shape[-1]
        slopes = [np.sum(back[..., i:] * read[..., : max(n - i, 0)]) for i in range(taps)]
        return _real_like(np.stack([as_array(s) for s in slopes]), b if k == 0 else a)

    return apply(value, (b, a, x), jvp, vjp)
