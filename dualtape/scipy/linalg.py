"""`scipy.linalg`: systems of equations, factorizations, and functions of matrices."""

import functools

import numpy as np
import scipy.linalg

from dualtape.arrays.apply import apply, with_value
from dualtape.arrays.factorizations import cholesky_of
from dualtape.arrays.products import _real_like, conjugate_transpose
from dualtape.arrays.protocol import no_rule
from dualtape.arrays.reductions import as_array
from dualtape.arrays.spectra import of_triangle, square
from dualtape.core.array import Array
from dualtape.core.values import plain_of
from dualtape.scipy.dispatch import instead_of
from dualtape.scipy.hermitian_functions import funm
from dualtape.scipy.matrix_functions import (
    coshm,
    cosm,
    expm,
    logm,
    sinhm,
    sinm,
    solve_continuous_lyapunov,
    solve_sylvester,
    sqrtm,
    tanhm,
    tanm,
)

__all__ = [
    "block_diag", "cho_factor", "cho_solve", "cholesky", "circulant", "coshm", "cosm", "det", "eigvals", "eigvalsh",
    "expm", "funm", "hankel", "inv", "logm", "lu_factor", "lu_solve", "norm", "pinv", "sinhm", "sinm", "solve",
    "solve_banded", "solve_continuous_lyapunov", "solve_sylvester", "solve_triangular", "sqrtm", "svdvals", "tanhm",
    "tanm", "toeplitz",
]  # fmt: skip

LinAlgError = scipy.linalg.LinAlgError


def __getattr__(name):
    """SciPy's other functions, of plain values."""
    own = getattr(scipy.linalg, name)
    if not callable(own) or isinstance(own, type):
        return own

    def without_rule(*args, **kwargs):
        raise no_rule(f"scipy.linalg.{name}")

    return instead_of(own)(functools.update_wrapper(without_rule, own))


# --- systems of equations ------------------------------------------------------------------------------------------

_LONG = {
    "general": "gen",
    "symmetric": "sym",
    "hermitian": "her",
    "positive definite": "pos",
}
_KINDS = {
    *_LONG, *_LONG.values(), "diagonal", "tridiagonal", "banded", "upper triangular", "lower triangular",
}  # fmt: skip


def _structured(a, kind, lower):
    """The matrix that a solver for a structure sees: what it does not read does not count."""
    kind = _LONG.get(kind, kind)
    if kind in ("her", "pos"):
        return of_triangle(a, "L" if lower else "U")
    if kind == "sym":
        part = np.tril(a) if lower else np.triu(a)
        inner = np.tril(a, -1) if lower else np.triu(a, 1)
        return part + np.swapaxes(inner, -1, -2)
    if kind == "upper triangular":
        return np.triu(a)
    if kind == "lower triangular":
        return np.tril(a)
    if kind == "diagonal":
        return np.triu(np.tril(a))
    if kind == "tridiagonal":
        return np.triu(np.tril(a, 1), -1)
    return a


def solve_with(function, adjoint, a, b):
    """X of A X = B as `function` computes it from plain arrays, and `adjoint` that with A^H in place of A."""
    if b.ndim == 1:
        return solve_with(function, adjoint, a, np.expand_dims(b, -1))[..., 0]

    def value(a, b):
        if isinstance(a, Array) or isinstance(b, Array):
            return solve_with(function, adjoint, a, b)
        return np.asarray(function(a, b))

    def jvp(k, t, out, a, b):
        return -value(a, t @ out) if k == 0 else value(a, t)

    def vjp(k, bar, out, a, b):
        right = solve_with(adjoint, function, conjugate_transpose(a), bar)
        return _real_like(right, b) if k else _real_like(-(right @ conjugate_transpose(out)), a)

    return apply(value, (a, b), jvp, vjp)


def _right_side(a, b):
    """Whether there is one matrix; errors are SciPy's."""
    if a.ndim != 2 or b.ndim not in (1, 2):
        return False
    if a.shape[0] != b.shape[0]:
        raise ValueError("incompatible dimensions.")
    return True


