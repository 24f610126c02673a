"""Memory for the numbers of large arrays."""

cdef void *take(size_t bytes) noexcept nogil
cdef void give(void *p) noexcept nogil
cdef object doubles(Py_ssize_t n)
cdef object buffer(Py_ssize_t n, double **p)
