"""`scipy.sparse.linalg`: systems with sparse matrices, direct and iterative, by the implicit rule.

With A x = b, A dx = db - dA x. So derivatives are solutions of further systems with A and A^H, by the same solver: of
iterative ones they are as exact as its tolerance, and no iteration is differentiated.
"""

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from dualtape.arrays.apply import apply, apply_linear
from dualtape.arrays.products import _real_like
from dualtape.arrays.protocol import no_rule
from dualtape.arrays.reductions import as_array
from dualtape.arrays.spectra import square
from dualtape.core.array import Array
from dualtape.core.values import plain_of
from dualtape.scipy.dispatch import is_traced
from dualtape.scipy.sparse.matrices import Sparse, _conj, matmul, pair

__all__ = ["bicgstab", "cg", "gmres", "spsolve"]


def __getattr__(name):
    return getattr(scipy.sparse.linalg, name)


def _adjoint(a, hermitian=False):
    """The adjoint of a constant matrix or operator."""
    if hasattr(a, "conj"):
        return a.conj().T
    if hermitian:
        return a
    adjoint = a.H
    try:
        adjoint.matvec(np.zeros(adjoint.shape[1]))
    except (TypeError, NotImplementedError) as error:  # what SciPy raises where there is no rmatvec
        raise no_rule("a solver with a LinearOperator without rmatvec=, in reverse mode,") from error
    return adjoint


def _solved(solver, a, b, hermitian=False):
    """The solution of A x = b by `solver`, a function of plain A and b that is told whether A is the adjoint."""
    if isinstance(a, Sparse):
        return _with_numbers(solver, a, a.data, b, False)
    return _with_constant(solver, a, b, False, hermitian)


def _with_constant(solver, a, b, turned, hermitian):
    def value(b):
        return _with_constant(solver, a, b, turned, hermitian) if isinstance(b, Array) else solver(a, b, turned)

    def transpose(bar, wanted):
        back = _with_constant(solver, _adjoint(a, hermitian), as_array(bar), not turned, hermitian)
        return (_real_like(back, b),)

    return apply_linear(value, (b,), transpose)


def _with_numbers(solver, pattern, data, b, turned):
    def value(data, b):
        if isinstance(data, Array) or isinstance(b, Array):
            return _with_numbers(solver, pattern, data, b, turned)
        return solver(pattern.plain(data), b, turned)

    def jvp(k, t, x, data, b):
        return value(data, t if k else -matmul(Sparse(t, pattern.rows, pattern.cols, pattern.shape), x))

    def vjp(k, bar, x, data, b):
        w = _with_numbers(solver, pattern.T, _conj(data), bar, not turned)
        return _real_like(w, b) if k else _real_like(-pair(pattern, w, _conj(x)), data)

    return apply(value, (data, b), jvp, vjp)


def _matrix(a):
    """A matrix as the solvers take it: traced dense ones with all their places."""
    if not is_traced(a):
        return a
    a = square(as_array(a))
    rows, cols = np.indices(a.shape)
    return Sparse(np.ravel(a), np.ravel(rows), np.ravel(cols), a.shape)


def spsolve(A, b, permc_spec=None, use_umfpack=True):
    """`scipy.sparse.linalg.spsolve`, of a constant pattern."""
    if not isinstance(A, Sparse) and not is_traced([A, b]):
        return scipy.sparse.linalg.spsolve(A, b, permc_spec, use_umfpack)
    if scipy.sparse.issparse(b):
        b = b.toarray()
    b, a = as_array(b), _matrix(A)
    if a.shape[0] != a.shape[1] or a.shape[0] != b.shape[0]:
        raise ValueError(f"matrix dimension mismatch: {a.shape} and {b.shape}")
    vector = b.ndim == 1 or b.shape[1] == 1

    def solver(a, b, turned):
        # rounding in SuperLU needs one dtype
        dtype = np.result_type(a.dtype, b.dtype, np.float64)
        a = scipy.sparse.csc_array(a).astype(dtype)
        x = scipy.sparse.linalg.spsolve(a, b.astype(dtype), permc_spec, use_umfpack)
        if not np.all(np.isfinite(x)) and np.all(np.isfinite(b)):
            raise np.linalg.LinAlgError("the sparse matrix is singular")
        return np.reshape(x, b.shape)

    x = _solved(solver, a, b)
    return np.ravel(x) if vector and x.ndim == 2 else x


def _iterative(name):
    own = getattr(scipy.sparse.linalg, name)
    hermitian = name == "cg"  # of what it takes, by its contract

    def iterative(A, b, x0=None, **options):
        plain_options = [options.get("M"), x0]
        if not isinstance(A, Sparse) and not is_traced([A, b, *plain_options]):
            return own(A, b, x0, **options)
        # the solution does not depend on where the iteration starts, nor on what speeds it up
        start, precondition = plain_of(x0), options.pop("M", None)
        callback = options.pop("callback", None)
        infos = []

        def solver(a, b, turned):
            m = precondition
            if turned and m is not None:
                m = _adjoint(m, hermitian)
            more = {"callback": callback} if callback is not None and not infos else {}
            first = start if not infos else None
            x, info = own(a, np.ravel(b), first, M=m, **options, **more)
            infos.append(info)
            return np.reshape(x, b.shape)

        x = _solved(solver, _matrix(A), as_array(b), hermitian)
        return (np.ravel(x) if x.ndim > 1 else x), infos[0]

    iterative.__name__ = iterative.__qualname__ = name
    iterative.__doc__ = f"`scipy.sparse.linalg.{name}`, by the implicit rule."
    return iterative


cg = _iterative("cg")
gmres = _iterative("gmres")
bicgstab = _iterative("bicgstab")
