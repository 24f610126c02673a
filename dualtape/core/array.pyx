# cython: c_api_binop_methods=True
"""Arrays that carry derivatives, with NumPy's meaning of views and assignment.

A `Storage` is memory: a flat primal, and what its level needs beside it. An `Array` is a view of a storage: a place,
a shape and steps, as NumPy's strides. All views of a storage see what is written through any of them. The primal of
a storage is a flat ndarray or, where differentiations nest, a flat Array of the levels below; so are the tangents of
forward levels, and a view of an Array is the same view of each.

A storage starts out plain (level 0) and is raised to the level of the first traced value that is assigned to it.
Nodes on a tape keep primals that their sweep reads: a storage that is `needed` is copied before it is written to.
"""

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.object cimport PyObject, PyTypeObject, destructor
from cpython.ref cimport Py_DECREF

from dualtape.core.dual cimport Dual
from dualtape.core.kernels cimport (
    DT_ABS, DT_ADD, DT_DIV, DT_FLOORDIV, DT_MOD, DT_MUL, DT_NEG, DT_POS, DT_POW, DT_SUB,
)
from dualtape.core.levels cimport is_live
from dualtape.core.tape cimport (
    DT_ELEMENT, DT_STATE_CLOSED, DT_STATE_OPEN, DT_STORE, Tape, Var, append_node, dt_pack_store, new_var,
)
from dualtape.core.traced cimport Traced, innermost

from dualtape.core.dual import make_dual
from dualtape.errors import conversion, escaped

cnp.import_array()

cdef extern from "Python.h":
    int PySlice_Unpack(object slice, Py_ssize_t *start, Py_ssize_t *stop, Py_ssize_t *step) except -1
    Py_ssize_t PySlice_AdjustIndices(Py_ssize_t length, Py_ssize_t *start, Py_ssize_t *stop, Py_ssize_t step)

# What the layer of array functions does for the classes below: see `set_hooks`.
_HOOKS = {}
_METHODS = {}
_PROPERTIES = {}
_ROWS = {}  # of ufuncs, by which traced values are found
cdef object FLOAT64 = np.dtype(np.float64)


def set_hooks(hooks, methods, properties, rows):
    """Register what arrays do beyond views: operators, ufuncs, functions, methods and properties by name, and the
    rows of ufuncs."""
    _ROWS.update(rows)
    _HOOKS.update(hooks)
    _METHODS.update(methods)
    _PROPERTIES.update(properties)


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
    void Py_SET_REFCNT(PyObject *o, Py_ssize_t n)
    void PyObject_Free(void *p)


cdef VarArray new_var_array(Storage s):
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


# --- storages --------------------------------------------------------------------------------------------------------

@cython.no_gc
@cython.freelist(256)
cdef class Storage:
    pass


cdef Storage new_storage(object data, Py_ssize_t size, object dtype):
    cdef Storage s = Storage.__new__(Storage)
    s.data = data
    s.size = size
    s.dtype = dtype
    return s


cdef object data_of(Storage s):
    """The flat primal of a storage."""
    cdef cnp.npy_intp n
    if s.data is None:
        n = s.size
        s.data = cnp.PyArray_New(np.ndarray, 1, &n, cnp.NPY_FLOAT64, NULL, <void *>s.p, 8,
                                 cnp.NPY_ARRAY_CARRAY, None)
        cnp.set_array_base(s.data, s.chunk)
    return s.data


cdef int resolve(Storage s) except -1:
    """Bring a storage up to date before use: what ended forward differentiations left in it is constant, what belongs
    to a closed tape is an error."""
    cdef Storage inner
    if s.level == 0:
        return 0
    if s.tape is not None:
        if s.tape.t.state == DT_STATE_CLOSED or s.tape.level != s.level:
            raise escaped()
        return 0
    while s.level != 0 and s.tape is None and not is_live(s.level):
        s.tangents = None
        if isinstance(s.data, Array):
            inner = (<Array>s.data).store
            s.level = inner.level
            s.tape = inner.tape
            s.id = inner.id
            s.needed = True
            s.tangents = inner.tangents
            s.p = inner.p
            s.chunk = inner.chunk
            s.data = data_of(inner)
        else:
            s.p = NULL
            s.level = 0
    return 0


cdef int raise_level(Storage s, object like) except -1:
    """Raise a storage to the level of a traced value that is to be assigned to it: what it held is constant there."""
    cdef unsigned long long level
    cdef Tape tape = None
    cdef Py_ssize_t width = 0
    cdef Storage inner
    if isinstance(like, Array):
        level = (<Array>like).store.level
        tape = (<Array>like).store.tape
        width = 0 if (<Array>like).store.tangents is None else len((<Array>like).store.tangents)
    else:
        level = (<Traced>like).level
        if isinstance(like, Var):
            tape = like.tape
        else:
            width = len(like.partials)
    if level <= s.level:
        return 0
    if s.level != 0:
        inner = new_storage(data_of(s), s.size, s.dtype)
        inner.p = s.p
        inner.level = s.level
        inner.tape = s.tape
        inner.id = s.id
        inner.needed = s.needed
        inner.tangents = s.tangents
        s.data = flat_view(inner)
        s.p = NULL
        s.needed = False
    s.level = level
    s.tape = tape
    s.tangents = None
    if tape is not None:
        s.id = tape.new_shadow(s.size, s.dtype)
        if type(s.data) is np.ndarray and s.dtype == FLOAT64:
            s.p = <double *>cnp.PyArray_DATA(s.data)
    else:
        s.tangents = [None] * width
    return 0


