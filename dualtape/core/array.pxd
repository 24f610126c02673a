"""The arrays that users hold."""

cimport cython
from dualtape.core.view cimport Storage, View


@cython.no_gc
cdef class Array(View):
    pass


@cython.no_gc
cdef class VarArray(Array):
    pass


@cython.no_gc
cdef class DualArray(Array):
    pass


cdef View new_var_array(Storage s)

# What the module of nodes in C does, which lies above: None where it declines.
cdef object (*native_row)(int row, object x, object y, object z, int arity)
cdef object (*native_matmul)(object a, object b)
cdef object (*native_total)(View a, tuple axes, bint keepdims)
