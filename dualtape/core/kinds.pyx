"""Of what kind of numbers a node is: NumPy's promotion of its operands' kinds."""

import numpy as np

cimport numpy as cnp
from libc.math cimport isfinite

from dualtape.core.kernels cimport DT_POW, DT_ROWS
from dualtape.core.loops cimport ufuncs
from dualtape.core.node cimport DT_COMPLEX, DT_DOUBLE, DT_FLOAT, DT_LOOPS, DT_NONE
from dualtape.core.operands cimport Operand, dtype_of

cnp.import_array()


cdef object kind_of_constant(object array, int arity, int *kind):
    """A plain array in C order, of one of the kinds, or of small integers, which promote as float32 does. None where it
    is of another dtype."""
    cdef int dtype = cnp.PyArray_TYPE(array)
    kind[0] = DT_DOUBLE
    if cnp.PyArray_NDIM(array) > 32:
        return None
    if dtype == cnp.NPY_FLOAT:
        kind[0] = DT_FLOAT
    elif dtype == cnp.NPY_CDOUBLE:
        kind[0] = DT_COMPLEX
    elif dtype != cnp.NPY_DOUBLE:
        if arity == 1 or not (cnp.PyTypeNum_ISINTEGER(dtype) or dtype == cnp.NPY_BOOL):
            return None
        if cnp.PyArray_ITEMSIZE(array) > 2:
            return array.astype(np.float64, "C")
        kind[0] = DT_FLOAT
        return array.astype(np.float32, "C")
    return array if cnp.PyArray_ISCARRAY_RO(array) else np.array(array, dtype=dtype_of(kind[0]), order="C")


cdef bint read_scalar(object x, Operand *to) except -1:
    """A number other than a float as an operand; whether it is one."""
    cdef double complex z
    if type(x) is int:
        if not -9007199254740992 <= x <= 9007199254740992:
            return False
        to.c[0] = x
        to.weak = True
    elif type(x) is np.float64:
        to.c[0] = x
    elif type(x) is np.float32:
        to.c[0] = x
        to.kind = DT_FLOAT
    elif type(x) is complex or type(x) is np.complex128:
        z = x
        to.c[0] = z.real
        to.c[1] = z.imag
        to.kind = DT_COMPLEX
        to.weak = type(x) is complex
    else:
        return False
    return True


cdef int decide(int row, int arity, Operand *operand, list constants) except -2:
    """The kind in which a row is computed; its plain operands are made to be of it. -1 where there is no such row."""
    cdef bint double = False, complex = False, weak = False
    cdef int k, kind
    for k in range(arity):
        if operand[k].weak:
            weak = weak or operand[k].kind == DT_COMPLEX
        elif operand[k].kind == DT_COMPLEX:
            complex = True
        elif operand[k].kind == DT_DOUBLE:
            double = True
    if weak and not double and not complex:
        return -1  # complex64
    kind = DT_COMPLEX if complex or weak else DT_DOUBLE if double else DT_FLOAT
    if (kind != DT_DOUBLE or row >= DT_ROWS) and ufuncs[kind * DT_LOOPS + row].loop == NULL:
        return -1
    if kind == DT_COMPLEX and row == DT_POW:
        if operand[1].is_array or operand[1].scalar != DT_NONE or constants is not None:
            return -1
    for k in range(arity):
        if operand[k].is_array:
            continue
        if constants is not None and constants[k] is not None:
            if operand[k].kind != kind:
                constants[k] = constants[k].astype(dtype_of(kind))
        elif kind == DT_COMPLEX:
            if operand[k].kind != DT_COMPLEX:
                operand[k].c[1] = 0.0
        elif kind == DT_FLOAT:
            if isfinite(operand[k].c[0]) and not isfinite(<float>operand[k].c[0]):
                return -1
            (<float *>operand[k].c)[0] = <float>operand[k].c[0]
    return kind