cdef Array flat_view(Storage s):
    """All of a storage as a vector."""
    cdef Array a = new_array(s)
    a.nd = 1
    a.size = a.shape_[0] = s.size
    a.step_[0] = 1
    return a


# --- views -----------------------------------------------------------------------------------------------------------

cdef Array new_array(Storage s):
    cdef Array a
    if s.level == 0:
        a = Array.__new__(Array)
    elif s.tape is not None:
        return new_var_array(s)
    else:
        a = DualArray.__new__(DualArray)
    a.store = s
    a.offset = 0
    a.part = 0
    a.readonly = False
    return a


cdef Array contiguous(Storage s, tuple shape, tuple order=None):
    """A whole storage under a shape; `order` names the axes from the one of the longest steps on, in C order where it
    is left out."""
    cdef Array a = new_array(s)
    cdef Py_ssize_t step = 1
    cdef int k, nd = len(shape)
    if nd > MAX_DIMS:
        raise ValueError(f"traced arrays have at most {MAX_DIMS} dimensions, not {nd}")
    a.nd = nd
    a.size = s.size
    for k in range(nd):
        a.shape_[k] = shape[k]
    if order is not None:
        for k in reversed(order):
            a.step_[k] = step
            step *= a.shape_[k]
    else:
        for k in range(nd - 1, -1, -1):
            a.step_[k] = step
            step *= a.shape_[k]
    return a


cdef Array view_like(Storage s, Array a):
    """The view `a` of another storage of the same size."""
    cdef Array out = new_array(s)
    cdef int k
    out.nd = a.nd
    out.size = a.size
    out.offset = a.offset
    out.part = a.part
    for k in range(a.nd):
        out.shape_[k] = a.shape_[k]
        out.step_[k] = a.step_[k]
    return out


cdef bint covers(Array a):
    """Whether a view is a whole storage, its elements in order."""
    cdef Py_ssize_t step = 1
    cdef int k
    if a.offset != 0 or a.size != a.store.size or a.part != 0:
        return False
    for k in range(a.nd - 1, -1, -1):
        if a.shape_[k] != 1 and a.step_[k] != step:
            return False
        step *= a.shape_[k]
    return True


cdef object ndarray_view(object flat, Array a):
    """The view `a` of a flat ndarray."""
    cdef cnp.npy_intp strides[MAX_DIMS]
    cdef cnp.npy_intp itemsize = (<cnp.ndarray>flat).dtype.itemsize
    cdef int k
    for k in range(a.nd):
        strides[k] = a.step_[k] * itemsize
    cdef cnp.dtype dtype = (<cnp.ndarray>flat).dtype
    cdef char *data = <char *>cnp.PyArray_DATA(flat)
    view = cnp.PyArray_New(np.ndarray, a.nd, <cnp.npy_intp *>a.shape_, dtype.num, strides,
                           data + (a.offset * itemsize if a.size else 0), <int>itemsize,
                           cnp.NPY_ARRAY_ALIGNED | cnp.NPY_ARRAY_WRITEABLE, None)
    cnp.set_array_base(view, flat)
    if a.part == 0:
        return view
    return view.real if a.part == 1 else view.imag


cdef object view_of(object flat, Array a):
    """The view `a` of the flat data of a storage: an ndarray, or an Array of lower levels."""
    if isinstance(flat, Array):
        return view_like((<Array>flat).store, a)
    return ndarray_view(flat, a)


cdef object bottom(Array a):
    """The plain ndarray below all levels of a view. Not to be kept, nor written to."""
    flat = data_of(a.store)
    while isinstance(flat, Array):
        flat = data_of((<Array>flat).store)
    return ndarray_view(flat, a)


cdef tuple shape_of(Array a):
    cdef int k
    return tuple([a.shape_[k] for k in range(a.nd)])


cdef tuple steps_of(Array a):
    cdef int k
    return tuple([a.step_[k] for k in range(a.nd)])


cdef object subview(Array a, object probe):
    """The view of `a`'s storage that `probe` is of the plain data below: same place, shape and strides. None where
    it is a copy."""
    cdef Storage s = a.store
    flat = data_of(s)
    while isinstance(flat, Array):
        flat = data_of((<Array>flat).store)
    cdef char *data = <char *>cnp.PyArray_DATA(flat)
    cdef char *place = <char *>cnp.PyArray_DATA(probe)
    cdef Py_ssize_t itemsize = (<cnp.ndarray>flat).dtype.itemsize
    cdef Py_ssize_t distance = place - data
    cdef int k
    if cnp.PyArray_SIZE(probe) == 0 or distance < 0 or distance >= s.size * itemsize:
        return None
    cdef Array out = new_array(s)
    out.nd = cnp.PyArray_NDIM(probe)
    out.size = cnp.PyArray_SIZE(probe)
    out.offset = distance // itemsize
    if a.part:
        out.part = a.part
    elif (<cnp.ndarray>probe).dtype.itemsize != itemsize:
        out.part = 2 if distance % itemsize else 1
    out.readonly = a.readonly or not cnp.PyArray_ISWRITEABLE(probe)
    for k in range(out.nd):
        out.shape_[k] = cnp.PyArray_DIM(probe, k)
        out.step_[k] = cnp.PyArray_STRIDE(probe, k) // itemsize
    return out


