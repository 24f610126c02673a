"""Operands of nodes in C."""

cimport numpy as cnp
from libc.stdint cimport int64_t, uint32_t

from dualtape.core.node cimport dt_array_node
from dualtape.core.tape cimport Tape
from dualtape.core.view cimport MAX_DIMS, Storage, View


cdef struct Operand:
    char *p                 # the first element
    double c[2]             # the number of a scalar, of the operand's kind
    int kind                # of its numbers
    bint weak               # a number of Python's, which takes the precision of the others
    Py_ssize_t step[MAX_DIMS]  # along the axes of the result
    bint contiguous         # of the result's shape, in C order
    bint is_array
    uint32_t scalar


cdef int64_t zero_steps[MAX_DIMS]


cdef inline char *memory_of(Storage s) noexcept:
    """The numbers of a storage, which is of a kind that `numbers_of` gives."""
    return <char *>s.p if s.p != NULL else <char *>cnp.PyArray_DATA(s.data)


cdef bint in_c_order(View a)
cdef View fresh(Tape tape, int nd, const Py_ssize_t *shape)
cdef View fresh_of(Tape tape, int kind, int nd, const Py_ssize_t *shape)
cdef object dtype_of(int kind)
cdef View numbers_of(View a, int *kind)
cdef int64_t *steps_on(Tape tape, int nd, const Py_ssize_t *step) except NULL
cdef int keep_value(Tape tape, Storage s) except -1
cdef double *packed_on(Tape tape, int kind, int nd, const Py_ssize_t *shape, Py_ssize_t n, const char *p,
                       const Py_ssize_t *step) except NULL
cdef bint widen(int *nd, Py_ssize_t *shape, int more, const Py_ssize_t *other) noexcept
cdef void align(int nd, const Py_ssize_t *shape, int less, const Py_ssize_t *own, const Py_ssize_t *step,
                Py_ssize_t *out) noexcept
cdef int align_contiguous(int nd, const Py_ssize_t *shape, object arg, Py_ssize_t *out) except -1
cdef bint memory_order(int arity, int nd, const Py_ssize_t *shape, const Operand *operand, int *order) noexcept
cdef void evaluate(int row, int kind, int out_kind, int arity, int nd, const Py_ssize_t *shape, Py_ssize_t n,
                   Operand *operand, bint flat, char *out, const Py_ssize_t *out_step) noexcept
cdef int64_t append_array_node(Tape tape, dt_array_node *node) except -1
cdef const int64_t *packed_steps(Tape tape, int nd, const Py_ssize_t *shape, View a) except NULL
cdef const double *kept_constant(Tape tape, object array) except NULL
