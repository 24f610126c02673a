"""Operations on arrays of float64 that are recorded as nodes in C."""

from dualtape.core.array cimport Array


cdef extern from "array.h" nogil:
    ctypedef void (*dt_loop)(char **args, const Py_ssize_t *dimensions, const Py_ssize_t *strides, void *data) noexcept
    ctypedef struct dt_ufunc:
        dt_loop loop
        void *data

# NumPy's loops, by row; behind them that of matmul.
cdef dt_ufunc *ufuncs

cdef object record_row(int row, object x, object y, object z, int arity)
cdef object record_matmul(object a, object b)