def view_by(Array a, function):
    """What `function` makes of an array by looking at it otherwise.

    Parameters
    ----------
    a : Array
    function : callable
        Takes an ndarray, gives a view of it.

    Returns
    -------
    Array or None
        None where the function copies.
    """
    resolve(a.store)
    probe = function(bottom(a))
    if isinstance(probe, np.ndarray) and cnp.PyArray_SIZE(probe) == 0 and cnp.PyArray_NDIM(probe) <= MAX_DIMS:
        return empty_view(a, probe)
    return subview(a, probe) if isinstance(probe, np.ndarray) else None


cdef Array empty_view(Array a, object probe):
    """A view without elements."""
    cdef Array out = new_array(a.store)
    cdef int k
    out.nd = cnp.PyArray_NDIM(probe)
    out.size = 0
    out.part = a.part
    for k in range(out.nd):
        out.shape_[k] = cnp.PyArray_DIM(probe, k)
        out.step_[k] = 0
    return out


def views_by(Array a, function):
    """As `view_by`, for a function that gives a list of views."""
    resolve(a.store)
    return [empty_view(a, probe) if probe.size == 0 else subview(a, probe) for probe in function(bottom(a))]


# --- what differentiation asks of values -----------------------------------------------------------------------------

def level_of(x):
    """The level of a value: 0 for plain ones and for what an ended forward differentiation left behind."""
    if isinstance(x, Array):
        resolve((<Array>x).store)
        return (<Array>x).store.level
    if isinstance(x, Traced):
        if not is_live((<Traced>x).level):
            return level_of(x.value)
        return (<Traced>x).level
    return 0


def tape_of(x):
    """The tape of a value of a reverse level, else None."""
    if isinstance(x, Array):
        return (<Array>x).store.tape
    return x.tape if isinstance(x, Var) else None


def primal_at(unsigned long long level, x):
    """The primal of a value at a level; the value itself where it is constant there. Of an array it is a view."""
    if isinstance(x, Array):
        if (<Array>x).store.level == level:
            return view_of(data_of((<Array>x).store), <Array>x)
        return x
    if isinstance(x, Traced):
        if (<Traced>x).level == level or not is_live((<Traced>x).level):
            return primal_at(level, x.value) if (<Traced>x).level != level else x.value
    return x


def kept_primal(unsigned long long level, x):
    """As `primal_at`, for a node that reads it later, when the program may have written to the array."""
    cdef Array a
    if isinstance(x, Array):
        a = <Array>x
        if a.store.level != level:
            return a.copy()
        primal = view_of(data_of(a.store), a)
        if 4 * a.size < a.store.size:
            return primal.copy()
        a.store.needed = True
        return primal
    if isinstance(x, np.ndarray):
        return x.copy()
    return primal_at(level, x)


def at_level(unsigned long long level, x):
    """A value without what ended forward differentiations have wrapped around it."""
    while isinstance(x, Traced) and (<Traced>x).level != level:
        x = x.value
    return x


def tangents_at(unsigned long long level, x):
    """The tangents of a value of a forward level: a list of arrays or numbers, None for zero; None where the value is
    constant there."""
    if isinstance(x, Array):
        if (<Array>x).store.level != level:
            return None
        return [None if t is None else view_of(t, <Array>x) for t in (<Array>x).store.tangents]
    if isinstance(x, Dual) and (<Traced>x).level == level:
        return list(x.partials)
    return None


def plain_of(x):
    """The plain ndarray or number below all levels. Not to be written to."""
    if isinstance(x, Array):
        resolve((<Array>x).store)
        return bottom(<Array>x)
    return innermost(x) if isinstance(x, Traced) else x


cdef tuple order_of(Array a):
    """The order of axes in which a view is all of its storage; None where it is not."""
    cdef Py_ssize_t step = 1
    cdef int k
    if a.offset != 0 or a.size != a.store.size or a.part != 0:
        return None
    cdef tuple order = tuple(sorted(range(a.nd), key=lambda k: -a.step_[k] if a.shape_[k] > 1 else 0))
    for k in reversed(order):
        if a.shape_[k] != 1 and a.step_[k] != step:
            return None
        step *= a.shape_[k]
    return order


cdef tuple flattened(object value):
    """A fresh array as a flat one that nothing else looks into, and the order of its axes in memory: None for C
    order."""
    cdef tuple order
    if isinstance(value, Array):
        # one reference: the handle alone holds the storage
        order = order_of(<Array>value) if (<PyObject *>(<Array>value).store).ob_refcnt == 1 else None
        if order is None:
            value = value.copy()
        return flat_view((<Array>value).store), order
    if cnp.get_array_base(value) is not None or not cnp.PyArray_ISWRITEABLE(value):
        value = value.copy(order="K")
    if cnp.PyArray_IS_C_CONTIGUOUS(value):
        return cnp.PyArray_Ravel(value, cnp.NPY_CORDER), None
    order = tuple(sorted(range(value.ndim), key=lambda k: -abs(cnp.PyArray_STRIDE(value, k))))
    moved = value.transpose(order)
    if cnp.PyArray_IS_C_CONTIGUOUS(moved):
        return moved.reshape(-1), order
    return value.copy(order="C").reshape(-1), None


cdef tuple storage_for(object value):
    """A storage of the elements of a fresh array, and the order of its axes."""
    flat, order = flattened(value)
    return new_storage(flat, flat.size, value.dtype), order


