# cython: c_api_binop_methods=True
"""The arrays that users hold: views with ndarray's operators, indexing, methods and protocols."""

from types import MethodType

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.object cimport PyObject, PyTypeObject, destructor
from cpython.ref cimport Py_DECREF

from dualtape.core cimport view as core_view
from dualtape.core.elements cimport element, read_element, write_element
from dualtape.core.floating cimport dt_clear_flags, dt_raised_flags, report
from dualtape.core.kernels cimport (
    DT_ABS, DT_ADD, DT_DIV, DT_FLOORDIV, DT_MOD, DT_MUL, DT_NEG, DT_POS, DT_POW, DT_ROWS, DT_SUB,
)
from dualtape.core.traced cimport Traced
from dualtape.core.values cimport level_of, plain_of
from dualtape.core.view cimport (
    Storage, View, basic_view, bottom, covers, data_of, empty_view, has_ellipsis, resolve, same_view, shape_of, subview,
    transposed, view_of,
)

from dualtape.core.hooks import HOOKS, METHODS, PROPERTIES
from dualtape.core.view import set_classes
from dualtape.errors import conversion, no_array, no_attribute, no_float
from dualtape.rules.table import RULES

cnp.import_array()

cdef int SQUARE = [rule.name for rule in RULES].index("square")
cdef object FLOAT64 = np.dtype(np.float64)
cdef object SUM = np.sum

cdef extern from *:
    """
    /* Handles of arrays on tapes, and storages, are born and die once for each operation: they are kept for reuse with
     * their type. The GIL guards the lists. */
    enum { DT_KEPT_ARRAYS = 256 };
    static PyObject *dt_kept_arrays[DT_KEPT_ARRAYS];
    static int dt_n_kept_arrays = 0;
    #define dt_take_array() (dt_n_kept_arrays--)
    static inline void dt_give_array(PyObject *o) {
        if (dt_n_kept_arrays < DT_KEPT_ARRAYS)
            dt_kept_arrays[dt_n_kept_arrays++] = o;
        else
            PyObject_Free(o);
    }
    """
    void dt_take_array()
    void dt_give_array(PyObject *o) noexcept
    enum:
        DT_KEPT_ARRAYS
    PyObject *dt_kept_arrays[]
    int dt_n_kept_arrays

cdef extern from "Python.h":
    Py_ssize_t PyNumber_AsSsize_t(object o, PyObject *exception) except? -1
    void Py_SET_REFCNT(PyObject *o, Py_ssize_t n)
    void PyObject_Free(void *p)


cdef object number(View a):
    """The only element of a 0-d view; of a dtype that has nodes in C but no scalars, a 0-d copy."""
    out = None if a.store.level == 0 or a.dtype is FLOAT64 else native_row(DT_POS, a, None, None, 1)
    return element(a) if out is None else out


cdef object checked_key(object key):
    """An index free of traced values."""
    if isinstance(key, tuple):
        return tuple([checked_key(k) for k in key])
    if isinstance(key, (View, Traced)):
        if isinstance(key, View) and (<View>key).store.level == 0:
            return bottom(<View>key)
        raise IndexError("a traced value is no index: indices are integers, slices and boolean masks. Use "
                         "int(x), or dt.stop_gradient(x), where its value decides.")
    if isinstance(key, list):
        return np.asarray(key, dtype=np.intp) if not key else np.asarray(key)
    if isinstance(key, np.ndarray):
        return key.copy("K")
    return key


cdef inline object watched_row(int row, object x, object y, object z, int arity):
    """A row as a node in C, with the warnings that NumPy gives; None where it declines."""
    cdef int flags
    dt_clear_flags()
    out = native_row(row, x, y, z, arity)
    flags = dt_raised_flags()
    if flags and out is not None:
        report(row, flags)
    return out


cdef object binary(int row, object a, object b):
    out = watched_row(row, a, b, None, 2)
    return HOOKS["operator"](row, a, b) if out is None else out


