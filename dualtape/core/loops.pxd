"""NumPy's loops over float64."""

from dualtape.core.node cimport dt_ufunc

# By row of the rule table; behind them that of matmul.
cdef dt_ufunc *ufuncs

cdef void compute(int row, int arity, Py_ssize_t n, double *const *x, const Py_ssize_t *step, double *out,
                  Py_ssize_t out_step) noexcept