cdef bint is_differentiable(object dtype):
    return dtype.kind == "f" or dtype.kind == "c"


cdef bint is_scalar_result(object value):
    """Whether a result is to be a scalar: anything but arrays, and float64 where NumPy gives a number."""
    if isinstance(value, (Array, np.ndarray)):
        return False
    return not isinstance(value, np.generic) or isinstance(value, np.float64)


def plain_array(value, keep=False):
    """An Array of level 0: plain numbers, into which traced ones may be assigned.

    Parameters
    ----------
    value : ndarray
    keep : bool
        Whether nothing else will write to `value`, so that it need not be copied.
    """
    cdef Storage s
    if not keep:
        value = value.copy(order="K")
    flat, order = flattened(value)
    s = new_storage(flat, flat.size, flat.dtype)
    return contiguous(s, value.shape, order)


def wrap_dual(unsigned long long level, value, tangents):
    """A result of forward mode.

    Parameters
    ----------
    level : int
    value : ndarray, Array of lower levels, or number
        Fresh: nothing else refers to its memory, unless it is a view of something.
    tangents : list
        Like `value`, or None for zero.

    Returns
    -------
    DualArray, Dual, or what carries no derivative as it is
    """
    cdef Storage s
    if is_scalar_result(value):
        if isinstance(value, np.float64):
            value = float(value)
        return make_dual(level, value, [0.0 if t is None else unboxed(t) for t in tangents])
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not is_differentiable(value.dtype):
        return value
    shape = value.shape
    s, order = storage_for(value)
    s.level = level
    parts = []
    for t in tangents:
        if t is None:
            parts.append(None)
            continue
        if isinstance(t, Traced):
            t = _HOOKS["array"](t)
        elif not isinstance(t, Array):
            t = np.asarray(t)
        if t.dtype != s.dtype and not isinstance(t, Array):
            t = cast(t, s.dtype)
        if t.shape != shape:
            t = _HOOKS["broadcast"](t, shape)
        if isinstance(t, Array):
            parts.append(flat_view((<Array>(t if order is None else t.transpose(order)).copy()).store))
        elif order is not None:
            parts.append(owned_flat(np.asarray(t).transpose(order)))
        else:
            parts.append(owned_flat(np.asarray(t)))
    s.tangents = parts
    return contiguous(s, shape, order)


cdef object cast(object t, object dtype):
    """A derivative in the dtype of what it belongs to; of a real number it is real."""
    if t.dtype.kind == "c" and dtype.kind != "c":
        t = t.real
    return t.astype(dtype)


cdef object owned_flat(object t):
    if t.base is None and cnp.PyArray_IS_C_CONTIGUOUS(t) and cnp.PyArray_ISWRITEABLE(t):
        return t.reshape(-1)
    return t.flatten()


cdef object unboxed(object t):
    """A tangent of a scalar as a number."""
    if isinstance(t, np.generic):
        return t.item()
    if isinstance(t, (np.ndarray, Array)):
        return t[()] if t.ndim == 0 else t
    return t


def wrap_var(Tape tape, value, operands, pull):
    """Record a result of reverse mode.

    Parameters
    ----------
    tape : Tape
    value : ndarray, Array of lower levels, or number
        Fresh, as for `wrap_dual`.
    operands : sequence
        What it was computed from; those on this tape count.
    pull : callable
        ``pull(bar)`` gives the contributions to the adjoints of all operands, None for zero.

    Returns
    -------
    VarArray, Var, or what carries no derivative as it is
    """
    cdef Storage s
    if is_scalar_result(value):
        if isinstance(value, np.float64):
            value = float(value)
        return tape.call(Call(None, references(tape, operands), pull), value)
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not is_differentiable(value.dtype):
        return value
    shape = value.shape
    s, order = storage_for(value)
    s.level = tape.level
    s.tape = tape
    s.id = tape.new_shadow(s.size, s.dtype)
    if s.dtype == FLOAT64 and not isinstance(s.data, Array):
        s.p = <double *>cnp.PyArray_DATA(s.data)
    cdef Array out = contiguous(s, shape, order)
    tape.call(Call(reference(out), references(tape, operands), pull), None)
    if isinstance(s.data, Array):
        tape.boxed = True
    return out


cdef Array like_input(object value):
    """A plain Array with the numbers of a function's argument, in memory of its own that is laid out as the
    argument's is: what is a view of one is a view of the other."""
    cdef Array out
    cdef Py_ssize_t low = 0, high = 0, by, itemsize
    cdef int k, nd
    if isinstance(value, Array):
        value = value.copy()
        return contiguous(new_storage(flat_view((<Array>value).store), value.size, value.dtype), value.shape)
    if cnp.PyArray_IS_C_CONTIGUOUS(value) or cnp.PyArray_IS_F_CONTIGUOUS(value) or value.size == 0:
        flat, order = flattened(value.copy(order="K"))
        return contiguous(new_storage(flat, flat.size, flat.dtype), value.shape, order)
    nd = value.ndim
    itemsize = value.itemsize
    for k in range(nd):
        by = cnp.PyArray_STRIDE(value, k)
        if (by == 0 and cnp.PyArray_DIM(value, k) > 1) or by % itemsize:
            low = high = -1
            break
        by = by // itemsize * (cnp.PyArray_DIM(value, k) - 1)
        low += by if by < 0 else 0
        high += by if by > 0 else 0
    if high < 0 or high - low >= 16 * value.size + 64:
        flat, order = flattened(value.copy(order="C"))
        return contiguous(new_storage(flat, flat.size, flat.dtype), value.shape, order)
    out = contiguous(new_storage(np.zeros(high - low + 1, dtype=value.dtype), high - low + 1, value.dtype), value.shape)
    out.size = value.size
    out.offset = -low
    for k in range(nd):
        out.step_[k] = cnp.PyArray_STRIDE(value, k) // itemsize
    ndarray_view(out.store.data, out)[...] = value
    return out


