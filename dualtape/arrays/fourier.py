"""Fourier transforms.

Each is linear. The transpose of a transform is the one in the other direction, with the factor 1/n where the first
one lacks it. Of the half spectra of real signals the frequencies that stand for two count twice.
"""

import numpy as np

from dualtape.arrays.apply import apply_linear
from dualtape.arrays.moves import looked_at
from dualtape.arrays.protocol import FUNCTIONS, register
from dualtape.arrays.reductions import as_array
from dualtape.core.array import Array

__all__ = ["fft", "hfft", "ifft", "ihfft", "irfft", "rfft"]

_SWAPPED = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _swapped(norm):
    if norm not in _SWAPPED:
        np.fft.fft(np.zeros(1), norm=norm)  # raises NumPy's error
    return _SWAPPED[norm]


def _fitted(x, n, axis):
    """Cut off, or continued by zeros, to a length along an axis."""
    have = x.shape[axis]
    if have == n:
        return x
    axis %= x.ndim
    if have > n:
        return x[(slice(None),) * axis + (slice(n),)]
    more = np.zeros((*x.shape[:axis], n - have, *x.shape[axis + 1 :]), x.dtype)
    return np.concatenate([x, more], axis=axis)


def _along(weights, axis, ndim):
    shape = [1] * ndim
    shape[axis] = len(weights)
    return np.reshape(weights, shape)


def _twice(n, factor, dtype):
    """1 for the frequencies 0 and n/2 of a half spectrum, `factor` for those that stand for two."""
    out = np.full(n // 2 + 1, factor, dtype)
    out[0] = 1.0
    if n % 2 == 0:
        out[-1] = 1.0
    return out


def _complex(forward, backward):
    def transform(a, n=None, axis=-1, norm=None, out=None):
        x = as_array(a)
        opposite = _swapped(norm)

        def transpose(bar, wanted):
            part = _fitted(backward(bar, axis=axis, norm=opposite), x.shape[axis], axis)
            return (part if x.dtype.kind == "c" else part.real,)

        return apply_linear(lambda x: forward(x, n, axis, norm), (x,), transpose)

    transform.__name__ = forward.__name__
    FUNCTIONS[forward] = transform
    return transform


fft = _complex(np.fft.fft, np.fft.ifft)
ifft = _complex(np.fft.ifft, np.fft.fft)


@register(np.fft.rfft)
def rfft(a, n=None, axis=-1, norm=None, out=None):
    """np.fft.rfft."""
    x = as_array(a)
    opposite = _swapped(norm)

    def transpose(bar, wanted):
        length = x.shape[axis] if n is None else int(n)
        weights = _along(_twice(length, 0.5, bar.real.dtype), axis, bar.ndim)
        return (_fitted(np.fft.irfft(bar * weights, length, axis, opposite), x.shape[axis], axis),)

    return apply_linear(lambda x: np.fft.rfft(x, n, axis, norm), (x,), transpose)


@register(np.fft.irfft)
def irfft(a, n=None, axis=-1, norm=None, out=None):
    """np.fft.irfft."""
    x = as_array(a)
    opposite = _swapped(norm)

    def transpose(bar, wanted):
        part = np.fft.rfft(bar, axis=axis, norm=opposite)
        part = part * _along(_twice(bar.shape[axis], 2.0, bar.dtype), axis, bar.ndim)
        part = _fitted(part, x.shape[axis], axis)
        return (part if x.dtype.kind == "c" else part.real,)

    return apply_linear(lambda x: np.fft.irfft(x, n, axis, norm), (x,), transpose)


@register(np.fft.hfft)
def hfft(a, n=None, axis=-1, norm=None, out=None):
    """np.fft.hfft."""
    return irfft(np.conjugate(as_array(a)), n, axis, _swapped(norm))


@register(np.fft.ihfft)
def ihfft(a, n=None, axis=-1, norm=None, out=None):
    """np.fft.ihfft."""
    return np.conjugate(rfft(a, n, axis, _swapped(norm)))


# --- several axes --------------------------------------------------------------------------------------------------


def _lengths(x, s, axes, half=False):
    """Lengths and axes of a transform over several axes, as NumPy takes them."""
    if s is None:
        axes = list(range(x.ndim)) if axes is None else list(axes)
        s = [x.shape[k] for k in axes]
        if half and s:
            s[-1] = 2 * (s[-1] - 1)
    else:
        s = list(s)
        axes = list(range(-len(s), 0)) if axes is None else list(axes)
        if len(s) != len(axes):
            raise ValueError("Shape and axes have different lengths.")
        last = len(s) - 1
        s = [
            n if n != -1 else 2 * (x.shape[k] - 1) if half and place == last else x.shape[k]
            for place, (n, k) in enumerate(zip(s, axes, strict=True))
        ]
    return s, axes


def _each(transform):
    def transformed(a, s=None, axes=None, norm=None, out=None):
        x = as_array(a)
        s, axes = _lengths(x, s, axes)
        for n, axis in reversed(list(zip(s, axes, strict=True))):
            x = transform(x, n, axis, norm)
        return x

    return transformed


def _rfftn(a, s=None, axes=None, norm=None, out=None):
    x = as_array(a)
    s, axes = _lengths(x, s, axes)
    x = rfft(x, s[-1], axes[-1], norm)
    for k in range(len(axes) - 2, -1, -1):
        x = fft(x, s[k], axes[k], norm)
    return x


def _irfftn(a, s=None, axes=None, norm=None, out=None):
    x = as_array(a)
    s, axes = _lengths(x, s, axes, half=True)
    for k in range(len(axes) - 1):
        x = ifft(x, s[k], axes[k], norm)
    return irfft(x, s[-1], axes[-1], norm)


def _of_two(transform):
    def transformed(a, s=None, axes=(-2, -1), norm=None, out=None):
        return transform(a, s, axes, norm)

    return transformed


for _name, _transform in {"fft": _each(fft), "ifft": _each(ifft), "rfft": _rfftn, "irfft": _irfftn}.items():
    register(getattr(np.fft, f"{_name}n"))(_transform)
    register(getattr(np.fft, f"{_name}2"))(_of_two(_transform))


def _shift(f):
    def shifted(x, axes=None):
        x = as_array(x)
        return looked_at(x, lambda p: f(p, axes)) if isinstance(x, Array) else f(x, axes)

    FUNCTIONS[f] = shifted


_shift(np.fft.fftshift)
_shift(np.fft.ifftshift)
