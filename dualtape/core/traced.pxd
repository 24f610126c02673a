"""What all traced numbers share: dispatch between levels, and the number protocol."""

cdef class Traced:
    """A number that carries derivatives. `level` says of which differentiation."""
    cdef unsigned long long level


cdef unsigned long long level_by_hand(tuple parts) except? 0
cdef object value_of(object x)
cdef object as_number(object x)
cdef object apply(int row, tuple args)
cdef object partial(int row, int place, tuple primals, object out)
cdef object innermost(object x)
cdef bint has_complex_core(object x)
cdef int require_special(int row) except -1
cdef object binary(int row, object a, object b)
cdef object unary(int row, object x)
cdef object compare(object a, object b, int op)
cdef object floor_divide(object a, object b)
cdef object power(object a, object b)


cdef inline bint compare_doubles(double x, double y, int op) noexcept:
    """x < y, x <= y, x == y, x != y, x > y, x >= y for Python's Py_LT to Py_GE."""
    if op == 0:
        return x < y
    if op == 1:
        return x <= y
    if op == 2:
        return x == y
    if op == 3:
        return x != y
    if op == 4:
        return x > y
    return x >= y