cdef Array recast(Array a):
    """A view again, as an object of the class that its storage's level asks for."""
    return view_like(a.store, a)


def leaf_array(Tape tape, value):
    """An independent variable of a tape: a VarArray over a copy of `value`, and the reference of its adjoint."""
    cdef Array out = like_input(value)
    cdef Storage s = out.store
    s.level = tape.level
    s.tape = tape
    s.id = tape.new_shadow(s.size, s.dtype)
    if isinstance(s.data, Array):
        tape.boxed = True
    elif s.dtype == FLOAT64:
        s.p = <double *>cnp.PyArray_DATA(s.data)
    out = recast(out)
    return out, reference(out)


def leaf_dual(unsigned long long level, value, tangents):
    """An independent variable of a forward level: a DualArray over a copy of `value`, with tangents of its shape or
    None."""
    cdef Array out = like_input(value)
    cdef Storage s = out.store
    parts = []
    for t in tangents:
        if t is None:
            parts.append(None)
            continue
        flat = np.zeros(s.size, dtype=s.dtype)
        if isinstance(t, Array) and level_of(t):
            flat = flat_view(new_storage(flat, s.size, s.dtype))
            assign(view_like((<Array>flat).store, out), ..., t)
        else:
            ndarray_view(flat, out)[...] = plain_of(t)
        parts.append(flat)
    s.level = level
    s.tangents = parts
    return recast(out)


cdef class Reference:
    """The adjoint of a view: what a recorded node remembers of an operand."""

    @property
    def geometry(self):
        return self.shape_source


cdef Storage no_storage = Storage.__new__(Storage)


cdef Reference reference(Array a):
    cdef Reference r = Reference.__new__(Reference)
    r.id = a.store.id
    cdef Array g = Array.__new__(Array)
    g.store = no_storage
    g.nd = a.nd
    g.size = a.size
    g.offset = a.offset
    g.part = a.part
    cdef int k
    for k in range(a.nd):
        g.shape_[k] = a.shape_[k]
        g.step_[k] = a.step_[k]
    r.shape_source = g
    return r


cdef list references(Tape tape, operands):
    """For each operand its adjoint: a Reference, the index of a scalar, or None for a constant."""
    out = []
    for x in operands:
        if isinstance(x, Array) and (<Array>x).store.tape is tape and (<Array>x).store.level == tape.level:
            out.append(reference(<Array>x))
        elif isinstance(x, Var) and (<Var>x).owner == <PyObject *>tape:
            out.append((<Var>x).index)
        else:
            out.append(None)
    return out


cdef class Call:
    """A recorded node on arrays.

    Attributes
    ----------
    out : Reference or None
        Whose adjoint is pulled back; None where the result is the scalar of the node.
    operands : list
        As `references` gives them.
    pull : callable or None
        None for a plain write of constants.
    key : object
        What of `out` the node overwrote: its adjoint is zero before the node. None where the array was fresh.
    """

    def __init__(self, out, operands, pull, key=None):
        self.out = out
        self.operands = operands
        self.pull = pull
        self.key = key


def make_reference(Array a):
    """The reference of an array's adjoint."""
    return reference(a)


def accumulate(flat, Reference r, bar):
    """Add to the part of a flat adjoint that a reference means."""
    cdef Array g = r.shape_source
    view = view_of(flat, g)
    repeated = [k for k in range(g.nd) if g.step_[k] == 0 and g.shape_[k] > 1]
    if repeated:
        # A broadcast view: its elements along such an axis are one.
        bar = np.sum(_HOOKS["spread"](bar, shape_of(g)), axis=tuple(repeated), keepdims=True)
        view = view[tuple([slice(0, 1) if k in repeated else slice(None) for k in range(g.nd)])]
    if isinstance(flat, np.ndarray):
        if isinstance(bar, np.ndarray) and bar.dtype.kind == "c" and flat.dtype.kind != "c":
            bar = bar.real
        view += bar
        return
    view[...] = view + bar


def reference_at(id, offset, shape, steps):
    """The reference of a view, from its geometry."""
    cdef Reference r = Reference.__new__(Reference)
    cdef Array g = Array.__new__(Array)
    cdef int k
    r.id = id
    g.store = no_storage
    g.nd = len(shape)
    g.offset = offset
    g.part = 0
    g.size = 1
    for k in range(g.nd):
        g.shape_[k] = shape[k]
        g.step_[k] = steps[k]
        g.size *= g.shape_[k]
    r.shape_source = g
    return r


def adjoint_view(flat, Reference r):
    """The view of a flat adjoint that a reference means."""
    return view_of(flat, r.shape_source)


# --- assignment ------------------------------------------------------------------------------------------------------

cdef object shape_of_any(object x):
    if isinstance(x, (Array, np.ndarray)):
        return x.shape
    return () if isinstance(x, Traced) else np.shape(x)


