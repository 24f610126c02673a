"""Eigenvalues and eigenvectors.

With A V = V diag(w) and B = V^-1 dA V, dw = diag(B) and dV = V (F o B), where F_ij = 1 / (w_j - w_i) (Giles 2008).
Where two eigenvalues are equal up to rounding, their vectors are any basis of the space that they span, and F is 0
there: the basis does not turn within the space. What depends on the space alone, and not on the basis, gets its
derivative; `repeated` warns where a part is lost.
"""

import functools

import numpy as np

from dualtape.arrays.apply import apply
from dualtape.arrays.parts import apply_parts
from dualtape.arrays.products import _real_like, conjugate_transpose
from dualtape.arrays.protocol import register
from dualtape.arrays.reductions import as_array
from dualtape.arrays.repeated import Watch, equal_pairs, same_for_equal
from dualtape.core.array import Array
from dualtape.core.values import plain_of

__all__ = ["anti_and_hermitian", "eig", "eigh", "eigvals", "eigvalsh", "inverse_gaps", "of_triangle"]


def result_type(function):
    """The named tuple that a function of NumPy returns."""
    return type(function(np.eye(1)))


def of_triangle(x, uplo="L"):
    """The Hermitian matrix of which one triangle is given: what LAPACK reads of its argument."""
    lower = uplo.upper() == "L"
    inner = np.tril(x, -1) if lower else np.triu(x, 1)
    diagonal = np.where(np.eye(x.shape[-1], dtype=bool), x.real, 0.0)
    return inner + diagonal + conjugate_transpose(inner)


def square(x):
    """Raise NumPy's error for what is no stack of square matrices."""
    plain = plain_of(x)
    if plain.ndim < 2 or plain.shape[-1] != plain.shape[-2]:
        np.linalg.inv(plain)
    return x


def inverse_gaps(w):
    """1 / (w_j - w_i) for all pairs, 0 where the two are equal up to the rounding of the largest."""
    gap = np.expand_dims(w, -2) - np.expand_dims(w, -1)
    same = equal_pairs(w)
    return np.where(same, 0.0, 1.0 / np.where(same, 1.0, gap))


def diagonal(x):
    """The diagonals of a stack of matrices."""
    return np.diagonal(x, axis1=-2, axis2=-1)


def on_diagonal(x):
    """A stack of diagonal matrices."""
    n = x.shape[-1]
    return np.where(np.eye(n, dtype=bool), np.expand_dims(x, -1), 0.0)


# --- Hermitian matrices --------------------------------------------------------------------------------------------


def _vectors(x, uplo, watch):
    """Eigh of a whole Hermitian matrix."""

    def jvp(k, t, parts, x):
        w, v = parts
        inner = conjugate_transpose(v) @ t @ v
        watch.tangents(w, lambda: [plain_of(inner)])
        return diagonal(inner).real, v @ (inverse_gaps(w) * inner)

    def vjp(k, bars, parts, x):
        w, v = parts
        inner = conjugate_transpose(v) @ bars[1]
        watch.adjoints(w, bars[0], bars[1:], lambda: [anti_and_hermitian(inner)])
        inner = on_diagonal(bars[0]) + inverse_gaps(w) * inner
        return v @ inner @ conjugate_transpose(v)

    w, v = apply_parts(lambda x: np.linalg.eigh(x, uplo), (x,), jvp, vjp, reads=("out",))
    return watch.results([w, v], w)


def anti_and_hermitian(x):
    """Twice the anti-Hermitian and the Hermitian part; the first is the adjoint of a turn that keeps lengths."""
    x = plain_of(x)
    xh = np.conjugate(np.swapaxes(x, -1, -2))
    return x - xh, x + xh


def _values(x, uplo):
    def vectors(x, quiet=False):
        return _vectors(x, uplo, Watch("the second derivative of np.linalg.eigvalsh", quiet, inner=True))[1]

    def jvp(k, t, out, x):
        v = vectors(x)
        return np.sum(np.conjugate(v) * (t @ v), axis=-2).real

    def vjp(k, bar, out, x):
        v = vectors(x, same_for_equal(bar, out))
        return (v * np.expand_dims(bar, -2)) @ conjugate_transpose(v)

    return apply(lambda x: _values(x, uplo) if isinstance(x, Array) else np.linalg.eigvalsh(x, uplo), (x,), jvp, vjp)


