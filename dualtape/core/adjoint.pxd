"""References to adjoints, and nodes on arrays that Python does."""

from libc.stdint cimport uint32_t

from dualtape.core.tape cimport Tape
from dualtape.core.view cimport View


cdef class Reference:
    cdef readonly uint32_t id
    cdef View shape_source


cdef class Call:
    cdef readonly Reference out
    cdef readonly list operands
    cdef readonly object pull
    cdef readonly object key
    cdef readonly object push


cdef Reference reference(View a)
cdef list references(Tape tape, operands)