cdef int unwritten(Storage s) except -1:
    """Take a copy of a primal that recorded nodes read, before it is written to."""
    if s.needed:
        s.data = data_of(s).copy()
        s.chunk = None
        if s.p != NULL:
            s.p = <double *>cnp.PyArray_DATA(s.data)
        s.needed = False
    return 0


def assign(Array a, key, value):
    """``a[key] = value`` for a value of any kind and level.

    Parameters
    ----------
    a : Array
    key : index, free of traced values
    value : number, ndarray, Traced or Array
    """
    cdef Storage s = a.store
    cdef unsigned long long level, high
    resolve(s)
    if a.readonly:
        raise ValueError("assignment destination is read-only")
    high = level_of(value)
    if high > s.level:
        probe = bottom(a)
        probe[key]  # an index out of bounds changes nothing
        raise_level(s, top_of(value, high))
    level = s.level
    if s.tape is not None and high == level and tape_of(top_of(value, high)) is not s.tape:
        raise escaped()
    primal = primal_at(level, value) if high == level else value
    if level == 0:
        if value_is_complex(value) and a.dtype.kind != "c":
            value = np.asarray(value).astype(a.dtype)
        bottom(a)[key] = value
        return
    same = isinstance(value, Array) and (<Array>value).store is s
    if same and level:
        primal = primal.copy()
    if s.tape is not None:
        old_shape = shape_of_any(primal)
        unwritten(s)
        put(s, -1, a, key, primal)
        real = not value_is_complex(plain_of(value))
        operands = [value] if high == level else []
        refs = references(s.tape, operands)
        winners = last_writes(key, shape_of(a))

        def pull(bar):
            if not refs:
                return ()
            return (_HOOKS["pull_write"](bar, old_shape, winners, real),)

        s.tape.call(Call(reference(a), refs, pull, (key,)), None)
        return
    tangents = tangents_at(level, value) if high == level else None
    if same and tangents is not None:
        tangents = [None if t is None else t.copy() for t in tangents]
    put(s, -1, a, key, primal)
    for k in range(len(s.tangents)):
        t = None if tangents is None else tangents[k]
        if s.tangents[k] is None:
            if t is None:
                continue
            s.tangents[k] = np.zeros(s.size, dtype=s.dtype)
        put(s, k, a, key, 0.0 if t is None else t)


cdef object top_of(object value, unsigned long long level):
    """The traced value of the highest live level that `value` is, below those of ended differentiations."""
    while isinstance(value, Traced) and (<Traced>value).level != level:
        value = value.value
    return value


cdef bint value_is_complex(object value):
    return isinstance(value, complex) or (hasattr(value, "dtype") and value.dtype.kind == "c")


cdef int put(Storage s, int which, Array a, object key, object value) except -1:
    """Write into the primal (-1) or a tangent of a storage."""
    flat = data_of(s) if which < 0 else s.tangents[which]
    if isinstance(value, (Traced, Array)) and level_of(value) == 0:
        value = plain_of(value)
    if isinstance(flat, np.ndarray):
        if not isinstance(value, (Traced, Array)):
            ndarray_view(flat, a)[key] = value
            return 0
        flat = flat_view(new_storage(flat, s.size, s.dtype))
        if which < 0:
            s.data = flat
            s.p = NULL
            if s.tape is not None:
                s.tape.boxed = True
        else:
            s.tangents[which] = flat
    assign(view_like((<Array>flat).store, a), key, value)
    return 0


@cython.boundscheck(False)
def last_writes(key, shape):
    """Of an index with integer arrays that name elements more than once: which of the writes stay, as an array of
    bools of the shape of the indexed part. None where all do."""
    parts = key if type(key) is tuple else (key,)
    for part in parts:
        if isinstance(part, (list, np.ndarray)) and np.asarray(part).dtype != bool and np.size(part) > 1:
            break
    else:
        return None
    places = _HOOKS["positions"](shape)[key]
    flat = places.ravel()
    last = np.unique(flat[::-1], return_index=True)[1]
    if last.size == flat.size:
        return None
    stays = np.zeros(flat.size, dtype=bool)
    stays[flat.size - 1 - last] = True
    return stays.reshape(places.shape)


# --- the classes -----------------------------------------------------------------------------------------------------

cdef object element(Array a):
    """The only element of a 0-d view as a number; where there is no scalar of its dtype, as a 0-d array."""
    cdef Storage s = a.store
    if s.level == 0:
        return bottom(a)[()]
    if a.dtype != FLOAT64:
        return a.copy()
    if s.tape is None:
        value = view_of(data_of(s), a)[()]
        return wrap_dual(s.level, value, [None if t is None else view_of(t, a)[()] for t in s.tangents])
    return wrap_var(s.tape, view_of(data_of(s), a)[()], [a], pull_element)


def pull_element(bar):
    return (bar,)


cdef object checked_key(object key):
    """An index free of traced values."""
    if isinstance(key, tuple):
        return tuple([checked_key(k) for k in key])
    if isinstance(key, (Array, Traced)):
        if isinstance(key, Array) and (<Array>key).store.level == 0:
            return bottom(<Array>key)
        raise IndexError("a traced value is no index: indices are integers, slices and boolean masks. Use "
                         "int(x), or dt.stop_gradient(x), where its value decides.")
    if isinstance(key, list):
        return np.asarray(key, dtype=np.intp) if not key else np.asarray(key)
    if isinstance(key, np.ndarray):
        return key.copy()
    return key