def _triangle(uplo):
    if uplo.upper() not in ("L", "U"):
        np.linalg.eigvalsh(np.eye(1), uplo)  # raises NumPy's error
    return uplo.upper()


@functools.cache
def _eigh_result():
    return result_type(np.linalg.eigh)


@register(np.linalg.eigh)
def eigh(a, UPLO="L"):
    """np.linalg.eigh, a function of the triangle that it reads."""
    x = square(as_array(a))
    return _eigh_result()(*_vectors(of_triangle(x, _triangle(UPLO)), UPLO, Watch("np.linalg.eigh")))


@register(np.linalg.eigvalsh)
def eigvalsh(a, UPLO="L"):
    """np.linalg.eigvalsh, a function of the triangle that it reads."""
    x = square(as_array(a))
    return _values(of_triangle(x, _triangle(UPLO)), UPLO)


# --- any matrices --------------------------------------------------------------------------------------------------


def _unscaled(x, watch):
    """Eig with vectors that change neither their length nor their phase along themselves."""

    def jvp(k, t, parts, x):
        w, v = parts
        inner = np.linalg.solve(v, t @ v)
        watch.tangents(w, lambda: [plain_of(inner)])
        return diagonal(inner), v @ (inverse_gaps(w) * inner)

    def vjp(k, bars, parts, x):
        w, v = parts
        inner = conjugate_transpose(v) @ bars[1]
        # any other basis will do, so that the whole of it belongs to turns
        watch.adjoints(w, bars[0], bars[1:], lambda: [(plain_of(inner), None)])
        inner = on_diagonal(bars[0]) + np.conjugate(inverse_gaps(w)) * inner
        return _real_like(np.linalg.solve(conjugate_transpose(v), inner @ conjugate_transpose(v)), x)

    w, v = apply_parts(np.linalg.eig, (x,), jvp, vjp)
    return watch.results([w, v], w)


@functools.cache
def _eig_result():
    return result_type(np.linalg.eig)


@register(np.linalg.eig)
def eig(a):
    """np.linalg.eig: vectors of length 1 whose largest component is real."""
    w, v = _unscaled(square(as_array(a)), Watch("np.linalg.eig"))
    if not isinstance(v, Array) or v.size == 0:
        return _eig_result()(w, v)
    # each factor is exactly 1 and only has a derivative
    length = np.sqrt(np.sum(v.real**2 + v.imag**2, axis=-2, keepdims=True))
    v = v / (length / plain_of(length))
    if v.dtype.kind == "c":
        plain = plain_of(v)
        place = np.argmax(np.where(plain.imag == 0, abs(plain), 0.0), axis=-2, keepdims=True)
        largest = np.take_along_axis(v, place, -2)
        phase = largest / abs(largest)
        v = v * (np.conjugate(phase) * plain_of(phase))
    return _eig_result()(w, v)


@register(np.linalg.eigvals)
def eigvals(a):
    """np.linalg.eigvals."""
    return _eigenvalues(square(as_array(a)))


def _eigenvalues(x):
    def vectors(x, out, quiet=False):
        """Eigenvectors in the order of the eigenvalues, which LAPACK may find in another one without vectors."""
        w, v = _unscaled(x, Watch("the second derivative of np.linalg.eigvals", quiet, inner=True))
        distance = abs(np.expand_dims(plain_of(out), -1) - np.expand_dims(plain_of(w), -2))
        order = np.argmin(distance, axis=-1)
        straight = np.arange(order.shape[-1])
        if np.all(order == straight) or not np.all(np.sort(order, axis=-1) == straight):
            return v
        return np.take_along_axis(v, np.expand_dims(order, -2), -1)

    def jvp(k, t, out, x):
        v = vectors(x, out)
        return diagonal(np.linalg.solve(v, t @ v))

    def vjp(k, bar, out, x):
        v = vectors(x, out, same_for_equal(bar, out))
        left = np.expand_dims(bar, -1) * conjugate_transpose(v)
        return _real_like(np.linalg.solve(conjugate_transpose(v), left), x)

    return apply(lambda x: _eigenvalues(x) if isinstance(x, Array) else np.linalg.eigvals(x), (x,), jvp, vjp)
