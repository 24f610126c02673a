"""The rule table as C functions."""

import re

import numpy as np

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer

from dualtape.rules.table import fingerprint

__all__ = ["evaluate", "on_arrays", "partials", "product", "second", "slope"]

if DT_FINGERPRINT != fingerprint():
    raise ImportError(
        "dualtape's compiled modules were built from another rule table; build again: "
        "python setup.py build_ext --inplace, or pip install"
    )

cnp.import_array()
rows = dt_rows

cdef bint special_loaded = False


cdef void *_capsule(dict table, str name, bytes signature) except NULL:
    # SciPy's fused functions bear a prefix, __pyx_fuse_1psi, that differs between its versions;
    # the capsule's name is the signature, and tells the float64 variant.
    pattern = re.compile(r"(?:__pyx_fuse_[0-9_]+)?" + name)
    for key, capsule in table.items():
        if pattern.fullmatch(key) and PyCapsule_GetName(capsule) == signature:
            return PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule))
    raise ImportError(
        f"scipy.special.cython_special has no {name} of signature {signature.decode()}; "
        "dualtape needs SciPy 1.13 or newer"
    )


ctypedef double (*unary_t)(double, int) noexcept nogil
ctypedef double (*binary_t)(double, double, int) noexcept nogil
ctypedef double (*ternary_t)(double, double, double, int) noexcept nogil


cdef int load_special() except -1:
    global special_loaded
    if special_loaded:
        return 0
    from scipy.special import cython_special

    cdef dict table = cython_special.__pyx_capi__
    cdef bytes unary = b"double (double, int __pyx_skip_dispatch)"
    cdef bytes binary = b"double (double, double, int __pyx_skip_dispatch)"
    cdef bytes ternary = b"double (double, double, double, int __pyx_skip_dispatch)"
    dt_special.psi = <unary_t>_capsule(table, "psi", unary)
    dt_special.i0 = <unary_t>_capsule(table, "i0", unary)
    dt_special.i1 = <unary_t>_capsule(table, "i1", unary)
    dt_special.i0e = <unary_t>_capsule(table, "i0e", unary)
    dt_special.i1e = <unary_t>_capsule(table, "i1e", unary)
    dt_special.erfcx = <unary_t>_capsule(table, "erfcx", unary)
    dt_special.erfinv = <unary_t>_capsule(table, "erfinv", unary)
    dt_special.erfcinv = <unary_t>_capsule(table, "erfcinv", unary)
    dt_special.ndtri = <unary_t>_capsule(table, "ndtri", unary)
    dt_special.iv = <binary_t>_capsule(table, "iv", binary)
    dt_special.jv = <binary_t>_capsule(table, "jv", binary)
    dt_special.ive = <binary_t>_capsule(table, "ive", binary)
    dt_special.beta = <binary_t>_capsule(table, "beta", binary)
    dt_special.betaln = <binary_t>_capsule(table, "betaln", binary)
    dt_special.gammainc = <binary_t>_capsule(table, "gammainc", binary)
    dt_special.gammaincc = <binary_t>_capsule(table, "gammaincc", binary)
    dt_special.k0 = <unary_t>_capsule(table, "k0", unary)
    dt_special.k1 = <unary_t>_capsule(table, "k1", unary)
    dt_special.yv = <binary_t>_capsule(table, "yv", binary)
    dt_special.kv = <binary_t>_capsule(table, "kv", binary)
    dt_special.betainc = <ternary_t>_capsule(table, "betainc", ternary)
    dt_special.hyp1f1 = <ternary_t>_capsule(table, "hyp1f1", ternary)
    special_loaded = True
    return 0


