"""Tapes and buffers kept from one differentiation to the next: fresh memory costs as much time as recording.

The GIL guards the pool. It is bounded: four tapes with a block each, 32 further blocks, and four buffers of at most
64 MiB.
"""

from cpython.ref cimport Py_REFCNT
from libc.stdint cimport int64_t

from dualtape.core.tape cimport Tape, release_blocks

from dualtape.core.buffers import release as release_buffers
from dualtape.errors import no_memory

cdef extern from "scratch.h" nogil:
    double *dt_scratch_take(size_t doubles)
    void dt_scratch_give(double *p)
    size_t dt_scratch_release()

cdef list spare_tapes = []


cdef Tape take_tape():
    """An open tape, used before where there is one: its first block is warm."""
    cdef Tape tape
    if spare_tapes:
        tape = <Tape>spare_tapes.pop()
        tape.wake()
        return tape
    return Tape()


cdef int give_tape(Tape tape, int holders) except -1:
    """End a tape that `take_tape` gave and that `holders` references of the caller's hold. It serves again unless a
    Var that escaped holds it too."""
    if len(spare_tapes) < 4 and Py_REFCNT(tape) == holders and not tape.t.sweeping:
        tape.rest()
        spare_tapes.append(tape)
    else:
        tape.close()
    return 0


cdef double *take_scratch(Tape tape, size_t doubles) except NULL:
    """Zeroed doubles for the adjoints or tangents of a tape."""
    cdef double *p = dt_scratch_take(doubles)
    if p == NULL:
        raise no_memory(tape.t.size, tape.held(), doubles * 8)
    return p


cdef void give_scratch(double *p) noexcept:
    dt_scratch_give(p)


def release_memory():
    """Return the memory that dualtape keeps for reuse to the operating system.

    Blocks of tapes and buffers of adjoints are kept between differentiations, some 100 MiB at most, since fresh memory
    costs as much time as recording.

    Returns
    -------
    int
        Bytes returned.
    """
    cdef int64_t held = 0
    for tape in spare_tapes:
        held += (<Tape>tape).held()
        (<Tape>tape).close()
    spare_tapes.clear()
    release_blocks()
    return held + <int64_t>dt_scratch_release() + release_buffers()
