"""Discrete Fourier transforms of arrays of other libraries."""

from dualtape.boxed.apply import apply_linear
from dualtape.boxed.array import level_of, plain
from dualtape.boxed.backends import kind_of, namespace_of
from dualtape.boxed.shape import axes_of, complex_, concat, conj, flip, real, roll

__all__ = ["functions"]


def resized(x, lengths, axes):
    """The elements cut, or followed by zeros, to given lengths."""
    for n, axis in zip(lengths, axes, strict=True):
        have = plain(x).shape[axis]
        lead = (slice(None),) * axis
        if n < have:
            x = x[(*lead, slice(0, n), ...)]
        elif n > have:
            near = plain(x)
            shape = tuple(n - have if k == axis else m for k, m in enumerate(near.shape))
            x = concat([x, namespace_of(near).zeros(shape, dtype=near.dtype, device=near.device)], axis=axis)
    return x


def _lengths(x, s, axes):
    """The axes of a transform and its lengths along them."""
    if axes is None:
        axes = tuple(range(len(x.shape))) if s is None else tuple(range(len(x.shape) - len(s), len(x.shape)))
    axes = axes_of(x, tuple(axes))
    lengths = tuple(plain(x).shape[k] for k in axes) if s is None else tuple(s)
    if len(lengths) != len(axes):
        raise ValueError("s and axes must have the same length")
    return lengths, axes


_SWAPPED = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


def transform(x, inverse, axes, norm):
    """A transform along axes, at the lengths that they have."""
    if norm not in _SWAPPED:
        raise ValueError(f'norm must be "backward", "ortho" or "forward", not {norm!r}')
    name = "ifftn" if inverse else "fftn"

    def function(x):
        if level_of(x):
            return transform(x, inverse, axes, norm)
        near = complex_(plain(x))
        return getattr(namespace_of(near).fft, name)(near, axes=axes, norm=norm)

    # The conjugate transpose of a transform is the other one, with the factor on the other side.
    return apply_linear(function, (x,), lambda k, bar: transform(bar, not inverse, axes, _SWAPPED[norm]))


def _many(inverse):
    def function(x, /, *, s=None, axes=None, norm="backward"):
        lengths, axes = _lengths(x, s, axes)
        return transform(complex_(resized(x, lengths, axes)), inverse, axes, norm)

    return function


def _plane(function):
    """The transform of the last two axes, as fft2."""
    return lambda x, s=None, axes=(-2, -1), norm="backward": function(x, s=s, axes=axes, norm=norm)


def _one(inverse):
    def function(x, /, *, n=None, axis=-1, norm="backward"):
        return _many(inverse)(x, s=None if n is None else (n,), axes=(axis,), norm=norm)

    return function


def rfftn(x, /, *, s=None, axes=None, norm="backward"):
    """The transform of real numbers: the half of it that tells the rest."""
    if kind_of(plain(x)) == "c":
        raise TypeError("rfft is the transform of real numbers")
    lengths, axes = _lengths(x, s, axes)
    whole = transform(complex_(resized(x, lengths, axes)), False, axes, norm)
    return whole[(slice(None),) * axes[-1] + (slice(0, lengths[-1] // 2 + 1), ...)]


def irfftn(x, /, *, s=None, axes=None, norm="backward"):
    """The inverse of rfftn: real numbers."""
    lengths, axes = _lengths(x, s, axes)
    n = lengths[-1] if s is not None else 2 * (lengths[-1] - 1)
    x = transform(resized(complex_(x), lengths[:-1], axes[:-1]), True, axes[:-1], norm) if axes[:-1] else complex_(x)
    return _real_line(x, n, axes[-1], True, norm)


def _real_line(x, n, axis, inverse, norm):
    """The transform to real numbers of the half that tells the rest."""
    x = resized(x, (n // 2 + 1,), (axis,))
    lead = (slice(None),) * axis
    first, inner = x[(*lead, slice(0, 1), ...)], x[(*lead, slice(1, (n + 1) // 2), ...)]
    parts = [complex_(real(first)), inner]
    if n % 2 == 0 and n > 0:
        parts.append(complex_(real(x[(*lead, slice(n // 2, n // 2 + 1), ...)])))
    parts.append(flip(conj(inner), axis))
    return real(transform(concat(parts, axis=axis), inverse, (axis,), norm))


def rfft(x, /, *, n=None, axis=-1, norm="backward"):
    """The transform of real numbers along an axis."""
    return rfftn(x, s=None if n is None else (n,), axes=(axis,), norm=norm)


def irfft(x, /, *, n=None, axis=-1, norm="backward"):
    """The inverse of rfft."""
    return irfftn(x, s=None if n is None else (n,), axes=(axis,), norm=norm)


def hfft(x, /, *, n=None, axis=-1, norm="backward"):
    """The transform of numbers whose second half is the conjugate of the first: real numbers."""
    (axis,) = axes_of(x, axis)
    n = 2 * (plain(x).shape[axis] - 1) if n is None else n
    return _real_line(complex_(x), n, axis, False, norm)


def ihfft(x, /, *, n=None, axis=-1, norm="backward"):
    """The inverse of hfft."""
    return conj(rfft(x, n=n, axis=axis, norm=_SWAPPED[norm]))


def _shift(sign):
    def function(x, /, *, axes=None):
        axes = axes_of(x, axes)
        shift = tuple(plain(x).shape[k] // 2 if sign > 0 else -(plain(x).shape[k] // 2) for k in axes)
        return roll(x, shift, axes)

    return function


def functions():
    """The functions of this file, by the names that libraries have for them."""
    inner = {
        "fft": _one(False), "ifft": _one(True), "fftn": _many(False), "ifftn": _many(True), "rfft": rfft,
        "irfft": irfft, "rfftn": rfftn, "irfftn": irfftn, "hfft": hfft, "ihfft": ihfft, "fftshift": _shift(1),
        "ifftshift": _shift(-1), "fft2": _plane(_many(False)), "ifft2": _plane(_many(True)), "rfft2": _plane(rfftn),
        "irfft2": _plane(irfftn),
    }  # fmt: skip
    return {f"fft.{name}": f for name, f in inner.items()}
