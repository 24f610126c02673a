"""Tangents in lanes."""

cimport numpy as cnp
from libc.stdint cimport int64_t, uint32_t

from dualtape.core.adjoint cimport Call, Reference
from dualtape.core.node cimport dt_shadows
from dualtape.core.passes cimport dt_lanes
from dualtape.core.shadows cimport Shadows
from dualtape.core.tape cimport Tape


cdef class Lanes:
    cdef Tape tape
    cdef Shadows shadows
    cdef dt_lanes c
    cdef int64_t *sizes
    cdef list saved  # tangents that nodes of Python overwrote
    cdef uint32_t size
    cdef int check(self) except -1
    cdef double *memory(self, dt_shadows *shadows, uint32_t id, bint make) except? NULL
    cdef object flat(self, dt_shadows *shadows, uint32_t id, bint make)
    cdef list views(self, dt_shadows *shadows, Reference r, bint make)
    cdef uint32_t first_scalar(self, Reference r)
    cdef int seed(self, list places, cnp.ndarray block, bint reverse) except -1
    cdef int gather(self, list places, cnp.ndarray block, bint reverse) except -1
    cdef int forwards(self) except -1
    cdef int backwards(self) except -1
    cdef Call call_at(self, uint32_t i)
    cdef list tangents_of(self, Call call)
    cdef list numbers(self, const double *scalars, uint32_t index)
    cdef int push_call(self, Call call, uint32_t i) except -1
    cdef int second_call(self, Call call, uint32_t i) except -1
    cdef int pull(self, Call call, uint32_t i, object bar, object bardots) except -1
    cdef int add(self, object operand, object part, int lane) except -1
