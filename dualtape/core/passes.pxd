"""The sweeps in C."""

from libc.stdint cimport int64_t, uint32_t

from dualtape.core.node cimport dt_shadows
from dualtape.core.tape cimport Tape, dt_tape


cdef extern from "lanes.h" nogil:
    ctypedef struct dt_lanes:
        dt_shadows *bar
        dt_shadows dot
        dt_shadows bardot
        double *scalar_bar
        double *scalar_dot
        double *scalar_bardot
        int lanes
        int wide
        double *saved
        int keeps
        int strict
        int failed
    enum:
        DT_MOST_LANES

# Nodes that a sweep passes without the GIL before it looks for Ctrl-C: some milliseconds; with arrays, fewer.
cdef enum:
    CHUNK = 1 << 19
    SHORT = 1 << 13

cdef dt_tape begin(Tape tape) noexcept
cdef void end(Tape tape) noexcept
cdef int sweep_reverse(Tape tape, double *bar, uint32_t size) except -1
cdef int64_t piece_with_arrays(const dt_tape *t, double *bar, uint32_t start, uint32_t stop, int strict,
                               dt_shadows *s) noexcept nogil
cdef int64_t piece_of_tangents(const dt_tape *t, dt_lanes *l, uint32_t start, uint32_t stop) noexcept nogil
cdef int64_t piece_of_second(const dt_tape *t, dt_lanes *l, uint32_t start, uint32_t stop) noexcept nogil
cdef void end_shadows(dt_shadows *s) noexcept nogil
cdef double *make_shadow(dt_shadows *s, uint32_t storage) noexcept nogil
cdef void drop_shadow(dt_shadows *s, uint32_t storage) noexcept nogil
