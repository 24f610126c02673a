"""The tape and its handles."""

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint16_t, uint32_t

from dualtape.core.kernels cimport dt_row
from dualtape.core.traced cimport Traced


cdef extern from "tape.h" nogil:
    ctypedef struct dt_block:
        double *value
        uint32_t *a
        uint32_t *b
        uint16_t *op
    ctypedef struct dt_tape:
        uint32_t size
        uint32_t limit
        double *constants
        uint32_t n_constants
        dt_block **blocks
        int state
        int sweeping
        int64_t *shadow_size
        uint32_t n_shadows
        uint32_t cap_shadows
        int arrays
    ctypedef struct dt_counts:
        int64_t open_tapes
        int64_t pooled_blocks
        int64_t pooled_bytes
    dt_counts dt_live
    enum:
        DT_BLOCK_BITS, DT_MASK, DT_A_CONSTANT, DT_B_CONSTANT
        DT_INPUT, DT_LEAF, DT_ARG, DT_BOXED, DT_ARRAY, DT_ELEMENT, DT_STORE, DT_CALL, DT_PIN, DT_COMPARE
        DT_OK, DT_NO_MEMORY, DT_CLOSED, DT_FULL
        DT_STATE_OPEN, DT_STATE_FROZEN, DT_STATE_CLOSED
    void dt_tape_init(dt_tape *t)
    void dt_tape_freeze(dt_tape *t)
    void dt_tape_rest(dt_tape *t)
    void dt_tape_rewind(dt_tape *t)
    void dt_tape_close(dt_tape *t)
    void dt_tape_settle(dt_tape *t)
    size_t dt_tape_bytes(const dt_tape *t)
    size_t dt_tape_held(const dt_tape *t)
    int dt_room(dt_tape *t)
    uint32_t dt_append(dt_tape *t, uint32_t op, uint32_t a, uint32_t b, double value)
    int dt_constant(dt_tape *t, double c, uint32_t *place)
    double dt_value_at(const dt_tape *t, uint32_t i)
    void dt_pool_release()
    int dt_tape_shadow(dt_tape *t, int64_t size, uint32_t *id)
    void *dt_tape_room(dt_tape *t, size_t bytes)
    void *dt_tape_bump(dt_tape *t, size_t bytes)
    double dt_pack_store(uint32_t storage, uint32_t place)
    ctypedef struct dt_store:
        uint32_t storage
        uint32_t place
    int64_t dt_open_nodes()


cdef class Var(Traced)


cdef class Tape:
    """A recorded program."""
    cdef dt_tape t
    cdef readonly unsigned long long level
    cdef list records  # of the boxed nodes and those on arrays; None while there are none
    cdef dict scalars  # of arrays whose elements are variables of their own the first one, by number
    cdef dict dtypes   # of the arrays that are not of float64, by the number of their adjoint
    cdef list kept     # arrays whose memory recorded nodes read
    cdef list large    # the large ones: pairs of the first node that reads it, and what holds it
    cdef double *room  # memory for the numbers of small arrays
    cdef Py_ssize_t room_left
    cdef object chunk  # the array that holds it
    cdef readonly bint keeps_all  # whether nodes keep what their tangents read beside what their adjoints do
    cdef bint boxed    # whether any number on the tape is a Python object: sweeps then run on objects
    cdef int keep(self, object array) except -1
    cdef double *small(self, Py_ssize_t n) except NULL
    cdef void *node_room(self, size_t bytes) except NULL
    cpdef uint32_t new_shadow(self, Py_ssize_t size, object dtype) except? 0xFFFFFFFF
    cdef void forget(self) noexcept
    cdef void settle(self) noexcept
    cdef size_t held(self) noexcept
    cdef void rest(self) noexcept
    cdef void wake(self) noexcept
    cdef Var box(self, uint32_t op, uint32_t place, object value)


cdef class Var(Traced):
    """Handle of one scalar on a tape."""
    cdef PyObject *owner  # its Tape, a reference that the Var holds
    cdef double primal
    cdef uint32_t index


cdef class BoxedVar(Var):
    """Handle of a number on a tape that is not a float: a value of an outer differentiation, a Fraction, a complex."""
    cdef object boxed


cdef object call_unary(int row, Var x)
cdef Var handle(Tape tape, uint32_t index, double value)
cdef Var new_var(Tape tape, uint32_t op, uint32_t a, uint32_t b, double value)
cdef uint32_t constant_of(Tape tape, double c) except? 0xFFFFFFFF
cdef int64_t append_node(Tape tape, uint32_t op, uint32_t a, uint32_t b, double value) except -1
cdef uint32_t new_native_shadow(Tape tape, Py_ssize_t size) except? 0xFFFFFFFF
cdef int64_t release_blocks() noexcept

# A row at numbers of any kind, from the module above.
cdef object (*record_row)(Tape tape, int row, tuple args)
