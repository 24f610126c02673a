"""NumPy's loops over numbers."""

from dualtape.core.node cimport DT_KINDS, dt_ufunc

# By kind of the operands (DT_LOOPS apart) and row of the rule table; behind the rows that of matmul, and others.
cdef dt_ufunc *ufuncs

# Bytes of a number of each kind.
cdef Py_ssize_t item_size[DT_KINDS]

cdef void compute(int row, int kind, int out_kind, int arity, Py_ssize_t n, char *const *x, const Py_ssize_t *step,
                  char *out, Py_ssize_t out_step) noexcept
