"""The adjoints of arrays during a sweep."""

from libc.stdint cimport uint32_t

from dualtape.core.adjoint cimport Call, Reference
from dualtape.core.node cimport dt_shadows
from dualtape.core.tape cimport Tape


cdef class Shadows:
    cdef Tape tape
    cdef dt_shadows c
    cdef dict flat    # those that are objects, by number
    cdef bint traced  # whether all are
    cdef bint native(self, uint32_t id)
    cdef object dtype_of(self, uint32_t id)
    cdef object memory(self, uint32_t id)
    cdef object flat_of(self, uint32_t id, bint make)
    cdef object taken(self, uint32_t id)
    cdef int add(self, Reference r, object bar) except -1


cdef Reference reference_of(object x)
cdef int pull_call(Call call, Shadows shadows, object bar, list contributions) except -1
cdef int sweep_call(Call call, Shadows shadows, double *bars, uint32_t i) except -1
