"""Single elements of arrays, read and written as scalars."""

from dualtape.core.view cimport Storage, View

cdef object element(View a)
cdef object read_element(Storage s, Py_ssize_t place)
cdef bint write_element(Storage s, Py_ssize_t place, object value) except -1
