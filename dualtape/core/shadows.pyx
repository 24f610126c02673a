"""The adjoints of arrays during a sweep, and the nodes on arrays that Python does."""

import numpy as np

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc

from dualtape.core.adjoint cimport Call, Reference
from dualtape.core.buffers cimport give, take
from dualtape.core.kernels cimport rows
from dualtape.core.loops cimport ufuncs
from dualtape.core.node cimport DT_SMALL, dt_shadows
from dualtape.core.tape cimport Tape
from dualtape.core.view cimport View

from dualtape.core.adjoint import accumulate, adjoint_view, make_reference
from dualtape.core.values import plain_array
from dualtape.errors import no_memory

cdef extern from "array.h" nogil:
    void dt_shadows_end(dt_shadows *s)
    double *dt_shadow_make(dt_shadows *s, uint32_t storage, int zero)

cnp.import_array()

cdef object FLOAT64 = np.dtype(np.float64)


cdef class Shadows:
    """The adjoints of the arrays on a tape during a sweep, made when first touched.

    Those of float64, float32 and complex128 lie in C memory, others are flat ndarrays. Where it holds an odd number of
    float32, there is one more at the end. In sweeps over objects all are flat Arrays, into which
    traced values of other levels may be written.
    """

    def __cinit__(self, Tape tape, bint traced):
        self.tape = tape
        self.flat = {}
        self.traced = traced
        self.c.count = tape.t.n_shadows
        self.c.size = tape.t.shadow_size
        self.c.ufuncs = ufuncs
        self.c.rows = rows
        self.c.take = take
        self.c.give = give
        self.c.bar = <double **>calloc(max(tape.t.n_shadows, 1), sizeof(double *))
        if self.c.bar == NULL:
            raise no_memory(tape.t.size, tape.held(), 8 * tape.t.n_shadows)

    def __dealloc__(self):
        if self.c.bar != NULL:
            dt_shadows_end(&self.c)

    cdef bint native(self, uint32_t id):
        return not self.traced and self.c.size[id] >= 0

    cdef object dtype_of(self, uint32_t id):
        """The dtype of an array and its adjoint."""
        dtypes = self.tape.dtypes
        return FLOAT64 if dtypes is None else dtypes.get(id, FLOAT64)

    cdef object memory(self, uint32_t id):
        """The flat adjoint of an array as it lies in C memory."""
        cdef cnp.dtype dtype = self.dtype_of(id)
        cdef cnp.npy_intp n = 8 * self.c.size[id] // cnp.PyDataType_ELSIZE(dtype)
        return cnp.PyArray_SimpleNewFromData(1, &n, dtype.num, self.c.bar[id])

    cdef object flat_of(self, uint32_t id, bint make):
        """The flat adjoint of an array, to be used at once; None where it is zero and not to be made."""
        cdef cnp.npy_intp n = self.c.size[id]
        if self.native(id):
            if self.c.bar[id] == NULL:
                if not make:
                    return None
                if dt_shadow_make(&self.c, id, 1) == NULL:
                    raise no_memory(self.tape.t.size, self.tape.held(), 8 * n)
            return self.memory(id)
        flat = self.flat.get(id)
        if flat is None and make:
            dtype = self.dtype_of(id)
            flat = np.zeros(-1 - n if n < 0 else 8 * n // dtype.itemsize, dtype)
            if self.traced:
                flat = plain_array(flat, True)
            self.flat[id] = flat
        return flat

    cdef object taken(self, uint32_t id):
        """The flat adjoint of an array, to be kept by the caller; it is zero from here on."""
        if not self.native(id):
            return self.flat.pop(id, None)
        if self.c.bar[id] == NULL:
            return None
        out = self.memory(id)
        if self.c.size[id] <= DT_SMALL:
            out = out.copy()
        else:
            cnp.set_array_base(out, PyCapsule_New(self.c.bar[id], NULL, free_capsule))
        self.c.bar[id] = NULL
        return out

    cdef int add(self, Reference r, object bar) except -1:
        """Accumulate into the adjoint of a view."""
        if bar is not None:
            accumulate(self.flat_of(r.id, True), r, bar)
        return 0


cdef void free_capsule(object capsule) noexcept:
    give(PyCapsule_GetPointer(capsule, NULL))


cdef Reference reference_of(object x):
    """The reference of an array, or the reference itself."""
    return x if isinstance(x, Reference) else make_reference(x)


cdef int pull_call(Call call, Shadows shadows, object bar, list contributions) except -1:
    """The contributions of a node on arrays to its operands, appended to a list; none where its adjoint is zero."""
    if call.out is not None:
        if call.key is not None:
            flat = shadows.flat_of(call.out.id, False)
            if flat is None:
                return 0
            view = adjoint_view(flat, call.out)
            bar = view[call.key[0]]
            bar = bar.copy() if isinstance(bar, (np.ndarray, View)) else bar
            view[call.key[0]] = 0.0
        else:
            flat = shadows.taken(call.out.id)  # nothing touched the array before this node made it
            if flat is None:
                return 0
            bar = adjoint_view(flat, call.out)
    elif bar is None:
        return 0
    contributions.extend(call.pull(bar))
    return 0


cdef int sweep_call(Call call, Shadows shadows, double *bars, uint32_t i) except -1:
    """A node on arrays whose adjoints are plain."""
    cdef list contributions = []
    bar = None
    if call.out is None and bars[i] != 0.0:
        bar = bars[i]
    pull_call(call, shadows, bar, contributions)
    for operand, contribution in zip(call.operands, contributions):
        if operand is None or contribution is None:
            continue
        if type(operand) is Reference:
            shadows.add(<Reference>operand, contribution)
        else:
            bars[<uint32_t>operand] += <double>float(contribution)
    return 0
