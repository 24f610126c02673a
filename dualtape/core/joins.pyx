"""Arrays of float64 made of others, and of numbers, recorded as nodes in C. What they are not made for, they decline by
None."""

import numpy as np

cimport numpy as cnp
from cpython.ref cimport PyObject
from libc.string cimport memcpy

from dualtape.core.array cimport VarArray, new_var_array
from dualtape.core.elements cimport write_element
from dualtape.core.kernels cimport DT_POS
from dualtape.core.native cimport record
from dualtape.core.operands cimport fresh
from dualtape.core.tape cimport DT_STATE_OPEN, Tape, Var
from dualtape.core.view cimport MAX_DIMS, View

from dualtape.errors import escaped

cnp.import_array()

# Numbers from which on the adjoint of a result is worth returning once its parts have it, as the general rule does.
cdef enum:
    LARGE = 2048


cdef bint goes_in_c_order(View a):
    """Whether NumPy would lay out a result as C does for this operand."""
    cdef Py_ssize_t before = 0, step
    cdef int k
    for k in range(a.nd - 1, -1, -1):
        if a.shape_[k] == 1:
            continue
        step = a.step_[k] if a.step_[k] >= 0 else -a.step_[k]
        if step <= before:
            return False
        before = step
    return True


def joined(list parts, Py_ssize_t axis):
    """np.concatenate of a few numbers.

    Parameters
    ----------
    parts : list of ndarray or Array
    axis : int
    """
    cdef Tape tape = None
    cdef View a, out, target
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef const Py_ssize_t *own
    cdef Py_ssize_t n, start = 0, size = 1, inner = 1, outer = 1, i, j
    cdef int k, nd = -1, have
    for x in parts:
        if type(x) is VarArray:
            a = <View>x
            if a.store.p == NULL or a.part or not goes_in_c_order(a):
                return None
            if tape is None:
                tape = a.store.tape
            elif tape is not a.store.tape:
                return None
            have = a.nd
            own = a.shape_
        elif type(x) is np.ndarray and cnp.PyArray_TYPE(x) == cnp.NPY_DOUBLE and cnp.PyArray_ISCARRAY_RO(x):
            have = cnp.PyArray_NDIM(x)
            own = <const Py_ssize_t *>cnp.PyArray_DIMS(x)
        else:
            return None
        if nd < 0:
            nd = have
            if not 0 < nd <= MAX_DIMS or not -nd <= axis < nd:
                return None
            axis += nd if axis < 0 else 0
            for k in range(nd):
                shape[k] = own[k]
            continue
        if have != nd:
            return None
        for k in range(nd):
            if k == axis:
                shape[k] += own[k]
            elif shape[k] != own[k]:
                return None
    if tape is None:
        return None
    if tape.t.state != DT_STATE_OPEN:
        raise escaped()
    for k in range(nd):
        size *= shape[k]
        if k > axis:
            inner *= shape[k]
        elif k < axis:
            outer *= shape[k]
    if not 0 < size < LARGE:
        return None
    out = fresh(tape, nd, shape)
    for x in parts:
        if type(x) is VarArray:
            n = (<View>x).shape_[axis]
            target = new_var_array(out.store)
            target.nd = nd
            target.offset = start * inner
            target.size = (<View>x).size
            for k in range(nd):
                target.shape_[k] = (<View>x).shape_[k]
                target.step_[k] = out.step_[k]
            if n and record(DT_POS, x, None, None, 1, target) is None:
                return None
        else:  # constants: no node has to pass anything on to them
            n = cnp.PyArray_DIM(x, axis)
            for i in range(outer):
                j = n * inner
                memcpy(out.store.p + i * shape[axis] * inner + start * inner,
                       <const double *>cnp.PyArray_DATA(x) + i * j, 8 * j)
        start += n
    return out


def filled(list items, tuple shape):
    """An array of numbers, some of them scalars of one tape.

    Parameters
    ----------
    items : list of Var, float or int
        In C order.
    shape : tuple of int
    """
    cdef Tape tape = None
    cdef View out
    cdef Py_ssize_t lengths[MAX_DIMS]
    cdef Py_ssize_t k, nd = len(shape)
    if not 0 < nd <= MAX_DIMS:
        return None
    for x in items:
        if type(x) is Var:
            if tape is None:
                tape = <Tape>(<Var>x).owner
            elif (<Var>x).owner != <PyObject *>tape:
                return None
        elif type(x) is int:
            if not -9007199254740992 <= x <= 9007199254740992:
                return None
        elif type(x) is not float:
            return None
    if tape is None:
        return None
    if tape.t.state != DT_STATE_OPEN:
        raise escaped()
    for k in range(nd):
        lengths[k] = shape[k]
    out = fresh(tape, nd, lengths)
    for k, x in enumerate(items):
        if type(x) is Var:
            write_element(out.store, k, x)
        else:
            out.store.p[k] = x
    return out
