"""The elementwise functions as Python sees them: one builtin for each row of the rule table."""

import math

import numpy as np

from cpython.ref cimport PyObject
from libc.math cimport isfinite

from dualtape.core.array cimport Array, native_row
from dualtape.core.dual cimport Dual, call_unary_dual
from dualtape.core.kernels cimport rows
from dualtape.core.tape cimport Var, call_unary
from dualtape.core.traced cimport apply, as_number, require_special

from dualtape.core import dispatch, recording  # no-cython-lint: arrays and tapes call them by pointers
from dualtape.core.hooks import HOOKS
from dualtape.core.elementwise import map_elements
from dualtape.errors import NoRuleError, user_line
from dualtape.rules.table import RULES

cdef extern from "Python.h":
    ctypedef struct PyMethodDef:
        const char *ml_name
        void *ml_meth
        int ml_flags
        const char *ml_doc
    object PyCFunction_NewEx(PyMethodDef *method, object self, object module)
    int METH_O
    int METH_FASTCALL


cdef class Row:
    """What the builtin of a row works on.

    Attributes
    ----------
    index : int
        The row's place in the table.
    rule : Rule
        The row.
    """
    cdef readonly int index
    cdef readonly object rule
    cdef object of_floats  # math's function of the same name: it raises where the value is no finite number
    cdef bytes name, doc
    cdef PyMethodDef method

    def __init__(self, int index):
        self.index = index
        self.rule = RULES[index]
        self.of_floats = getattr(math, self.rule.name, None)

    def __reduce__(self):
        return Row, (self.index,)


cdef object finish(Row row, tuple args, double value):
    """A value at floats: where it is not finite, math's function of the same name decides, and raises as usual."""
    if not isfinite(value) and row.of_floats is not None:
        return row.of_floats(*args)
    return value


cdef object call_many(Row row, tuple args):
    """A row at arguments of any kind: numbers, traced values, arrays of them."""
    cdef double x[3]
    cdef int k = 0, n = len(args)
    if n != rows[row.index].arity:
        raise TypeError(f"{row.rule.name}() takes {rows[row.index].arity} arguments ({n} given)")
    x[0] = x[1] = x[2] = 0.0
    for arg in args:
        if isinstance(arg, Array):
            return HOOKS["elementwise"](row.index, args)
    numbers = []
    for arg in args:
        if isinstance(arg, np.ndarray) and arg.ndim > 0:
            return map_elements(row.index, args)
        number = as_number(arg)
        if number is None:
            if isinstance(arg, (list, tuple)):
                return map_elements(row.index, tuple([np.asarray(a) if isinstance(a, (list, tuple)) else a
                                                      for a in args]))
            out = HOOKS["of_boxed"](row.rule.name, args)
            if out is not NotImplemented:
                return out
            raise NoRuleError(f"{user_line()}: {row.rule.name}() of {type(arg).__name__!r}: it takes numbers, traced "
                              "values and arrays of them")
        numbers.append(number)
    for number in numbers:
        if type(number) is int:
            try:
                number = float(number)
            except OverflowError:
                if row.of_floats is not None:
                    return row.of_floats(*numbers)
                raise
        if type(number) is not float:
            return apply(row.index, tuple(numbers))
        x[k] = number
        k += 1
    require_special(row.index)
    return finish(row, tuple(numbers), rows[row.index].value(x[0], x[1], x[2]))


cdef object call_one(object self, object x):
    """The builtin of a row of one argument."""
    if type(x) is Var:
        return call_unary((<Row>self).index, <Var>x)
    if type(x) is Dual:
        return call_unary_dual((<Row>self).index, <Dual>x)
    if isinstance(x, Array):
        out = native_row((<Row>self).index, x, None, None, 1)
        return HOOKS["elementwise"]((<Row>self).index, (x,)) if out is None else out
    cdef double value
    if type(x) is float:
        require_special((<Row>self).index)
        value = rows[(<Row>self).index].value(<double>x, 0.0, 0.0)
        if isfinite(value):
            return value
    return call_many(<Row>self, (x,))


cdef object call_several(object self, PyObject *const *args, Py_ssize_t n):
    """The builtin of a row of more arguments."""
    return call_many(<Row>self, tuple([<object>args[k] for k in range(n)]))


# Builtins point into their Row, which they hold; the method definitions live as long.
def builtin(int index, str doc):
    """The function of a row of the rule table.

    Parameters
    ----------
    index : int
        The row's place in the table.
    doc : str
        The docstring.

    Returns
    -------
    builtin_function_or_method
        A function of as many positional arguments as the row has, for numbers of every kind and arrays of them.
    """
    cdef Row row = Row(index)
    signature = f"{row.rule.name}($self, {', '.join(row.rule.args)}, /)\n--\n\n"
    row.name = row.rule.name.encode()
    row.doc = (signature + doc).encode()
    row.method.ml_name = row.name
    row.method.ml_doc = row.doc
    if rows[index].arity == 1:
        row.method.ml_meth = <void *>call_one
        row.method.ml_flags = METH_O
    else:
        row.method.ml_meth = <void *>call_several
        row.method.ml_flags = METH_FASTCALL
    return PyCFunction_NewEx(&row.method, row, "dualtape")
