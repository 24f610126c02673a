"""Arrays that carry derivatives: storages, and the views of them that users hold."""

from libc.stdint cimport uint32_t

from dualtape.core.tape cimport Tape


cdef enum:
    MAX_DIMS = 32


cdef class Storage:
    """The memory behind an array and all views of it."""
    cdef unsigned long long level  # of which differentiation; 0: plain numbers, until a traced one is assigned
    cdef Tape tape                 # reverse levels: the tape
    cdef uint32_t id               # reverse levels: which adjoint on the tape
    cdef bint needed               # a recorded node reads `data` in its sweep: the next write takes a copy first
    cdef double *p                 # reverse levels of float64 numbers: the primal's memory
    cdef object chunk              # small arrays: what `p` lies in
    cdef object data               # the primal: a flat ndarray, or a flat Array of lower levels
    cdef list tangents             # forward levels: flat like `data`, None for zero
    cdef Py_ssize_t size
    cdef object dtype


cdef class Array:
    """A view of a storage. Offsets and steps count elements of it."""
    cdef Storage store
    cdef Py_ssize_t offset
    cdef Py_ssize_t size
    cdef int nd
    cdef int part          # 0: the elements themselves, 1 and 2: real and imaginary parts of complex ones
    cdef bint readonly
    cdef Py_ssize_t shape_[MAX_DIMS]
    cdef Py_ssize_t step_[MAX_DIMS]


cdef class VarArray(Array):
    pass


cdef class DualArray(Array):
    pass


cdef class Reference:
    cdef readonly uint32_t id
    cdef Array shape_source


cdef class Call:
    cdef readonly Reference out
    cdef readonly list operands
    cdef readonly object pull
    cdef readonly object key


cdef object data_of(Storage s)
cdef Array new_array(Storage s)
cdef VarArray new_var_array(Storage s)
cdef int unwritten(Storage s) except -1
cdef int resolve(Storage s) except -1

# What the module of nodes in C does, which lies above: None where it declines.
cdef object (*native_row)(int row, object x, object y, object z, int arity)
cdef object (*native_matmul)(object a, object b)
