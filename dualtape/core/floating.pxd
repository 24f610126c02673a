"""The floating-point flags, which NumPy's warnings come from."""

cdef extern from "floating.h":
    void dt_clear_flags() noexcept nogil
    int dt_raised_flags() noexcept nogil

cdef int report(int row, int flags) except -1
