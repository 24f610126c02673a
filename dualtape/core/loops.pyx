"""NumPy's loops over float64: what its ufuncs run, without the cost of calling the ufuncs."""

import numpy as np

cimport numpy as cnp
from libc.string cimport memset

from dualtape.core.kernels cimport DT_ROWS, rows
from dualtape.core.node cimport dt_loop, dt_ufunc

from dualtape.rules.table import RULES

cdef extern from "numpy/ufuncobject.h":
    ctypedef struct PyUFuncObject:
        int nin, nout, nargs, ntypes
        void *functions
        void *data
        const char *types

cdef dt_ufunc loops[DT_ROWS + 1]
ufuncs = loops


cdef int find_loop(object ufunc, dt_ufunc *found) except -1:
    """The loop of a ufunc for float64, where it has one."""
    cdef PyUFuncObject *u = <PyUFuncObject *>ufunc
    cdef int i, k
    cdef bint fits
    for i in range(u.ntypes):
        fits = True
        for k in range(u.nargs):
            fits = fits and u.types[i * u.nargs + k] == cnp.NPY_DOUBLE
        if fits:
            found.loop = (<dt_loop *>u.functions)[i]
            found.data = (<void **>u.data)[i]
            return 0
    return 0


def _find_loops():
    memset(loops, 0, sizeof(loops))
    for row, rule in enumerate(RULES):
        for name in rule.ufuncs:
            module, _, attribute = name.rpartition(".")
            if module == "numpy":
                ufunc = getattr(np, attribute)
                if isinstance(ufunc, np.ufunc):
                    find_loop(ufunc, &loops[row])
                    break
    find_loop(np.matmul, &loops[<int>DT_ROWS])


_find_loops()


cdef void compute(int row, int arity, Py_ssize_t n, double *const *x, const Py_ssize_t *step, double *out,
                  Py_ssize_t out_step) noexcept:
    """A row along one axis. Steps count doubles."""
    cdef char *args[4]
    cdef Py_ssize_t strides[4]
    cdef Py_ssize_t i
    cdef int k
    cdef double y, z
    if loops[row].loop != NULL:
        for k in range(arity):
            args[k] = <char *>x[k]
            strides[k] = 8 * step[k]
        args[arity] = <char *>out
        strides[arity] = 8 * out_step
        loops[row].loop(args, &n, strides, loops[row].data)
        return
    for i in range(n):
        y = x[1][i * step[1]] if arity > 1 else 0.0
        z = x[2][i * step[2]] if arity > 2 else 0.0
        out[i * out_step] = rows[row].value(x[0][i * step[0]], y, z)