def on_arrays(Py_ssize_t index, int place, *args, out=None):
    """A row, or a partial derivative of it, at arrays of real numbers.

    Parameters
    ----------
    index : int
        The row's place in the table.
    place : int
        By which argument to differentiate; -1 for the value.
    *args : ndarray or float
        Of shapes that broadcast.
    out : ndarray or float, optional
        The value, for a partial derivative; computed where it is left out.

    Returns
    -------
    ndarray or float
        In the dtype of the arguments, float64 where they are integers.
    """
    cdef const dt_row *row = &rows[index]
    cdef double d[3]
    cdef double *x[3]
    cdef double *o = NULL
    cdef double *r
    cdef Py_ssize_t i, n
    cdef int k, arity = row.arity
    if row.flags & DT_NEEDS_SCIPY:
        load_special()
    dtype = np.result_type(*args)
    given = [*args] if out is None or np.shape(out) == () and place < 0 else [*args, out]
    wide = np.broadcast_arrays(*given)
    shape = wide[0].shape
    flat = [np.require(a, np.float64, "CA").reshape(-1) for a in wide]
    result = np.empty(flat[0].size)
    x[0] = x[1] = x[2] = NULL
    for k in range(arity):
        x[k] = <double *>cnp.PyArray_DATA(flat[k])
    if len(flat) > arity:
        o = <double *>cnp.PyArray_DATA(flat[arity])
    r = <double *>cnp.PyArray_DATA(result)
    n = result.size
    cdef double y, z, v
    with nogil:
        for i in range(n):
            y = x[1][i] if arity > 1 else 0.0
            z = x[2][i] if arity > 2 else 0.0
            if place < 0:
                r[i] = row.value(x[0][i], y, z)
            else:
                v = o[i] if o != NULL else row.value(x[0][i], y, z)
                row.partials(x[0][i], y, z, v, d)
                r[i] = d[place]
    result = result.reshape(shape)
    if dtype.kind == "f" and dtype != result.dtype:
        return result.astype(dtype)
    return result


cdef bint _alike(object x, object first):
    """Whether an array is of float64, in C order, and of the shape of another such one."""
    cdef int k
    if type(x) is not np.ndarray or cnp.PyArray_TYPE(x) != cnp.NPY_DOUBLE or not cnp.PyArray_ISCARRAY_RO(x):
        return False
    if first is None:
        return True
    if cnp.PyArray_NDIM(x) != cnp.PyArray_NDIM(first):
        return False
    for k in range(cnp.PyArray_NDIM(x)):
        if cnp.PyArray_DIM(x, k) != cnp.PyArray_DIM(first, k):
            return False
    return True


def slope(Py_ssize_t index, int place, args, out):
    """A partial derivative of a row at arrays of float64 of one shape, and floats, where it can be had at once.

    Parameters
    ----------
    index : int
        The row's place in the table.
    place : int
        By which argument to differentiate.
    args : sequence of ndarray or float
        What the row does not read may be any float.
    out : ndarray or float
        The value.

    Returns
    -------
    ndarray or None
        None where an operand is another kind of number or array.
    """
    cdef const dt_row *row = &rows[index]
    cdef double own[4]
    cdef double d[3]
    cdef const double *x[4]
    cdef Py_ssize_t step[4]
    cdef double *slopes[1]
    cdef double *to
    cdef Py_ssize_t i, n
    cdef int k, arity = row.arity
    first = None
    x[1] = x[2] = own
    step[1] = step[2] = 0
    own[0] = own[1] = own[2] = 0.0
    for k in range(arity + 1):
        i = k if k < arity else 3
        arg = args[k] if k < arity else out
        if isinstance(arg, float) or type(arg) is int:
            own[i] = arg
            x[i] = &own[i]
            step[i] = 0
        elif _alike(arg, first):
            first = arg
            x[i] = <const double *>cnp.PyArray_DATA(arg)
            step[i] = 1
        else:
            return None
    if first is None:
        return None
    if row.flags & DT_NEEDS_SCIPY:
        load_special()
    result = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(first), cnp.PyArray_DIMS(first), cnp.NPY_DOUBLE, 0)
    to = <double *>cnp.PyArray_DATA(result)
    n = cnp.PyArray_SIZE(first)
    with nogil:
        if arity == 1 and (step[0] or not row.flags & DT_READS_X) and (step[3] or not row.flags & DT_READS_OUT):
            slopes[0] = to
            row.slopes(n, x[0], NULL, NULL, x[3], slopes)
        else:
            for i in range(n):
                row.partials(x[0][i * step[0]], x[1][i * step[1]], x[2][i * step[2]], x[3][i * step[3]], d)
                to[i] = d[place]
    return result