@instead_of(scipy.linalg.solve)
def solve(a, b, lower=False, overwrite_a=False, overwrite_b=False, check_finite=True, assume_a=None, transposed=False):
    """`scipy.linalg.solve`: a function of what a solver for `assume_a` reads of the matrix."""
    a, b = square(as_array(a)), as_array(b)
    if assume_a is not None and assume_a not in _KINDS:
        scipy.linalg.solve(np.eye(1), np.ones(1), assume_a=assume_a)  # raises SciPy's error
    single = _right_side(a, b)
    a = _structured(a, assume_a, lower)
    turned = {"upper triangular": "lower triangular", "lower triangular": "upper triangular"}.get(assume_a, assume_a)
    options = {"lower": lower, "check_finite": check_finite}
    if transposed:
        if a.dtype.kind == "c" or b.dtype.kind == "c":
            raise NotImplementedError(
                "scipy.linalg.solve can currently not solve a^T x = b or a^H x = b for complex matrices."
            )
        if not single:
            return np.linalg.solve(np.swapaxes(a, -1, -2), b)
        whole = lambda a, b: scipy.linalg.solve(a.T, b, assume_a=assume_a, transposed=True, **options)
        back = lambda a, b: scipy.linalg.solve(a, b, assume_a=assume_a, **options)
        return solve_with(whole, back, np.swapaxes(a, -1, -2), b)
    if not single:
        return np.linalg.solve(a, b)
    whole = lambda a, b: scipy.linalg.solve(a, b, assume_a=assume_a, **options)
    back = lambda a, b: scipy.linalg.solve(a, b, assume_a=turned, **options)
    return solve_with(whole, back, a, b)


_TRANSPOSED = {0: "N", "N": "N", 1: "T", "T": "T", 2: "C", "C": "C"}


@instead_of(scipy.linalg.solve_triangular)
def solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False, overwrite_b=False, check_finite=True):
    """`scipy.linalg.solve_triangular`, a function of the triangle that it reads."""
    a, b = square(as_array(a)), as_array(b)
    single = _right_side(a, b)
    if trans not in _TRANSPOSED:
        raise ValueError(f"trans must be 0, 1, 2, 'N', 'T' or 'C', not {trans!r}")
    if unit_diagonal:
        a = (np.tril(a, -1) if lower else np.triu(a, 1)) + np.eye(a.shape[-1], dtype=a.dtype)
    else:
        a = np.tril(a) if lower else np.triu(a)
    turn = {"N": lambda a: a, "T": lambda a: np.swapaxes(a, -1, -2), "C": conjugate_transpose}[_TRANSPOSED[trans]]

    if not single:
        return np.linalg.solve(turn(a), b)

    def function(a, b):
        return scipy.linalg.solve_triangular(turn(a), b, trans, lower, unit_diagonal, check_finite=check_finite)

    def adjoint(a, b):
        # the triangle of (turned A)^H: the one that A was not read from, unless it was turned
        triangle = lower if _TRANSPOSED[trans] != "N" else not lower
        return scipy.linalg.solve_triangular(a, b, 0, triangle, unit_diagonal, check_finite=check_finite)

    return solve_with(function, adjoint, turn(a), b)


# --- factorizations ------------------------------------------------------------------------------------------------


@instead_of(scipy.linalg.cholesky)
def cholesky(a, lower=False, overwrite_a=False, check_finite=True):
    """`scipy.linalg.cholesky`, a function of the triangle that it reads."""
    return _cholesky(square(as_array(a)), lower, check_finite)


def _cholesky(a, lower, check_finite):
    def function(x):
        out = scipy.linalg.cholesky(x, lower, check_finite=check_finite)
        return out if lower else conjugate_transpose(out)

    out = cholesky_of(of_triangle(a, "L" if lower else "U"), function)
    return out if lower else conjugate_transpose(out)


@instead_of(scipy.linalg.cho_factor)
def cho_factor(a, lower=False, overwrite_a=False, check_finite=True):
    """`scipy.linalg.cho_factor`: the other triangle holds what it held in `a`, as up to SciPy 1.17."""
    x = square(as_array(a))
    other = np.triu(x, 1) if lower else np.tril(x, -1)
    return _cholesky(x, lower, check_finite) + other, lower


@instead_of(scipy.linalg.cho_solve)
def cho_solve(c_and_lower, b, overwrite_b=False, check_finite=True):
    """`scipy.linalg.cho_solve`."""
    c, lower = c_and_lower
    first = solve_triangular(c, b, "N" if lower else "C", lower, check_finite=check_finite)
    return solve_triangular(c, first, "C" if lower else "N", lower, check_finite=check_finite)


