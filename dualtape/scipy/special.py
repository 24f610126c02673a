"""`scipy.special`: the functions that are no ufuncs. Its ufuncs take traced values themselves, and are here as well."""

import numpy as np
import scipy.special

from dualtape.arrays.apply import apply, unbroadcast, with_value
from dualtape.arrays.elementwise import elementwise
from dualtape.arrays.products import _real_like
from dualtape.arrays.protocol import no_rule, refuse_orders
from dualtape.arrays.reductions import as_array, axes_of
from dualtape.core.array import Array
from dualtape.core.traced import ROWS
from dualtape.core.values import level_of, plain_of
from dualtape.scipy.dispatch import instead_of
from dualtape.scipy.tails import BETA, GAMMA, integral_of_tail

__all__ = [
    "betainc",
    "betaincc",
    "gammainc",
    "gammaincc",
    "log_softmax",
    "logsumexp",
    "multigammaln",
    "polygamma",
    "softmax",
]


def __getattr__(name):
    return getattr(scipy.special, name)


@instead_of(scipy.special.logsumexp)
def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False):
    """`scipy.special.logsumexp`: the slopes are the terms, divided by their sum."""
    x = as_array(a)
    factors = np.ones((), x.real.dtype) if b is None else as_array(b)
    if return_sign and "c" in (x.dtype.kind, factors.dtype.kind):
        raise no_rule("scipy.special.logsumexp of complex numbers with return_sign=")
    shape = np.broadcast_shapes(x.shape, factors.shape)
    if x.shape != shape:
        x = np.broadcast_to(x, shape)
    if not shape:  # which SciPy treats as an array of one number
        x = np.reshape(x, (1,))
    axes = axes_of(x, axis)
    out = _logsumexp(x, factors, axes, return_sign, b is not None)
    plain_sign = None
    if return_sign:
        plain_sign = scipy.special.logsumexp(
            plain_of(x), axes, plain_of(factors) if b is not None else None, keepdims, True
        )[1]
    if not keepdims:
        out = np.squeeze(as_array(out), axis=axes)
        out = out[()] if out.ndim == 0 else out
    return (out, plain_sign) if return_sign else out


def _logsumexp(x, b, axes, signed, weighted):
    def function(x, b):
        if isinstance(x, Array) or isinstance(b, Array):
            return _logsumexp(x, b, axes, signed, weighted)
        out = scipy.special.logsumexp(x, axes, b if weighted else None, True, signed)
        return np.asarray(out[0] if signed else out)

    def powers(x, b, out):
        """exp(x - out) with the sign of the sum: the slopes by b."""
        plain, total = plain_of(x), plain_of(out)
        infinite = np.isinf(total.real)
        tied = (plain == total) & infinite
        count = np.maximum(tied.sum(axis=axes, keepdims=True), 1)
        # of infinite terms each has its part of the slope; a sum that is 0 has slopes 0
        limit = np.where(tied & (total.real > 0), 1.0 / count, 0.0)
        some = np.broadcast_to(infinite, plain.shape)
        safe = np.where(some, 0.0, x - np.where(infinite, 0.0, out))
        e = np.where(some, limit, np.exp(safe))
        if signed:
            sign = scipy.special.logsumexp(plain, axes, plain_of(b) if weighted else None, True, True)[1]
            e = e * np.where(np.isfinite(sign), sign, 0.0)
        return e

    def jvp(k, t, out, x, b):
        e = powers(x, b, out)
        return np.sum((b if k == 0 else 1.0) * e * t, axis=axes, keepdims=True)

    def vjp(k, bar, out, x, b):
        e = powers(x, b, out) * (b if k == 0 else 1.0)
        part = bar * (np.conjugate(e) if e.dtype.kind == "c" else e)
        if k == 0:
            return _real_like(part, x)
        return _real_like(unbroadcast(part, b.shape), b)

    return apply(function, (x, b), jvp, vjp)


@instead_of(scipy.special.softmax)
def softmax(x, axis=None):
    """`scipy.special.softmax`."""
    x = as_array(x)
    shifted = np.exp(x - np.amax(plain_of(x), axis=axis, keepdims=True))
    return shifted / np.sum(shifted, axis=axis, keepdims=True)


@instead_of(scipy.special.log_softmax)
def log_softmax(x, axis=None):
    """`scipy.special.log_softmax`."""
    x = as_array(x)
    largest = np.amax(plain_of(x), axis=axis, keepdims=True)
    shifted = x - np.where(np.isfinite(largest), largest, 0.0).astype(x.dtype)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@instead_of(scipy.special.multigammaln)
def multigammaln(a, d):
    """`scipy.special.multigammaln`."""
    a = as_array(a)
    scipy.special.multigammaln(plain_of(a), d)  # raises SciPy's errors
    total = d * (d - 1) * 0.25 * np.log(np.pi)
    for j in range(1, d + 1):
        total = total + scipy.special.gammaln(a - (j - 1.0) / 2)
    return total[()] if isinstance(total, Array) and total.ndim == 0 else total


@instead_of(scipy.special.polygamma)
def polygamma(n, x):
    """`scipy.special.polygamma`."""
    refuse_orders(ROWS["polygamma"], (n, x))
    return elementwise(
        ROWS["polygamma"], (np.asarray(n, float), x if not isinstance(x, (list, tuple)) else as_array(x))
    )


def _incomplete(name, tail, upper, largest):
    """An incomplete integral that is differentiable in its shape parameters too, of which the ufunc is not."""
    own = getattr(scipy.special, name)

    @instead_of(own)
    def incomplete(*args):
        *shapes, x = map(as_array, args)
        if not any(map(level_of, shapes)):
            return own(*args)
        plain = [plain_of(p) for p in (*shapes, x)]
        values = own(*plain)
        inside = (plain[-1] > 0) & (plain[-1] < largest) & np.isfinite(values)
        for p in plain[:-1]:
            inside = inside & (p > 0) & np.isfinite(p)
        shapes = [np.where(inside, p, 1.0) for p in shapes]
        with np.errstate(all="ignore"):
            out = integral_of_tail(tail, np.where(inside, x, 0.5), shapes, upper)
        out = np.where(inside, with_value(out, values), values)
        return out[()] if out.ndim == 0 else out

    incomplete.__name__ = incomplete.__qualname__ = name
    incomplete.__doc__ = f"`scipy.special.{name}`, by its shape parameters as well."
    return incomplete


gammainc = _incomplete("gammainc", GAMMA, False, np.inf)
gammaincc = _incomplete("gammaincc", GAMMA, True, np.inf)
betainc = _incomplete("betainc", BETA, False, 1.0)
betaincc = _incomplete("betaincc", BETA, True, 1.0)
