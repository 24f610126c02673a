"""The sweeps in C, in pieces between which Ctrl-C is looked for."""

from cpython.exc cimport PyErr_CheckSignals

from dualtape.core.kernels cimport dt_row, rows

from dualtape.core.strict import is_strict

cdef extern from "tape.h" nogil:
    int64_t dt_sweep_arrays(const dt_tape *t, const dt_row *rows, double *bar, uint32_t start, uint32_t stop,
                            int strict, dt_shadows *s)
    void dt_sweep_reverse(const dt_tape *t, const dt_row *rows, double *bar, uint32_t start, uint32_t stop, int strict)
    int64_t dt_sweep_tangent(const dt_tape *t, const dt_row *rows, dt_lanes *l, uint32_t start, uint32_t stop)
    int64_t dt_sweep_second(const dt_tape *t, const dt_row *rows, dt_lanes *l, uint32_t start, uint32_t stop)
    void dt_shadows_end(dt_shadows *s)
    double *dt_shadow_make(dt_shadows *s, uint32_t storage, int zero)
    void dt_shadow_drop(dt_shadows *s, uint32_t storage)


cdef dt_tape begin(Tape tape) noexcept:
    """What a sweep reads: the tape as it is now. Recording may go on in other threads, closing may not."""
    tape.t.sweeping += 1
    return tape.t


cdef void end(Tape tape) noexcept:
    """The counterpart of `begin`."""
    tape.t.sweeping -= 1
    if tape.t.sweeping == 0:
        tape.settle()


cdef int sweep_reverse(Tape tape, double *bar, uint32_t size) except -1:
    """All adjoints of the nodes below `size` of a tape without arrays."""
    cdef int strict = is_strict()
    cdef uint32_t i = size, stop
    cdef dt_tape now
    if size <= SHORT:  # takes less time than giving the GIL away
        dt_sweep_reverse(&tape.t, rows, bar, size, 0, strict)
        return 0
    now = begin(tape)
    try:
        while i > 0:
            stop = i - CHUNK if i > CHUNK else 0
            with nogil:
                dt_sweep_reverse(&now, rows, bar, i, stop, strict)
            i = stop
            PyErr_CheckSignals()
    finally:
        end(tape)
    return 0


cdef int64_t piece_with_arrays(const dt_tape *t, double *bar, uint32_t start, uint32_t stop, int strict,
                               dt_shadows *s) noexcept nogil:
    """Nodes `start` down to `stop`: the place of one that Python does, after which to go on, or -1."""
    return dt_sweep_arrays(t, rows, bar, start, stop, strict, s)


cdef int64_t piece_of_tangents(const dt_tape *t, dt_lanes *l, uint32_t start, uint32_t stop) noexcept nogil:
    """As `piece_with_arrays`, for tangents and upwards."""
    return dt_sweep_tangent(t, rows, l, start, stop)


cdef int64_t piece_of_second(const dt_tape *t, dt_lanes *l, uint32_t start, uint32_t stop) noexcept nogil:
    """As `piece_with_arrays`, for adjoints and their tangents."""
    return dt_sweep_second(t, rows, l, start, stop)


cdef void end_shadows(dt_shadows *s) noexcept nogil:
    dt_shadows_end(s)


cdef double *make_shadow(dt_shadows *s, uint32_t storage) noexcept nogil:
    return dt_shadow_make(s, storage, 1)


cdef void drop_shadow(dt_shadows *s, uint32_t storage) noexcept nogil:
    dt_shadow_drop(s, storage)