cdef bint has_ellipsis(object key):
    """Whether an index that names all axes asks for a 0-d array and not for a number."""
    if key is Ellipsis:
        return True
    if type(key) is tuple:
        for k in <tuple>key:
            if k is Ellipsis:
                return True
    return False


cdef bint same_view(Array a, Array b):
    """Whether two arrays are the same elements of a storage in the same places."""
    cdef int k
    if a.store is not b.store or a.offset != b.offset or a.nd != b.nd or a.part != b.part:
        return False
    for k in range(a.nd):
        if a.shape_[k] != b.shape_[k] or (a.step_[k] != b.step_[k] and a.shape_[k] > 1):
            return False
    return True


cdef Array basic_view(Array a, object key):
    """The view that an index of integers, slices, None and Ellipsis names; None where it holds anything else, or is
    out of bounds."""
    cdef tuple parts = key if type(key) is tuple else (key,)
    cdef Array out
    cdef Py_ssize_t start, stop, step, length, named = 0
    cdef Py_ssize_t missing
    cdef int axis = 0, nd = 0
    cdef bint dots = False
    for part in parts:
        if part is Ellipsis:
            if dots:
                return None
            dots = True
        elif type(part) is int or type(part) is slice:
            named += 1
        elif part is not None:
            return None
    missing = a.nd - named
    if missing < 0 or a.nd + <Py_ssize_t>len(parts) > MAX_DIMS:
        return None
    out = new_array(a.store)
    out.part = a.part
    out.readonly = a.readonly
    out.offset = a.offset
    if not dots:
        parts = parts + (Ellipsis,)
    for part in parts:
        if part is None:
            out.shape_[nd] = 1
            out.step_[nd] = 0
            nd += 1
        elif part is Ellipsis:
            while missing > 0:
                out.shape_[nd] = a.shape_[axis]
                out.step_[nd] = a.step_[axis]
                nd += 1
                axis += 1
                missing -= 1
        elif type(part) is int:
            start = part
            if start < 0:
                start += a.shape_[axis]
            if start < 0 or start >= a.shape_[axis]:
                return None
            out.offset += start * a.step_[axis]
            axis += 1
        else:
            if PySlice_Unpack(part, &start, &stop, &step) < 0:
                return None
            length = PySlice_AdjustIndices(a.shape_[axis], &start, &stop, step)
            if length > 0:
                out.offset += start * a.step_[axis]
            out.shape_[nd] = length
            out.step_[nd] = step * a.step_[axis]
            nd += 1
            axis += 1
    out.nd = nd
    out.size = 1
    for axis in range(nd):
        out.size *= out.shape_[axis]
    return out


cdef bint write_element(Array a, Py_ssize_t place, object value) except -1:
    """``a[place] = value`` for a vector of float64 on a tape and a float, an int or a scalar of the tape; whether it
    was done."""
    cdef Storage s = a.store
    cdef double number
    cdef uint32_t source = <uint32_t>0xFFFFFFFF
    if place < 0:
        place += a.shape_[0]
    if place < 0 or place >= a.shape_[0]:
        return False
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
    place = a.offset + place * a.step_[0]
    unwritten(s)
    s.p[place] = number
    s.tape.t.arrays = 1
    append_node(s.tape, DT_STORE, source, 0, dt_pack_store(s.id, <uint32_t>place))
    return True