@instead_of(scipy.linalg.lu_factor)
def lu_factor(a, overwrite_a=False, check_finite=True):
    """`scipy.linalg.lu_factor` of a square matrix; the exchanges of rows are plain."""
    x = square(as_array(a))
    if x.ndim != 2:
        raise no_rule("scipy.linalg.lu_factor of stacks of matrices")
    pivots = scipy.linalg.lu_factor(plain_of(x), check_finite=check_finite)[1]
    order = _order(pivots)

    def factors(lu):
        return np.tril(lu, -1) + np.eye(lu.shape[-1]), np.triu(lu)

    def jvp(k, t, lu, x):
        low, up = factors(lu)
        inner = np.linalg.solve(low, t[order])
        inner = np.linalg.solve(up.T, inner.T).T
        return low @ np.tril(inner, -1) + np.triu(inner) @ up

    def vjp(k, bar, lu, x):
        low, up = factors(lu)
        lowh, uph = conjugate_transpose(low), conjugate_transpose(up)
        inner = np.tril(lowh @ np.tril(bar, -1), -1) + np.triu(np.triu(bar) @ uph)
        inner = np.linalg.solve(lowh, conjugate_transpose(np.linalg.solve(up, conjugate_transpose(inner))))
        return inner[np.argsort(order)]

    def value(x):
        if isinstance(x, Array):
            return apply(value, (x,), jvp, vjp, reads=("out",))
        return scipy.linalg.lu_factor(x, check_finite=check_finite)[0]

    return apply(value, (x,), jvp, vjp, reads=("out",)), pivots


def _order(pivots):
    """The order of rows after exchanges."""
    order = np.arange(len(pivots))
    for k, p in enumerate(pivots):
        order[[k, p]] = order[[p, k]]
    return order


@instead_of(scipy.linalg.lu_solve)
def lu_solve(lu_and_piv, b, trans=0, overwrite_b=False, check_finite=True):
    """`scipy.linalg.lu_solve`."""
    lu, pivots = lu_and_piv
    order, b = _order(pivots), as_array(b)
    options = {"check_finite": check_finite}
    if trans == 0:
        first = solve_triangular(lu, b[order], 0, True, True, **options)
        return solve_triangular(lu, first, 0, False, **options)
    first = solve_triangular(lu, b, trans, False, **options)
    return solve_triangular(lu, first, trans, True, True, **options)[np.argsort(order)]


@instead_of(scipy.linalg.det)
def det(a, overwrite_a=False, check_finite=True):
    """`scipy.linalg.det`."""
    return np.linalg.det(as_array(a))


@instead_of(scipy.linalg.inv)
def inv(a, overwrite_a=False, check_finite=True, *, assume_a=None, lower=False):
    """`scipy.linalg.inv`."""
    return np.linalg.inv(_structured(square(as_array(a)), assume_a, lower))


@instead_of(scipy.linalg.solve_banded)
def solve_banded(l_and_u, ab, b, overwrite_ab=False, overwrite_b=False, check_finite=True):
    """`scipy.linalg.solve_banded` of one matrix."""
    ab, b = as_array(ab), as_array(b)
    if ab.ndim != 2 or b.ndim not in (1, 2):
        raise no_rule("scipy.linalg.solve_banded of stacks of matrices")
    value = scipy.linalg.solve_banded(l_and_u, plain_of(ab), plain_of(b), check_finite=check_finite)  # and its errors
    lower, upper = l_and_u
    n = ab.shape[1]
    a = np.zeros((n, n), ab.dtype)
    for k in range(-lower, upper + 1):
        # the number in column j of band k belongs to row j - k
        band = ab[upper - k, max(k, 0) : n + min(k, 0)]
        a = a + np.diag(band, k) if band.size else a
    return with_value(np.linalg.solve(a, b), value)


# --- what NumPy has too --------------------------------------------------------------------------------------------


@instead_of(scipy.linalg.norm)
def norm(a, ord=None, axis=None, keepdims=False, check_finite=True):
    """`scipy.linalg.norm`."""
    out = np.linalg.norm(as_array(a), ord, axis, keepdims)
    return with_value(out, scipy.linalg.norm(plain_of(as_array(a)), ord, axis, keepdims))


