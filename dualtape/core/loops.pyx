"""NumPy's loops over numbers: what its ufuncs run, without the cost of calling the ufuncs."""

import numpy as np

cimport numpy as cnp
from libc.string cimport memset

from dualtape.core.kernels cimport DT_COS, DT_ROWS, DT_SIN, rows
from dualtape.core.node cimport (
    DT_CAST, DT_COMPLEX, DT_CONJUGATE, DT_DOUBLE, DT_FLOAT, DT_KINDS, DT_LOOPS, dt_loop, dt_ufunc,
)

from dualtape.rules.table import RULES

cdef extern from "numpy/ufuncobject.h":
    ctypedef struct PyUFuncObject:
        int nin, nout, nargs, ntypes
        void *functions
        void *data
        const char *types

cdef extern from "typed.h" nogil:
    void dt_double_to_float(char **args, const Py_ssize_t *dimensions, const Py_ssize_t *strides, void *data) noexcept
    void dt_double_to_complex(char **args, const Py_ssize_t *dimensions, const Py_ssize_t *strides, void *data) noexcept
    void dt_float_to_double(char **args, const Py_ssize_t *dimensions, const Py_ssize_t *strides, void *data) noexcept
    void dt_float_to_complex(char **args, const Py_ssize_t *dimensions, const Py_ssize_t *strides, void *data) noexcept

cdef extern from "circular.h" nogil:
    bint dt_circular_serves() noexcept
    void dt_sin_loop(char **args, const Py_ssize_t *dimensions, const Py_ssize_t *strides, void *data) noexcept
    void dt_cos_loop(char **args, const Py_ssize_t *dimensions, const Py_ssize_t *strides, void *data) noexcept

cdef dt_ufunc loops[DT_KINDS * DT_LOOPS]
# NumPy's loops of sine and cosine, where those of our own are before them.
cdef dt_ufunc behind[2]
ufuncs = loops
item_size[:] = [8, 4, 16]
cdef int *numbers = [cnp.NPY_DOUBLE, cnp.NPY_FLOAT, cnp.NPY_CDOUBLE]

# The rows that there are slopes for in C where the numbers are complex.
cdef object COMPLEX_ROWS = frozenset(
    "add sub mul div neg pos pow sqrt square reciprocal exp log sin cos sinh cosh tanh abs".split()
)


cdef int find_loop(object ufunc, int kind, int out, int row) except -1:
    """The loop of a ufunc from numbers of one kind to those of another, where it has one."""
    cdef dt_ufunc *found = &loops[kind * DT_LOOPS + row]
    cdef PyUFuncObject *u = <PyUFuncObject *>ufunc
    cdef int i, k
    cdef bint fits
    for i in range(u.ntypes):
        fits = True
        for k in range(u.nargs):
            fits = fits and u.types[i * u.nargs + k] == numbers[kind if k < u.nin else out]
        if fits:
            found.loop = (<dt_loop *>u.functions)[i]
            found.data = (<void **>u.data)[i]
            return 0
    return 0


def _find_loops():
    cdef int kind, out
    memset(loops, 0, sizeof(loops))
    for row, rule in enumerate(RULES):
        for name in rule.ufuncs:
            module, _, attribute = name.rpartition(".")
            if module == "numpy":
                ufunc = getattr(np, attribute)
                if isinstance(ufunc, np.ufunc):
                    find_loop(ufunc, DT_DOUBLE, DT_DOUBLE, row)
                    find_loop(ufunc, DT_FLOAT, DT_FLOAT, row)
                    if rule.name in COMPLEX_ROWS:
                        out = DT_DOUBLE if rule.name == "abs" else DT_COMPLEX
                        find_loop(ufunc, DT_COMPLEX, out, row)
                    break
    for kind in range(DT_KINDS):
        find_loop(np.matmul, kind, kind, <int>DT_ROWS)
    find_loop(np.conjugate, DT_COMPLEX, DT_COMPLEX, <int>DT_CONJUGATE)
    if dt_circular_serves():
        behind[0] = loops[DT_SIN]
        behind[1] = loops[DT_COS]
        loops[DT_SIN].loop = dt_sin_loop
        loops[DT_COS].loop = dt_cos_loop
        loops[DT_SIN].data = &behind[0]
        loops[DT_COS].data = &behind[1]
    loops[DT_DOUBLE * DT_LOOPS + DT_CAST + DT_FLOAT].loop = dt_double_to_float
    loops[DT_DOUBLE * DT_LOOPS + DT_CAST + DT_COMPLEX].loop = dt_double_to_complex
    loops[DT_FLOAT * DT_LOOPS + DT_CAST + DT_DOUBLE].loop = dt_float_to_double
    loops[DT_FLOAT * DT_LOOPS + DT_CAST + DT_COMPLEX].loop = dt_float_to_complex


_find_loops()


def has_vectors():
    """Whether loops for the processor's longer vectors are used: AVX2, and AVX-512 where it has that."""
    return bool(dt_circular_serves())


cdef void compute(int row, int kind, int out_kind, int arity, Py_ssize_t n, char *const *x, const Py_ssize_t *step,
                  char *out, Py_ssize_t out_step) noexcept:
    """A row along one axis. Steps count numbers of the kind."""
    cdef char *args[4]
    cdef Py_ssize_t strides[4]
    cdef const dt_ufunc *found = &loops[kind * DT_LOOPS + row]
    cdef Py_ssize_t i
    cdef int k
    cdef double y, z
    if found.loop != NULL:
        for k in range(arity):
            args[k] = x[k]
            strides[k] = item_size[kind] * step[k]
        args[arity] = out
        strides[arity] = item_size[out_kind] * out_step
        found.loop(args, &n, strides, found.data)
        return
    for i in range(n):
        y = (<double *>x[1])[i * step[1]] if arity > 1 else 0.0
        z = (<double *>x[2])[i * step[2]] if arity > 2 else 0.0
        (<double *>out)[i * out_step] = rows[row].value((<double *>x[0])[i * step[0]], y, z)