def product(x, y):
    """A product of the chain rule, of arrays of float64 of one shape or an array and a float, where no number of it is
    NaN; else None."""
    cdef double own[2]
    cdef const double *a = &own[0]
    cdef const double *b = &own[1]
    cdef Py_ssize_t i, n, by_a = 0, by_b = 0
    cdef double *to
    cdef bint bad = False
    if isinstance(x, float):
        own[0] = x
    elif _alike(x, None):
        a = <const double *>cnp.PyArray_DATA(x)
        by_a = 1
    else:
        return None
    if isinstance(y, float):
        own[1] = y
    elif _alike(y, x if by_a else None):
        b = <const double *>cnp.PyArray_DATA(y)
        by_b = 1
    else:
        return None
    if not by_a and not by_b:
        return None
    first = x if by_a else y
    result = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(first), cnp.PyArray_DIMS(first), cnp.NPY_DOUBLE, 0)
    to = <double *>cnp.PyArray_DATA(result)
    n = cnp.PyArray_SIZE(first)
    with nogil:
        if by_a and by_b:
            for i in range(n):
                to[i] = a[i] * b[i]
                bad |= to[i] != to[i]
        else:
            for i in range(n):
                to[i] = a[i * by_a] * b[i * by_b]
                bad |= to[i] != to[i]
    return None if bad else result


cdef const dt_row *_row(Py_ssize_t index, tuple args, double *x) except NULL:
    if not 0 <= index < DT_ROWS:
        raise IndexError(f"no row {index}; the table has {DT_ROWS}")
    cdef const dt_row *row = &rows[index]
    if len(args) != row.arity:
        raise TypeError(f"{row.name.decode()} takes {row.arity} arguments, not {len(args)}")
    if row.flags & DT_NEEDS_SCIPY:
        load_special()
    cdef Py_ssize_t i
    for i in range(3):
        x[i] = args[i] if i < row.arity else 0.0
    return row


def evaluate(Py_ssize_t index, *args):
    """The value of a row.

    Parameters
    ----------
    index : int
        The row's place in ``dualtape.rules.table.RULES``.
    *args : float
        Its arguments.

    Returns
    -------
    float
        The value by IEEE 754: NaN or inf where :mod:`math` would raise.

    Examples
    --------
    >>> evaluate(0, 1.0, 2.0)
    3.0
    """
    cdef double x[3]
    cdef const dt_row *row = _row(index, args, x)
    return row.value(x[0], x[1], x[2])


def partials(Py_ssize_t index, *args):
    """The first partial derivatives of a row; parameters as for `evaluate`.

    Returns
    -------
    tuple of float
        One for each argument.

    Examples
    --------
    >>> partials(2, 3.0, 4.0)
    (4.0, 3.0)
    """
    cdef double x[3]
    cdef double d[3]
    cdef const dt_row *row = _row(index, args, x)
    row.partials(x[0], x[1], x[2], row.value(x[0], x[1], x[2]), d)
    return tuple([d[i] for i in range(row.arity)])


def second(Py_ssize_t index, *args):
    """The second partial derivatives of a row; parameters as for `evaluate`.

    Returns
    -------
    tuple of float
        ``(xx,)``, ``(xx, xy, yy)`` or ``(xx, xy, xz, yy, yz, zz)``.

    Examples
    --------
    >>> second(2, 3.0, 4.0)
    (0.0, 1.0, 0.0)
    """
    cdef double x[3]
    cdef double d[3]
    cdef double h[6]
    cdef const dt_row *row = _row(index, args, x)
    row.second(x[0], x[1], x[2], row.value(x[0], x[1], x[2]), d, h)
    if row.arity == 1:
        return (h[0],)
    if row.arity == 2:
        return h[0], h[1], h[3]
    return h[0], h[1], h[2], h[3], h[4], h[5]
