# Nodes on arrays, their operands, shadows and NumPy's loops, as C has them.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from dualtape.core.kernels cimport dt_row


cdef extern from "array.h" nogil:
    ctypedef struct dt_operand:
        const double *value
        const int64_t *vstep
        const int64_t *bstep
        int64_t at
        uint32_t storage
        uint32_t scalar
    ctypedef struct dt_array_node:
        int64_t n
        const int64_t *shape
        uint16_t kind
        uint16_t row
        uint8_t nd
        uint8_t arity
        uint8_t overwrites
        uint8_t elements
        dt_operand out
        dt_operand x[3]
    ctypedef void (*dt_loop)(char **args, const Py_ssize_t *dimensions, const Py_ssize_t *strides, void *data) noexcept
    ctypedef struct dt_ufunc:
        dt_loop loop
        void *data
    ctypedef struct dt_shadows:
        double **bar
        const int64_t *size
        uint32_t count
        const dt_ufunc *ufuncs
        const dt_row *rows
        void *(*take)(size_t bytes) noexcept
        void (*give)(void *p) noexcept
        int failed
    enum:
        DT_NONE, DT_ELEMENTWISE, DT_SUM, DT_MATMUL, DT_ALIKE, DT_TYPED, DT_SMALL
        DT_DOUBLE, DT_FLOAT, DT_COMPLEX, DT_KINDS
        DT_CONJUGATE, DT_CAST, DT_LOOPS