cdef object unary(int row, object x):
    out = watched_row(row, x, None, None, 1)
    return HOOKS["elementwise"](row, (x,)) if out is None else out


cdef object inplace(int row, object a, object x):
    cdef int flags
    dt_clear_flags()
    if not HOOKS["native_inplace"](row, a, x):
        return HOOKS["inplace"](row, a, x)
    flags = dt_raised_flags()
    if flags:
        report(row, flags)
    return a


@cython.no_gc
cdef class Array(View):
    """An array of plain numbers into which traced ones may be assigned: what ``dt.zeros`` and its kin make.

    It behaves as an ndarray. Once a traced value has been assigned to it, or to another view of the same memory, its
    elements carry derivatives.
    """

    def __init__(self, *args, **kwargs):
        raise TypeError(f"{type(self).__name__} objects come from dt.array, dt.zeros, and from operators such as "
                        "dt.gradient")

    @property
    def shape(self):
        return shape_of(self)

    @property
    def ndim(self):
        return self.nd

    @property
    def size(self):
        return self.size

    @property
    def dtype(self):
        if self.part == 0:
            return self.store.dtype
        return np.dtype(np.float64 if self.store.dtype.itemsize == 16 else np.float32)

    @property
    def strides(self):
        cdef int k
        return tuple([self.step_[k] * self.store.dtype.itemsize for k in range(self.nd)])

    @property
    def T(self):
        return transposed(self)

    @property
    def value(self):
        """The primal: a copy as a plain ndarray or, where differentiations nest, as an array of the levels below."""
        resolve(self.store)
        return view_of(data_of(self.store), self).copy()

    @property
    def _level(self):
        return self.store.level

    @property
    def _covers(self):
        return covers(self)

    @property
    def _readonly(self):
        return self.readonly

    def __len__(self):
        if self.nd == 0:
            raise TypeError("len() of unsized object")
        return self.shape_[0]

    def __getitem__(self, key):
        cdef View view
        cdef Py_ssize_t place
        resolve(self.store)
        if type(key) is int and self.nd == 1 and self.store.p != NULL and not self.part:
            place = PyNumber_AsSsize_t(key, NULL)  # a huge one is out of bounds
            if place < 0:
                place += self.shape_[0]
            if 0 <= place < self.shape_[0]:
                return read_element(self.store, self.offset + place * self.step_[0])
        view = basic_view(self, key)
        if view is not None:
            if view.nd or has_ellipsis(key):
                return view
            if self.store.p != NULL and not self.part:
                return read_element(self.store, view.offset)
            return number(view)
        key = checked_key(key)
        probe = bottom(self)
        part = probe[key]
        if isinstance(part, np.ndarray):
            if part.size == 0 and part.base is not None:
                return empty_view(self, part)
            out = subview(self, part) if part.base is not None else None
            return HOOKS["gather"](self, key) if out is None else out
        # An array without axes counts as an integer, but makes NumPy copy where a view is looked for.
        keys = key if type(key) is tuple else (key,)
        keys = [int(k) if isinstance(k, np.ndarray) else k for k in keys]
        return number(subview(self, probe[(*keys, ...)]))

    def __setitem__(self, key, value):
        cdef View view
        cdef Py_ssize_t place
        resolve(self.store)
        if not self.readonly:
            if type(key) is int and self.nd == 1 and self.store.p != NULL and not self.part:
                place = PyNumber_AsSsize_t(key, NULL)  # a huge one is out of bounds
                if place < 0:
                    place += self.shape_[0]
                if 0 <= place < self.shape_[0]:
                    if write_element(self.store, self.offset + place * self.step_[0], value):
                        return
            view = basic_view(self, key)
            if view is not None and view.size:
                if view.nd == 0 and self.store.p != NULL and not self.part:
                    if write_element(self.store, view.offset, value):
                        return
                if isinstance(value, View) and same_view(view, <View>value):
                    return
                if HOOKS["write"](view, value):
                    return
        HOOKS["setitem"](self, checked_key(key), value)

    def __delitem__(self, key):
        raise ValueError("cannot delete array elements")

    def __iter__(self):
        if self.nd == 0:
            raise TypeError("iteration over a 0-d array")
        return _rows(self)

    def __contains__(self, x):
        return bool((self == x).any())

    def __add__(a, b):
        return binary(DT_ADD, a, b)

    def __sub__(a, b):
        return binary(DT_SUB, a, b)

    def __mul__(a, b):
        return binary(DT_MUL, a, b)

    def __truediv__(a, b):
        return binary(DT_DIV, a, b)

    def __mod__(a, b):
        return binary(DT_MOD, a, b)

    def __floordiv__(a, b):
        return binary(DT_FLOORDIV, a, b)

    def __divmod__(a, b):
        return a // b, a % b

    def __pow__(a, b, modulus):
        if modulus is not None:
            raise TypeError("pow() with a modulus needs integers; a traced array holds real numbers")
        if (type(b) is int or type(b) is float) and b == 2:
            return unary(SQUARE, a)
        return HOOKS["power"](a, b)

    def __matmul__(a, b):
        dt_clear_flags()
        out = native_matmul(a, b)
        if out is None:
            return HOOKS["matmul"](a, b)
        if dt_raised_flags():
            report(DT_ROWS, dt_raised_flags())
        return out

    def __neg__(self):
        return unary(DT_NEG, self)

    def __pos__(self):
        return unary(DT_POS, self)

    def __abs__(self):
        return unary(DT_ABS, self)

    def __iadd__(self, x):
        return inplace(DT_ADD, self, x)

    def __isub__(self, x):
        return inplace(DT_SUB, self, x)

    def __imul__(self, x):
        return inplace(DT_MUL, self, x)

    def __itruediv__(self, x):
        return inplace(DT_DIV, self, x)

    def __imod__(self, x):
        return inplace(DT_MOD, self, x)

    def __ifloordiv__(self, x):
        return inplace(DT_FLOORDIV, self, x)

    def __ipow__(self, x, modulus):
        return inplace(DT_POW, self, x)

    def __imatmul__(self, x):
        self[...] = self @ x
        return self

    def __richcmp__(a, b, int op):
        return HOOKS["compare"](a, b, op)

    def __hash__(self):
        raise TypeError(f"unhashable type: {type(self).__name__!r}")

    def __bool__(self):
        return bool(self._decision("truth value"))

    def __int__(self):
        return int(self._decision("int()"))

    def __index__(self):
        raise TypeError("only integer scalar arrays can be converted to a scalar index")

    def __float__(self):
        if level_of(self) == 0:
            return float(bottom(self))
        raise no_float("np.sin(x) in place of math.sin(x)")

    def __complex__(self):
        if level_of(self) == 0:
            return complex(bottom(self))
        raise conversion("complex()", "Use x + 0j, or dt.stop_gradient(x) where the plain number is meant.")

    def _decision(self, what):
        """The plain array, for a decision of the program."""
        return plain_of(self)

    def __array__(self, dtype=None, copy=None):
        if level_of(self) == 0:
            return bottom(self).astype(dtype or self.dtype)
        if dtype is not None and np.dtype(dtype) == object:
            out = np.empty(shape_of(self), dtype=object)
            for index in np.ndindex(out.shape):
                out[index] = self[index]
            return out
        raise no_array("Use dt.array([x, y]) or np.stack([x, y]) for an array of traced ones, dt.array(x) for a copy, "
                       "dt.zeros(n) or np.zeros_like(x) for an array to store traced values into, or "
                       "dt.stop_gradient(x) where the plain numbers are meant.")

    # __array_ufunc__ is installed by dualtape.core.dispatch.

    def __cupy_override_elementwise_kernel__(self, kernel, *args, **kwargs):
        return HOOKS["cupy_kernel"](kernel, args, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        if function is SUM and len(args) == 1 and not kwargs and args[0] is self:
            return self.sum()
        return HOOKS["function"](function, args, kwargs)

    def __getattr__(self, name):
        method = METHODS.get(name)
        if method is not None:
            return MethodType(method, self)
        prop = PROPERTIES.get(name)
        if prop is not None:
            return prop(self)
        raise no_attribute(self, name, hasattr(np.ndarray, name))

    @property
    def real(self):  # a part of the class, since libraries ask the class what arrays have
        """The real part."""
        return PROPERTIES["real"](self)

    @property
    def imag(self):
        """The imaginary part."""
        return PROPERTIES["imag"](self)

    def __setattr__(self, name, value):
        setter = PROPERTIES.get(f"{name}=")
        if setter is None:
            raise AttributeError(f"attribute {name!r} of {type(self).__name__!r} objects is not writable")
        setter(self, value)

    def __dir__(self):
        return sorted({*object.__dir__(self), *METHODS, *[p for p in PROPERTIES if not p.endswith("=")]})

    def sum(self, *args, **kwargs):
        """The sum of all elements, or along axes; parameters as for ``ndarray.sum``."""
        if not args and not kwargs and self.size:
            out = native_total(self, None, False)
            if out is not None:
                return out
        return METHODS["sum"](self, *args, **kwargs)

    def copy(self, order="C"):
        """A copy in memory of its own; `order` as for ndarray."""
        return HOOKS["copy"](self, order)

    def __copy__(self):
        return self.copy("K")

    def __deepcopy__(self, memo):
        return self.copy("K")

    def __repr__(self):
        text = np.array_repr(bottom(self))
        return f"{type(self).__name__}{text.removeprefix('array')}"

    def __str__(self):
        return str(bottom(self))

    def __format__(self, spec):
        return format(bottom(self), spec)

    def _repr_html_(self):
        return HOOKS["html"](self)

    def __reduce__(self):
        return self.__reduce_ex__(2)

    def __reduce_ex__(self, protocol):
        raise conversion("pickling", "A traced array belongs to a differentiation in this process. Pickle "
                         "dt.stop_gradient(x), the plain array.")


def _rows(a):
    """The rows of an array, each as it is when its turn comes."""
    for k in range(len(a)):
        yield a[k]


@cython.final
@cython.no_gc
cdef class VarArray(Array):
    """Handle of an array on a tape, with NumPy's semantics: views, broadcasting, assignment in place.

    Attributes
    ----------
    value : ndarray
        The primal, a copy.
    tape : Tape
        Where the array is recorded.
    shape, ndim, size, dtype, T, ...
        As of ndarray.
    """

    @property
    def tape(self):
        """The tape that the array lies on."""
        return self.store.tape


@cython.final
@cython.no_gc
cdef class DualArray(Array):
    """An array with tangents, with NumPy's semantics: views, broadcasting, assignment in place.

    Attributes
    ----------
    value : ndarray
        The primal, a copy.
    partials : tuple of ndarray
        The tangents, copies.
    shape, ndim, size, dtype, T, ...
        As of ndarray.
    """

    @property
    def partials(self):
        return tuple([np.zeros(shape_of(self), dtype=self.dtype) if t is None else view_of(t, self).copy()
                      for t in self.store.tangents])


cdef View new_var_array(Storage s):
    """A handle of an array on a tape, its geometry not yet set."""
    cdef PyObject *o
    cdef VarArray a
    if dt_n_kept_arrays > 0:
        dt_take_array()
        o = dt_kept_arrays[dt_n_kept_arrays]
        Py_SET_REFCNT(o, 1)
        a = <VarArray>o
        Py_DECREF(a)  # the cast has taken a reference of its own
    else:
        a = VarArray.__new__(VarArray)
    a.store = s
    a.offset = 0
    a.part = 0
    a.readonly = False
    return a


cdef void free_var_array(PyObject *o) noexcept:
    """Deallocation of VarArrays: let go of the storage, keep the object for reuse."""
    (<VarArray>o).store = None
    dt_give_array(o)


(<PyTypeObject *>VarArray).tp_dealloc = <destructor><void *>free_var_array


set_classes(Array, VarArray, DualArray)
core_view.new_var_view = new_var_array
