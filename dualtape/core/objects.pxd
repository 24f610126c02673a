"""The reverse sweep over objects."""

from libc.stdint cimport uint32_t

from dualtape.core.shadows cimport Shadows
from dualtape.core.tape cimport Tape


cdef list sweep_objects(Tape tape, list outputs, list cotangents, Shadows shadows)
cdef uint32_t reach_of(Tape tape, list outputs)
