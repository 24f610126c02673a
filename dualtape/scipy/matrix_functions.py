"""Functions of matrices: expm, logm, sqrtm, and the linear equations of Sylvester and Lyapunov.

The derivative of f(A) in the direction E is the upper right block of f([[A, E], [0, A]]) (Mathias 1996), also where
eigenvalues are repeated. With L(E) for that derivative, trace(G L(E)) = trace(L(G) E), which gives the adjoint on the
same branch of f.
"""

import numpy as np
import scipy.linalg

from dualtape.arrays.apply import apply
from dualtape.arrays.products import _real_like, conjugate_transpose
from dualtape.arrays.reductions import as_array
from dualtape.arrays.spectra import square
from dualtape.core.array import Array
from dualtape.core.values import plain_of
from dualtape.scipy.dispatch import instead_of

__all__ = [
    "coshm", "cosm", "expm", "logm", "sinhm", "sinm", "solve_continuous_lyapunov", "solve_sylvester", "sqrtm", "tanhm",
    "tanm",
]  # fmt: skip


def _by_blocks(function, x, turn=lambda x: x):
    def value(x):
        return _by_blocks(function, x, turn) if isinstance(x, Array) else np.asarray(function(x))

    def slope(x, e):
        n = x.shape[-1]
        if np.result_type(x.dtype, e.dtype) != x.dtype:
            x = x.astype(np.result_type(x.dtype, e.dtype))
        top = np.concatenate([x, e], axis=-1)
        bottom = np.concatenate([np.zeros(x.shape, x.dtype), x], axis=-1)
        return value(turn(np.concatenate([top, bottom], axis=-2)))[..., :n, n:]

    return apply(
        value,
        (x,),
        lambda k, t, out, x: slope(x, t),
        lambda k, bar, out, x: _real_like(conjugate_transpose(slope(x, conjugate_transpose(bar))), x),
        reads=("args",),
    )


@instead_of(scipy.linalg.expm)
def expm(A):
    """`scipy.linalg.expm`."""
    return _by_blocks(scipy.linalg.expm, square(as_array(A)))


@instead_of(scipy.linalg.logm)
def logm(A):
    """`scipy.linalg.logm`."""
    return _by_blocks(scipy.linalg.logm, square(as_array(A)), _off_the_cut)


def _whole(name):
    """An entire function of matrices, or a quotient of two, of SciPy's."""
    own = getattr(scipy.linalg, name)

    @instead_of(own)
    def function(A):
        return _each(lambda x: _by_blocks(own, x), square(as_array(A)))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`scipy.linalg.{name}`."
    return function


def _off_the_cut(x):
    """A matrix times a number of modulus 1, by which no eigenvalue is left on the cut of the logarithm.

    There rounding decides between the two sides. The factor adds a constant to the logarithm.
    """
    angles = np.angle(np.linalg.eigvals(plain_of(x)))
    on_the_cut = np.abs(angles) > np.pi - 1e-6
    if not np.any(on_the_cut):
        return x
    lowest = np.min(np.where(on_the_cut, np.pi, angles))
    return x * np.exp(-1j * min(0.5, (lowest + np.pi) / 2))


@instead_of(scipy.linalg.sqrtm)
def sqrtm(A):
    """`scipy.linalg.sqrtm`: with X X = A, X dX + dX X = dA."""
    return _sqrtm(square(as_array(A)))


def _each(function, *xs):
    """A function of matrices for each of a stack."""
    if xs[0].ndim == 2:
        return function(*xs)
    stack, n = xs[0].shape[:-2], xs[0].shape[-1]
    if 0 in stack:
        return xs[-1]
    flat = [np.reshape(x, (-1, n, n)) for x in xs]
    out = np.stack([function(*[x[k] for x in flat]) for k in range(flat[0].shape[0])])
    return np.reshape(out, (*stack, n, n))


def _sqrtm(x):
    def vjp(k, bar, out, x):
        root = conjugate_transpose(out)
        return _real_like(_each(lambda r, b: solve_sylvester(r, r, b), root, bar), x)

    return apply(
        lambda x: _sqrtm(x) if isinstance(x, Array) else np.asarray(scipy.linalg.sqrtm(x)),
        (x,),
        lambda k, t, out, x: _each(lambda r, e: solve_sylvester(r, r, e), out, t),
        vjp,
    )


@instead_of(scipy.linalg.solve_sylvester)
def solve_sylvester(a, b, q):
    """`scipy.linalg.solve_sylvester`: A X + X B = Q."""
    return _sylvester(as_array(a), as_array(b), as_array(q))


def _sylvester(a, b, q):
    def value(*xs):
        return _sylvester(*xs) if any(isinstance(x, Array) for x in xs) else scipy.linalg.solve_sylvester(*xs)

    def jvp(k, t, x, a, b, q):
        return value(a, b, -(t @ x) if k == 0 else -(x @ t) if k == 1 else t)

    def vjp(k, bar, x, a, b, q):
        y = value(conjugate_transpose(a), conjugate_transpose(b), bar)
        if k == 2:
            return _real_like(y, q)
        xh = conjugate_transpose(x)
        return _real_like(-(y @ xh), a) if k == 0 else _real_like(-(xh @ y), b)

    return apply(value, (a, b, q), jvp, vjp)


@instead_of(scipy.linalg.solve_continuous_lyapunov)
def solve_continuous_lyapunov(a, q):
    """`scipy.linalg.solve_continuous_lyapunov`: A X + X A^H = Q."""
    return _lyapunov(as_array(a), as_array(q))


def _lyapunov(a, q):
    def value(a, q):
        if isinstance(a, Array) or isinstance(q, Array):
            return _lyapunov(a, q)
        return scipy.linalg.solve_continuous_lyapunov(a, q)

    def jvp(k, t, x, a, q):
        return value(a, t if k else -(t @ x) - x @ conjugate_transpose(t))

    def vjp(k, bar, x, a, q):
        y = value(conjugate_transpose(a), bar)
        if k:
            return _real_like(y, q)
        return _real_like(-(y @ conjugate_transpose(x)) - conjugate_transpose(y) @ x, a)

    return apply(value, (a, q), jvp, vjp)


coshm, cosm, sinhm, sinm, tanhm, tanm = map(_whole, ("coshm", "cosm", "sinhm", "sinm", "tanhm", "tanm"))
