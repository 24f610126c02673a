"""Of what kind of numbers a node is."""

from dualtape.core.kernels cimport DT_ABS, DT_READS_OUT, DT_READS_X, DT_ROWS, DT_TANH, rows
from dualtape.core.node cimport DT_CAST, DT_COMPLEX, DT_DOUBLE
from dualtape.core.operands cimport Operand


cdef inline int flags_of(int row, int kind) noexcept:
    """What the slopes of a row read."""
    if row >= DT_ROWS:
        return 0
    if kind == DT_COMPLEX and (row == DT_ABS or row == DT_TANH):
        return DT_READS_X | DT_READS_OUT
    return rows[row].flags


cdef inline int result_kind(int row, int kind) noexcept:
    """The kind of a row's result."""
    if row >= DT_CAST:
        return row - DT_CAST
    return DT_DOUBLE if kind == DT_COMPLEX and row == DT_ABS else kind


cdef object kind_of_constant(object array, int arity, int *kind)
cdef bint read_scalar(object x, Operand *to) except -1
cdef int decide(int row, int arity, Operand *operand, list constants) except -2
