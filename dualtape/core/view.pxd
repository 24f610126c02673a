"""Storages and views."""

cimport cython
from libc.stdint cimport uint32_t

from dualtape.core.tape cimport Tape


cdef enum:
    MAX_DIMS = 32
    NO_SCALARS = 0xFFFFFFFF
    SCALARS_TO_COME = 0xFFFFFFFE


@cython.no_gc
cdef class Storage:
    """The memory behind an array and all views of it."""
    cdef unsigned long long level  # of which differentiation; 0: plain numbers, until a traced one is assigned
    cdef Tape tape                 # reverse levels: the tape
    cdef uint32_t id               # reverse levels: which adjoint on the tape
    cdef uint32_t first            # the scalar that element 0 is, where each element is a variable, or one of the above
    cdef bint needed               # a recorded node reads `data` in its sweep: the next write takes a copy first
    cdef double *p                 # reverse levels of float64 numbers: the primal's memory
    cdef object chunk              # small arrays: what `p` lies in
    cdef object data               # the primal: a flat ndarray, or a flat view of lower levels
    cdef list tangents             # forward levels: flat like `data`, None for zero
    cdef Py_ssize_t size
    cdef object dtype


@cython.no_gc
cdef class View:
    """A view of a storage. Offsets and steps count elements of it."""
    cdef Storage store
    cdef Py_ssize_t offset
    cdef Py_ssize_t size
    cdef int nd
    cdef int part          # 0: the elements themselves, 1 and 2: real and imaginary parts of complex ones
    cdef bint readonly
    cdef Py_ssize_t shape_[MAX_DIMS]
    cdef Py_ssize_t step_[MAX_DIMS]


# A view of a storage of a reverse level, from the module above.
cdef View (*new_var_view)(Storage s)

cdef Storage new_storage(object data, Py_ssize_t size, object dtype)
cdef object data_of(Storage s)
cdef void become(Storage s, Storage other) noexcept
cdef Storage twin(Storage s)
cdef int resolve(Storage s) except -1
cdef int raise_level(Storage s, object like) except -1
cdef int make_scalars(Storage s) except -1
cdef int unwritten(Storage s) except -1
cdef View flat_view(Storage s)
cdef View new_array(Storage s)
cdef View contiguous(Storage s, tuple shape, tuple order=*)
cdef View view_like(Storage s, View a)
cdef bint covers(View a)
cdef tuple order_of(View a)
cdef object ndarray_view(object flat, View a)
cdef object view_of(object flat, View a)
cdef object bottom(View a)
cdef tuple shape_of(View a)
cdef object subview(View a, object probe)
cpdef View transposed(View a)
cdef View empty_view(View a, object probe)
cdef bint has_ellipsis(object key)
cdef bint same_view(View a, View b)
cdef View basic_view(View a, object key)
