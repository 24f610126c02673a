"""Of what kind of numbers a node is."""

from dualtape.core.operands cimport Operand


cdef int flags_of(int row, int kind) noexcept
cdef int result_kind(int row, int kind) noexcept
cdef object kind_of_constant(object array, int arity, int *kind)
cdef bint read_scalar(object x, Operand *to) except -1
cdef int decide(int row, int arity, Operand *operand, list constants) except -2
