"""Polynomials as vectors of coefficients, the highest power first."""

import warnings

import numpy as np

from dualtape.arrays.apply import apply
from dualtape.arrays.convolution import convolve
from dualtape.arrays.linalg import inv
from dualtape.arrays.moves import array
from dualtape.arrays.products import _real_like, conjugate_transpose, matmul
from dualtape.arrays.protocol import no_rule, register
from dualtape.arrays.rearranging import element
from dualtape.arrays.reductions import as_array, sum_
from dualtape.core.array import Array
from dualtape.core.values import level_of, plain_of

__all__ = ["polyfit", "polyval", "roots"]


def _coefficients(p):
    """A polynomial as a vector."""
    return np.atleast_1d(as_array(p.coeffs if isinstance(p, np.poly1d) else p))


@register(np.polyval)
def polyval(p, x):
    """The values of a polynomial, by Horner's rule."""
    p = _vector(p, "iteration over a 0-d array")
    if isinstance(x, np.poly1d):
        y = 0.0
    else:
        x = as_array(x)
        y = np.zeros(x.shape, dtype=x.dtype)
    for k in range(p.shape[0]):
        y = y * x + p[k]
    return element(y)


def _vector(p, message="len() of unsized object"):
    """Coefficients that cannot be a single number."""
    p = as_array(p.coeffs if isinstance(p, np.poly1d) else p)
    if p.ndim == 0:
        raise TypeError(message)
    return p


def _padded(a, n):
    return np.concatenate([np.zeros(n - a.shape[0], dtype=a.dtype), a]) if n > a.shape[0] else a


@register(np.polyadd)
def polyadd(a1, a2):
    """The sum of two polynomials."""
    a, b = _coefficients(a1), _coefficients(a2)
    n = max(a.shape[0], b.shape[0])
    return _padded(a, n) + _padded(b, n)


@register(np.polysub)
def polysub(a1, a2):
    """The difference of two polynomials."""
    a, b = _coefficients(a1), _coefficients(a2)
    n = max(a.shape[0], b.shape[0])
    return _padded(a, n) - _padded(b, n)


@register(np.polymul)
def polymul(a1, a2):
    """The product of two polynomials, without leading zeros of the factors."""
    a, b = _coefficients(a1), _coefficients(a2)
    n = len(np.polymul(plain_of(a), plain_of(b)))
    out = convolve(a if a.shape[0] else np.zeros(1), b if b.shape[0] else np.zeros(1))
    return out[out.shape[0] - n :]


@register(np.polyder)
def polyder(p, m=1):
    """The m-th derivative of a polynomial."""
    if int(m) < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    p = _vector(p)
    for _ in range(int(m)):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1)
    return p


@register(np.polyint)
def polyint(p, m=1, k=None):
    """An m-th antiderivative of a polynomial; the constants of integration may be traced."""
    m = int(m)
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    p = _vector(p)
    k = np.zeros(m) if k is None else np.atleast_1d(as_array(k))
    if k.shape[0] == 1 and m > 1:
        k = k[0] * np.ones(m)
    if k.shape[0] < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    for j in range(m):
        p = np.concatenate([p / np.arange(p.shape[0], 0, -1), k[j : j + 1]])
    return p


@register(np.polydiv)
def polydiv(u, v):
    """Quotient and remainder of two polynomials."""
    u, v = _coefficients(u) + 0.0, _coefficients(v) + 0.0
    if v.shape[0] == 0:
        raise IndexError("index 0 is out of bounds for axis 0 with size 0")
    if u.ndim != 1 or v.ndim != 1:
        raise ValueError("setting an array element with a sequence.")
    dtype = np.result_type(u.dtype, v.dtype)
    m, n = u.shape[0] - 1, v.shape[0] - 1
    scale = 1.0 / v[:1]
    rest, quotient = array(u, dtype), []
    for k in range(m - n + 1):
        d = scale * rest[k : k + 1]
        quotient.append(d)
        rest[k : k + n + 1] -= d * v
    while len(rest) > 1 and np.allclose(plain_of(rest[0]), 0, rtol=1e-14):
        rest = rest[1:]
    return np.concatenate(quotient) if quotient else np.zeros(1, dtype), rest


