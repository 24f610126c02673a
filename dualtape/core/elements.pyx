"""Single elements of arrays, read and written as scalars."""

import numpy as np

from cpython.object cimport PyObject
from libc.stdint cimport uint32_t

from dualtape.core.tape cimport (
    DT_ELEMENT, DT_STATE_OPEN, DT_STORE, Var, append_node, dt_pack_store, handle, new_var,
)
from dualtape.core.view cimport (
    NO_SCALARS, SCALARS_TO_COME, Storage, View, bottom, data_of, make_scalars, unwritten, view_of,
)

from dualtape.core.values import wrap_dual, wrap_var
from dualtape.errors import escaped

cdef object FLOAT64 = np.dtype(np.float64)


cdef object element(View a):
    """The only element of a 0-d view as a number; where there is no scalar of its dtype, as a 0-d array."""
    cdef Storage s = a.store
    if s.level == 0:
        return bottom(a)[()]
    if a.dtype != FLOAT64:
        return a.copy()
    if s.tape is None:
        value = view_of(data_of(s), a)[()]
        return wrap_dual(s.level, value, [None if t is None else view_of(t, a)[()] for t in s.tangents])
    return wrap_var(s.tape, view_of(data_of(s), a)[()], [a], pull_element, push_element)


def pull_element(bar):
    return (bar,)


def push_element(tangents):
    return tangents[0]


cdef object read_element(Storage s, Py_ssize_t place):
    """The element of a storage of float64 on a tape, as a scalar of the tape."""
    if s.first != NO_SCALARS:
        if s.first == SCALARS_TO_COME:
            make_scalars(s)
        return handle(s.tape, s.first + <uint32_t>place, s.p[place])
    s.tape.t.arrays |= 2
    return new_var(s.tape, DT_ELEMENT, s.id, <uint32_t>place, s.p[place])


cdef bint write_element(Storage s, Py_ssize_t place, object value) except -1:
    """Write a float, an int or a scalar of the tape to an element of a storage of float64 on it; whether it was
    done."""
    cdef double number
    cdef uint32_t source = <uint32_t>0xFFFFFFFF
    if type(value) is Var:
        if (<Var>value).owner != <PyObject *>s.tape:
            return False
        number = (<Var>value).primal
        source = (<Var>value).index
    elif type(value) is float or type(value) is int:
        number = value
    else:
        return False
    if s.tape.t.state != DT_STATE_OPEN:
        raise escaped()
    unwritten(s)
    s.tape.t.arrays |= 2
    append_node(s.tape, DT_STORE, source, 0, dt_pack_store(s.id, <uint32_t>place))
    s.p[place] = number
    return True
