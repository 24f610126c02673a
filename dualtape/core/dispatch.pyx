"""The short way from NumPy's ufuncs to nodes in C.

NumPy's own part of a call that an array overrides takes about as long as the whole call on four plain numbers. So ours
begins here, as a C function that NumPy calls without a tuple and a dict for the arguments.
"""

from cpython.object cimport PyObject

from dualtape.core.array cimport Array
from dualtape.core.floating cimport dt_clear_flags, dt_raised_flags, report
from dualtape.core.native cimport record_row

from dualtape.core.hooks import HOOKS, ROWS

cdef extern from "Python.h":
    ctypedef struct PyMethodDef:
        const char *ml_name
        void *ml_meth
        int ml_flags
        const char *ml_doc
    ctypedef struct PyTypeObject:
        PyObject *tp_dict
    enum:
        METH_FASTCALL, METH_KEYWORDS
    object PyDescr_NewMethod(PyTypeObject *type, PyMethodDef *method)
    void PyType_Modified(PyTypeObject *type)
    PyObject *PyDict_GetItem(object d, object key)
    int PyDict_SetItem(object d, object key, object value) except -1


cdef object array_ufunc(object self, PyObject *const *args, Py_ssize_t n, PyObject *names):
    """``__array_ufunc__(ufunc, method, *inputs, **kwargs)``."""
    cdef PyObject *row
    cdef int index, flags
    if n < 2:
        raise TypeError("__array_ufunc__ takes a ufunc, the name of a method, and operands")
    if (names == NULL or not <tuple>names) and 3 <= n <= 5 and <str>args[1] == "__call__":
        row = PyDict_GetItem(ROWS, <object>args[0])
        if row != NULL:
            index = <object>row
            dt_clear_flags()
            out = record_row(index, <object>args[2], <object>args[3] if n > 3 else None,
                             <object>args[4] if n > 4 else None, <int>n - 2)
            if out is not None:
                flags = dt_raised_flags()
                if flags:
                    report(index, flags)
                return out
    inputs = tuple([<object>args[k] for k in range(2, n)])
    kwargs = {}
    if names != NULL:
        for k, name in enumerate(<tuple>names):
            kwargs[name] = <object>args[n + k]
    return HOOKS["ufunc"](<object>args[0], <object>args[1], inputs, kwargs)


cdef PyMethodDef METHOD
METHOD.ml_name = "__array_ufunc__"
METHOD.ml_meth = <void *>array_ufunc
METHOD.ml_flags = METH_FASTCALL | METH_KEYWORDS
METHOD.ml_doc = "__array_ufunc__($self, ufunc, method, /, *inputs, **kwargs)\n--\n\nNumPy's protocol for ufuncs."

PyDict_SetItem(<object>(<PyTypeObject *>Array).tp_dict, METHOD.ml_name.decode(),
               PyDescr_NewMethod(<PyTypeObject *>Array, &METHOD))
PyType_Modified(<PyTypeObject *>Array)