@register(np.poly)
def poly(seq_of_zeros):
    """The monic polynomial with given roots, or the characteristic polynomial of a matrix."""
    zeros = np.atleast_1d(as_array(seq_of_zeros))
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] != 0:
        zeros = np.linalg.eigvals(zeros)
    elif zeros.ndim != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    if zeros.shape[0] == 0:
        return 1.0
    p = np.ones(1, dtype=zeros.dtype)
    for k in range(zeros.shape[0]):
        p = convolve(p, np.concatenate([np.ones(1, dtype=zeros.dtype), -zeros[k : k + 1]]))
    if p.dtype.kind == "c":
        plain = plain_of(zeros)
        if np.all(np.sort(plain) == np.sort(plain.conj())):
            p = p.real.copy()
    return p


@register(np.roots)
def roots(p):
    """The roots of a polynomial: dr = -dp(r) / p'(r), infinite where a root is repeated."""
    p = _coefficients(p)

    def function(p):
        return roots(p) if isinstance(p, Array) else np.roots(p)

    def slopes(out, p):
        """For each root, the derivative in each coefficient."""
        powers = np.vander(out, p.shape[0])
        with np.errstate(divide="ignore", invalid="ignore"):
            return -powers / np.expand_dims(polyval(polyder(p), out), -1)

    def jvp(k, t, out, p):
        return _real_like(matmul(slopes(out, p), t), out)

    def vjp(k, bar, out, p):
        return _real_like(matmul(conjugate_transpose(slopes(out, p)), bar), p)

    return apply(function, (p,), jvp, vjp)


@register(np.vander)
def vander(x, N=None, increasing=False):
    """The matrix of powers of a vector."""
    x = as_array(x)
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    n = len(x) if N is None else N
    if n < 0:
        raise ValueError("negative dimensions are not allowed")
    x = x.astype(np.promote_types(x.dtype, int))
    columns = [np.ones(x.shape, dtype=x.dtype)] if n > 0 else []
    for _ in range(n - 1):
        columns.append(columns[-1] * x)
    if not columns:
        return np.zeros((len(x), 0), dtype=x.dtype)
    return np.stack(columns if increasing else columns[::-1], axis=1)


# --- least squares -----------------------------------------------------------------------------------------------


@register(np.polyfit)
def polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    """The polynomial of a degree that fits points best; points, values and weights may be traced."""
    order = int(deg) + 1
    x, y = as_array(x) + 0.0, as_array(y) + 0.0
    if deg < 0:
        raise ValueError("expected deg >= 0")
    for bad, message in (
        (x.ndim != 1, "expected 1D vector for x"),
        (x.size == 0, "expected non-empty vector for x"),
        (not 1 <= y.ndim <= 2, "expected 1D or 2D array for y"),
        (x.shape[:1] != y.shape[:1], "expected x and y to have same length"),
    ):
        if bad:
            raise TypeError(message)
    rcond = len(x) * np.finfo(x.dtype).eps if rcond is None else rcond
    left, right = vander(x, order), y if y.ndim == 2 else np.expand_dims(y, 1)
    if w is not None:
        w = as_array(w) + 0.0
        if w.ndim != 1:
            raise TypeError("expected a 1-d array for weights")
        if w.shape[0] != y.shape[0]:
            raise TypeError("expected w and y to have the same length")
        left, right = left * np.expand_dims(w, 1), right * np.expand_dims(w, 1)
    scale = np.sqrt(sum_(left * left, axis=0))
    left = left / scale
    _, residuals, rank, s = np.linalg.lstsq(plain_of(left), plain_of(right), rcond)
    if rank != order:
        if level_of(left):
            raise no_rule("np.polyfit with traced points, in which the powers of the points are linearly dependent,")
        if not full:
            warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=2)
    solution = np.linalg.lstsq(left, right, rcond)[0]
    c = solution / np.expand_dims(scale, 1)
    c = c[:, 0] if y.ndim == 1 else c
    if full and level_of(left):
        raise no_rule("np.polyfit with full=True and traced points")
    if not (full or cov):
        return c
    distance = matmul(left, solution) - right
    total = sum_((distance * np.conjugate(distance)).real, axis=0) if residuals.size else residuals
    if full:
        return c, total, rank, s, rcond
    base = inv(matmul(left.T, left)) / np.outer(scale, scale)
    if cov == "unscaled":
        factor = 1.0
    elif len(x) <= order:
        raise ValueError("the number of data points must exceed order to scale the covariance matrix")
    else:
        factor = total / (len(x) - order)
    return c, (base * factor if y.ndim == 1 or cov == "unscaled" else np.expand_dims(base, 2) * factor)