@cython.no_gc
@cython.freelist(256)
cdef class Array:
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
        cdef Array view
        cdef Py_ssize_t place
        resolve(self.store)
        if type(key) is int and self.nd == 1 and self.store.p != NULL and not self.part:
            place = key
            if place < 0:
                place += self.shape_[0]
            if 0 <= place < self.shape_[0]:
                place = self.offset + place * self.step_[0]
                return new_var(self.store.tape, DT_ELEMENT, self.store.id, <uint32_t>place, self.store.p[place])
        view = basic_view(self, key)
        if view is not None:
            if view.nd or has_ellipsis(key):
                return view
            if self.store.p != NULL and not self.part:
                place = view.offset
                return new_var(self.store.tape, DT_ELEMENT, self.store.id, <uint32_t>place, self.store.p[place])
            return element(view)
        key = checked_key(key)
        probe = bottom(self)
        part = probe[key]
        if isinstance(part, np.ndarray):
            if part.size == 0 and part.base is not None:
                return empty_view(self, part)
            out = subview(self, part) if part.base is not None else None
            return _HOOKS["gather"](self, key) if out is None else out
        return element(subview(self, probe[(*key, ...) if type(key) is tuple else (key, ...)]))

    def __setitem__(self, key, value):
        cdef Array view
        resolve(self.store)
        if not self.readonly:
            if type(key) is int and self.nd == 1 and self.store.p != NULL and not self.part:
                if self.step_[0] and write_element(self, key, value):
                    return
            view = basic_view(self, key)
            if view is not None and view.size:
                if isinstance(value, Array) and same_view(view, <Array>value):
                    return
                if _HOOKS["write"](view, value):
                    return
        _HOOKS["setitem"](self, checked_key(key), value)

    def __iter__(self):
        if self.nd == 0:
            raise TypeError("iteration over a 0-d array")
        return _rows(self)

    def __contains__(self, x):
        return bool((self == x).any())

    def __add__(a, b):
        out = native_row(DT_ADD, a, b, None, 2)
        return _HOOKS["operator"](DT_ADD, a, b) if out is None else out

    def __sub__(a, b):
        out = native_row(DT_SUB, a, b, None, 2)
        return _HOOKS["operator"](DT_SUB, a, b) if out is None else out

    def __mul__(a, b):
        out = native_row(DT_MUL, a, b, None, 2)
        return _HOOKS["operator"](DT_MUL, a, b) if out is None else out

    def __truediv__(a, b):
        out = native_row(DT_DIV, a, b, None, 2)
        return _HOOKS["operator"](DT_DIV, a, b) if out is None else out

    def __mod__(a, b):
        return _HOOKS["operator"](DT_MOD, a, b)

    def __floordiv__(a, b):
        return _HOOKS["operator"](DT_FLOORDIV, a, b)

    def __divmod__(a, b):
        return a // b, a % b

    def __pow__(a, b, modulus):
        if modulus is not None:
            raise TypeError("pow() with a modulus needs integers; a traced array holds real numbers")
        return _HOOKS["power"](a, b)

    def __matmul__(a, b):
        out = native_matmul(a, b)
        return _HOOKS["matmul"](a, b) if out is None else out

    def __neg__(self):
        out = native_row(DT_NEG, self, None, None, 1)
        return _HOOKS["elementwise"](DT_NEG, (self,)) if out is None else out

    def __pos__(self):
        return _HOOKS["elementwise"](DT_POS, (self,))

    def __abs__(self):
        return _HOOKS["elementwise"](DT_ABS, (self,))

    def __iadd__(self, x):
        return _HOOKS["inplace"](DT_ADD, self, x)

    def __isub__(self, x):
        return _HOOKS["inplace"](DT_SUB, self, x)

    def __imul__(self, x):
        return _HOOKS["inplace"](DT_MUL, self, x)

    def __itruediv__(self, x):
        return _HOOKS["inplace"](DT_DIV, self, x)

    def __imod__(self, x):
        return _HOOKS["inplace"](DT_MOD, self, x)

    def __ifloordiv__(self, x):
        return _HOOKS["inplace"](DT_FLOORDIV, self, x)

    def __ipow__(self, x, modulus):
        return _HOOKS["inplace"](DT_POW, self, x)

    def __imatmul__(self, x):
        self[...] = self @ x
        return self

    def __richcmp__(a, b, int op):
        return _HOOKS["compare"](a, b, op)

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
        raise conversion("float()", "Use dt.stop_gradient(x) where the plain number is meant, and np.sin or dt.sin in "
                         "place of math.sin.")

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
        raise conversion("np.asarray(), np.array() or a store into a plain array",
                         "Use dt.array(x) for a copy, dt.zeros(n) or np.zeros_like(x) for an array to store traced "
                         "values into, or dt.stop_gradient(x) where the plain numbers are meant.")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        cdef int row, n
        if method == "__call__" and not kwargs:
            n = len(inputs)
            row = _ROWS.get(ufunc, -1)
            if row >= 0:
                out = native_row(row, inputs[0], inputs[1] if n > 1 else None, inputs[2] if n > 2 else None, n)
                if out is not None:
                    return out
        return _HOOKS["ufunc"](ufunc, method, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        return _HOOKS["function"](function, args, kwargs)

    def __getattr__(self, name):
        method = _METHODS.get(name)
        if method is not None:
            return _BoundMethod(method, self)
        prop = _PROPERTIES.get(name)
        if prop is not None:
            return prop(self)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name, value):
        setter = _PROPERTIES.get(f"{name}=")
        if setter is None:
            raise AttributeError(f"attribute {name!r} of {type(self).__name__!r} objects is not writable")
        setter(self, value)

    def __dir__(self):
        return sorted({*object.__dir__(self), *_METHODS, *[p for p in _PROPERTIES if not p.endswith("=")]})

    def copy(self, order="C"):
        """A copy, contiguous, in memory of its own."""
        return _HOOKS["copy"](self)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __repr__(self):
        text = np.array_repr(bottom(self))
        return f"{type(self).__name__}{text.removeprefix('array')}"

    def __str__(self):
        return str(bottom(self))

    def __format__(self, spec):
        return format(bottom(self), spec)

    def _repr_html_(self):
        return _HOOKS["html"](self)

    def __reduce_ex__(self, protocol):
        raise conversion("pickling", "A traced array belongs to a differentiation in this process. Pickle "
                         "dt.stop_gradient(x), the plain array.")


def _rows(a):
    """The rows of an array, each as it is when its turn comes."""
    for k in range(len(a)):
        yield a[k]


class _BoundMethod:
    """A method of arrays, bound."""

    __slots__ = ("function", "array")

    def __init__(self, function, array):
        self.function = function
        self.array = array

    def __call__(self, *args, **kwargs):
        return self.function(self.array, *args, **kwargs)

    def __repr__(self):
        return f"<method of {type(self.array).__name__}: {self.function!r}>"


@cython.final
@cython.no_gc
cdef class VarArray(Array):
    """Handle of an array on a tape, with NumPy's semantics: views, broadcasting, assignment in place.

    Attributes
    ----------
    value : ndarray
        The primal, a copy.
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


cdef void free_var_array(PyObject *o) noexcept:
    """Deallocation of VarArrays: let go of the storage, keep the object for reuse."""
    (<VarArray>o).store = None
    dt_give_array(o)


(<PyTypeObject *>VarArray).tp_dealloc = <destructor><void *>free_var_array