@instead_of(scipy.linalg.pinv)
def pinv(a, *, atol=None, rtol=None, return_rank=False, check_finite=True):
    """`scipy.linalg.pinv`, without `atol`."""
    if atol is not None or return_rank:
        raise no_rule("scipy.linalg.pinv with atol= or return_rank=")
    x = as_array(a)
    if rtol is None:
        rtol = max(x.shape[-2:]) * np.finfo(x.dtype).eps
    return with_value(np.linalg.pinv(x, rtol=rtol), scipy.linalg.pinv(plain_of(x), rtol=rtol))


@instead_of(scipy.linalg.svdvals)
def svdvals(a, overwrite_a=False, check_finite=True):
    """`scipy.linalg.svdvals`."""
    x = as_array(a)
    return with_value(np.linalg.svdvals(x), scipy.linalg.svdvals(plain_of(x)))


@instead_of(scipy.linalg.eigvalsh)
def eigvalsh(a, b=None, *, lower=True, overwrite_a=False, overwrite_b=False, **options):
    """`scipy.linalg.eigvalsh` of one matrix, all values."""
    if b is not None or any(v is not None and v is not True for v in options.values()):
        raise no_rule("scipy.linalg.eigvalsh with b= or a choice of values")
    x = as_array(a)
    return with_value(np.linalg.eigvalsh(x, "L" if lower else "U"), scipy.linalg.eigvalsh(plain_of(x), lower=lower))


@instead_of(scipy.linalg.eigvals)
def eigvals(a, b=None, overwrite_a=False, check_finite=True, homogeneous_eigvals=False):
    """`scipy.linalg.eigvals` of one matrix."""
    if b is not None or homogeneous_eigvals:
        raise no_rule("scipy.linalg.eigvals with b= or homogeneous_eigvals=")
    # SciPy's are complex also where all are real
    return np.linalg.eigvals(as_array(a)).astype(np.result_type(as_array(a).dtype, np.complex64))


# --- matrices of a form --------------------------------------------------------------------------------------------


@instead_of(scipy.linalg.toeplitz)
def toeplitz(c, r=None):
    """`scipy.linalg.toeplitz` of vectors."""
    c = np.atleast_1d(as_array(c))
    r = np.conjugate(c) if r is None else np.atleast_1d(as_array(r))
    if c.ndim != 1 or r.ndim != 1:
        raise no_rule("scipy.linalg.toeplitz of stacks of vectors")
    entries = np.concatenate([c[::-1], r[1:]])
    n, m = c.shape[0], r.shape[0]
    return entries[np.arange(n)[::-1, None] + np.arange(m)]


@instead_of(scipy.linalg.hankel)
def hankel(c, r=None):
    """`scipy.linalg.hankel` of vectors."""
    c = np.atleast_1d(as_array(c))
    r = np.zeros_like(plain_of(c)) if r is None else np.atleast_1d(as_array(r))
    if c.ndim != 1 or r.ndim != 1:
        raise no_rule("scipy.linalg.hankel of stacks of vectors")
    entries = np.concatenate([c, r[1:]])
    return entries[np.arange(c.shape[0])[:, None] + np.arange(r.shape[0])]


@instead_of(scipy.linalg.circulant)
def circulant(c):
    """`scipy.linalg.circulant` of a vector."""
    c = np.atleast_1d(as_array(c))
    if c.ndim != 1:
        raise no_rule("scipy.linalg.circulant of stacks of vectors")
    n = c.shape[0]
    return c[(np.arange(n)[:, None] - np.arange(n)) % max(n, 1)]


@instead_of(scipy.linalg.block_diag)
def block_diag(*arrs):
    """`scipy.linalg.block_diag` of matrices."""
    blocks = [np.atleast_2d(as_array(a)) for a in arrs]
    if any(b.ndim > 2 for b in blocks):
        raise no_rule("scipy.linalg.block_diag of stacks of matrices")
    width = sum(b.shape[1] for b in blocks)
    dtype = np.result_type(*[b.dtype for b in blocks])
    rows, start = [], 0
    for b in blocks:
        n, m = b.shape
        left, right = np.zeros((n, start), dtype), np.zeros((n, width - start - m), dtype)
        rows.append(np.concatenate([left, b, right], axis=1))
        start += m
    return np.concatenate(rows, axis=0)
