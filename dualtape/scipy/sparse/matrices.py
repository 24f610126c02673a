"""Sparse matrices with constant patterns, and their products."""

import numpy as np
import scipy.sparse

from dualtape.arrays.apply import apply, apply_linear
from dualtape.arrays.moves import scatter
from dualtape.arrays.products import _real_like
from dualtape.arrays.protocol import no_rule
from dualtape.arrays.reductions import as_array
from dualtape.core.array import Array
from dualtape.core.values import plain_of
from dualtape.scipy.dispatch import is_traced

__all__ = ["Sparse", "coo_array", "csc_array", "csr_array", "matmul"]


def _conj(x):
    return np.conjugate(x) if x.dtype.kind == "c" else x


class Sparse:
    """A sparse matrix of traced numbers at constant places.

    Attributes
    ----------
    data : Array, shape (count,)
        The numbers. Those at the same place are added.
    rows, cols : ndarray of int, shape (count,)
        Their places.
    shape : tuple of int
    """

    __array_ufunc__ = None  # ndarray @ Sparse is for Sparse to compute
    ndim = 2

    def __init__(self, data, rows, cols, shape):
        self.data, self.rows, self.cols, self.shape = data, rows, cols, shape

    def plain(self, data=None):
        """The matrix of SciPy's with plain numbers."""
        data = plain_of(self.data) if data is None else data
        return scipy.sparse.coo_array((data, (self.rows, self.cols)), self.shape).tocsc()

    @property
    def T(self):
        """The transpose."""
        return Sparse(self.data, self.cols, self.rows, self.shape[::-1])

    def toarray(self):
        """All numbers, zeros included."""
        return scatter(self.data, (self.rows, self.cols), self.shape)

    def diagonal(self):
        """The main diagonal."""
        return np.diagonal(self.toarray())

    def __matmul__(self, other):
        return matmul(self, other)

    def __rmatmul__(self, other):
        return np.transpose(matmul(self.T, np.transpose(as_array(other))))

    def dot(self, other):
        """The product with a vector or a matrix."""
        return matmul(self, other)

    def __mul__(self, factor):
        if np.ndim(plain_of(factor)):
            raise no_rule("an elementwise product with a sparse matrix of traced numbers")
        return Sparse(self.data * factor, self.rows, self.cols, self.shape)

    __rmul__ = __mul__

    def __neg__(self):
        return Sparse(-self.data, self.rows, self.cols, self.shape)

    def __getattr__(self, name):
        if hasattr(scipy.sparse.csc_array, name):
            raise no_rule(f"scipy.sparse.csc_array.{name}")
        raise AttributeError(name)


def matmul(a, b):
    """A sparse matrix times a vector or a matrix; either may be traced.

    Parameters
    ----------
    a : sparse array or matrix of SciPy's, or Sparse
    b : array_like, shape (n,) or (n, m)

    Returns
    -------
    ndarray or Array
    """
    if not isinstance(a, Sparse):
        if not is_traced(b):
            return a @ b
        return _by_constant(a, as_array(b))
    b = as_array(b)
    if b.ndim not in (1, 2) or b.shape[0] != a.shape[1]:
        raise ValueError(f"dimension mismatch: {a.shape} and {b.shape}")
    return _product(a, a.data, b)


def _by_constant(a, x):
    def value(x):
        return _by_constant(a, x) if isinstance(x, Array) else np.asarray(a @ x)

    return apply_linear(value, (x,), lambda bar, wanted: (_real_like(_by_constant(a.conj().T, as_array(bar)), x),))


def _product(pattern, data, x):
    def value(data, x):
        if isinstance(data, Array) or isinstance(x, Array):
            return _product(pattern, data, x)
        return pattern.plain(data) @ x

    def vjp(k, bar, out, data, x):
        if k == 0:
            return _real_like(pair(pattern, bar, _conj(x)), data)
        return _real_like(_product(pattern.T, _conj(data), bar), x)

    return apply(value, (data, x), lambda k, t, out, data, x: value(t, x) if k == 0 else value(data, t), vjp)


def pair(pattern, left, right):
    """The numbers of left @ right.T at the places of a pattern."""
    out = left[pattern.rows] * right[pattern.cols]
    return np.sum(out, axis=1) if out.ndim == 2 else out


def _of_traced(arg, shape, by_rows):
    """A Sparse from what SciPy's constructors take."""
    if isinstance(arg, tuple) and len(arg) == 2:
        data, (rows, cols) = arg
        rows, cols = np.asarray(rows), np.asarray(cols)
        shape = shape or (int(rows.max(initial=-1)) + 1, int(cols.max(initial=-1)) + 1)
    elif isinstance(arg, tuple) and len(arg) == 3:
        data, indices, indptr = arg
        indices, indptr = np.asarray(indices), np.asarray(indptr)
        major = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        rows, cols = (major, indices) if by_rows else (indices, major)
        if shape is None:
            lengths = len(indptr) - 1, int(indices.max(initial=-1)) + 1
            shape = lengths if by_rows else lengths[::-1]
    else:
        raise no_rule("a sparse matrix of a traced dense one (give data, and the places as plain integers)")
    data = as_array(data)
    # SciPy's own checks of places and shapes
    scipy.sparse.coo_array((np.zeros(data.shape), (rows, cols)), shape)
    return Sparse(data, rows, cols, tuple(shape))


def _class(own, by_rows):
    """A class of SciPy's whose products take traced arrays."""

    class Differentiable(own):
        def __new__(cls, arg1, shape=None, *args, **kwargs):
            if isinstance(arg1, tuple) and is_traced(arg1[0]):
                return _of_traced(arg1, shape, by_rows)
            if is_traced(arg1):
                return _of_traced(arg1, shape, by_rows)
            return super().__new__(cls)

        def __matmul__(self, other):
            return matmul(self, other) if is_traced(other) else super().__matmul__(other)

        def __rmatmul__(self, other):
            if is_traced(other):
                return np.transpose(matmul(super().transpose(), np.transpose(as_array(other))))
            return super().__rmatmul__(other)

        def dot(self, other):
            return matmul(self, other) if is_traced(other) else super().dot(other)

        def transpose(self, *args, **kwargs):
            out = super().transpose(*args, **kwargs)
            return {"csr": csr_array, "csc": csc_array, "coo": coo_array}[out.format](out)

    Differentiable.__name__ = Differentiable.__qualname__ = own.__name__
    Differentiable.__doc__ = f"`scipy.sparse.{own.__name__}` that takes traced arrays; of traced numbers a `Sparse`."
    return Differentiable


csr_array = _class(scipy.sparse.csr_array, True)
csc_array = _class(scipy.sparse.csc_array, False)
coo_array = _class(scipy.sparse.coo_array, True)
