"""Dual numbers: a primal with n tangents."""

from dualtape.core.traced cimport Traced


cdef enum:
    INLINE_PARTIALS = 8


cdef class Dual(Traced):
    """A float64 primal with n float64 tangents, n fixed at creation.

    The object holds `n` tangents; for more than INLINE_PARTIALS it is allocated larger, and `partial_` runs on past
    its declared end.
    """
    cdef double primal
    cdef unsigned int n
    cdef double partial_[INLINE_PARTIALS]


cdef class BoxedDual(Dual):
    """A primal and tangents that are Python objects: values of an outer differentiation, Fractions, complex numbers."""
    cdef object boxed
    cdef tuple tangents


cdef object call_unary_dual(int row, Dual x)
cdef object make(unsigned long long level, object value, tuple tangents)
cdef Dual seed(unsigned long long level, double x)
