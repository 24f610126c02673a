"""What is kept from one differentiation to the next."""

from dualtape.core.tape cimport Tape


cdef Tape take_tape()
cdef int give_tape(Tape tape, int holders) except -1
cdef double *take_scratch(Tape tape, size_t doubles) except NULL
cdef void give_scratch(double *p) noexcept
