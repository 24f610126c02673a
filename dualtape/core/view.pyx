"""Storages, and the views of them that arrays are.

A `Storage` is memory: a flat primal, and what its level needs beside it. A `View` is a place, a shape and steps in
it, as NumPy's strides. All views of a storage see what is written through any of them. The primal of a storage is a
flat ndarray or, where differentiations nest, a flat view of the levels below; so are the tangents of forward levels,
and a view of a storage is the same view of each.

A storage starts out plain (level 0) and is raised to the level of the first traced value that is assigned to it.
Nodes on a tape keep primals that their sweep reads: a storage that is `needed` is copied before it is written to.
"""

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject

from dualtape.core.levels cimport is_live
from dualtape.core.tape cimport DT_INPUT, DT_STATE_CLOSED, Tape, Var, append_node
from dualtape.core.traced cimport Traced

from dualtape.errors import escaped, no_series

cnp.import_array()

cdef extern from "Python.h":
    Py_ssize_t PyNumber_AsSsize_t(object o, PyObject *exception) except? -1
    int PySlice_Unpack(object slice, Py_ssize_t *start, Py_ssize_t *stop, Py_ssize_t *step) except -1
    Py_ssize_t PySlice_AdjustIndices(Py_ssize_t length, Py_ssize_t *start, Py_ssize_t *stop, Py_ssize_t step)

cdef object FLOAT64 = np.dtype(np.float64)


@cython.no_gc
@cython.freelist(256)
cdef class Storage:
    pass


cdef Storage new_storage(object data, Py_ssize_t size, object dtype):
    cdef Storage s = Storage.__new__(Storage)
    s.first = NO_SCALARS
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


cdef void become(Storage s, Storage other) noexcept:
    """Make a storage what another one of its size and dtype is: its numbers, its level, its tangents."""
    s.level = other.level
    s.tape = other.tape
    s.id = other.id
    s.first = other.first
    s.needed = other.needed
    s.p = other.p
    s.chunk = other.chunk
    s.data = other.data
    s.tangents = other.tangents


cdef Storage twin(Storage s):
    """A storage that is what another one is now."""
    cdef Storage out = new_storage(None, s.size, s.dtype)
    become(out, s)
    if s.tangents is not None:
        out.tangents = s.tangents.copy()
    return out


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
        s.first = NO_SCALARS
        if isinstance(s.data, View):
            inner = (<View>s.data).store
            data_of(inner)
            become(s, inner)
            s.needed = True
            s.first = NO_SCALARS
            if s.tape is not None:
                s.tape.keep(s.data)  # as it is needed, no node in C does
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
    if isinstance(like, View):
        level = (<View>like).store.level
        tape = (<View>like).store.tape
        width = 0 if (<View>like).store.tangents is None else len((<View>like).store.tangents)
    else:
        level = (<Traced>like).level
        if isinstance(like, Var):
            tape = like.tape
        elif hasattr(like, "partials"):
            width = len(like.partials)
        else:
            raise no_series()
    if level <= s.level:
        return 0
    if s.level != 0:
        data_of(s)
        inner = twin(s)
        s.data = flat_view(inner)
        if tape is not None:
            tape.boxed = True  # adjoints may depend on what the storage held
        s.p = NULL
        s.first = NO_SCALARS
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


cdef int make_scalars(Storage s) except -1:
    """Make the elements of an independent array variables of their own."""
    cdef Py_ssize_t k
    cdef uint32_t first = s.tape.t.size
    for k in range(s.size):
        append_node(s.tape, DT_INPUT, 0, 0, s.p[k])
    s.first = first
    if s.tape.scalars is None:
        s.tape.scalars = {}
    s.tape.scalars[s.id] = first
    return 0


cdef int unwritten(Storage s) except -1:
    """Take a copy of a primal that recorded nodes read, before it is written to."""
    s.first = NO_SCALARS
    if s.needed:
        s.data = data_of(s).copy()
        s.chunk = None
        if s.p != NULL:
            s.p = <double *>cnp.PyArray_DATA(s.data)
        s.needed = False
    return 0


cdef View flat_view(Storage s):
    """All of a storage as a vector."""
    cdef View a = new_array(s)
    a.nd = 1
    a.size = a.shape_[0] = s.size
    a.step_[0] = 1
    return a


@cython.no_gc
cdef class View:
    pass


# The classes of views, from the module above: of plain storages, of reverse levels, of forward levels.
cdef list classes = [View, View, View]
new_var_view = NULL


def set_classes(plain, reverse, forward):
    """Register the classes of views."""
    classes[:] = [plain, reverse, forward]


cdef View new_array(Storage s):
    """A view of a storage, its geometry not yet set."""
    cdef View a
    if s.tape is not None:
        return new_var_view(s)
    cdef type kind = <type>classes[0 if s.level == 0 else 2]
    a = kind.__new__(kind)
    a.store = s
    a.offset = 0
    a.part = 0
    a.readonly = False
    return a


cdef View contiguous(Storage s, tuple shape, tuple order=None):
    """A whole storage under a shape; `order` names the axes from the one of the longest steps on, in C order where it
    is left out."""
    cdef View a = new_array(s)
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


cdef View view_like(Storage s, View a):
    """The view `a` of another storage of the same size."""
    cdef View out = new_array(s)
    cdef int k
    out.nd = a.nd
    out.size = a.size
    out.offset = a.offset
    out.part = a.part
    for k in range(a.nd):
        out.shape_[k] = a.shape_[k]
        out.step_[k] = a.step_[k]
    return out


cdef bint covers(View a):
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


cdef tuple order_of(View a):
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


cdef object ndarray_view(object flat, View a):
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


cdef object view_of(object flat, View a):
    """The view `a` of the flat data of a storage: an ndarray, or an View of lower levels."""
    if isinstance(flat, View):
        return view_like((<View>flat).store, a)
    return ndarray_view(flat, a)


cdef object bottom(View a):
    """The plain ndarray below all levels of a view. Not to be kept, nor written to."""
    flat = data_of(a.store)
    while isinstance(flat, View):
        flat = data_of((<View>flat).store)
    return ndarray_view(flat, a)


cdef tuple shape_of(View a):
    cdef int k
    return tuple([a.shape_[k] for k in range(a.nd)])


cdef object subview(View a, object probe):
    """The view of `a`'s storage that `probe` is of the plain data below: same place, shape and strides. None where
    it is a copy."""
    cdef Storage s = a.store
    flat = data_of(s)
    while isinstance(flat, View):
        flat = data_of((<View>flat).store)
    cdef char *data = <char *>cnp.PyArray_DATA(flat)
    cdef char *place = <char *>cnp.PyArray_DATA(probe)
    cdef Py_ssize_t itemsize = (<cnp.ndarray>flat).dtype.itemsize
    cdef Py_ssize_t distance = place - data
    cdef int k
    if cnp.PyArray_NDIM(probe) > MAX_DIMS:
        raise ValueError(f"traced arrays have at most {MAX_DIMS} dimensions, not {cnp.PyArray_NDIM(probe)}")
    if cnp.PyArray_SIZE(probe) == 0 or distance < 0 or distance >= s.size * itemsize:
        return None
    cdef View out = new_array(s)
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


def view_by(View a, function):
    """What `function` makes of an array by looking at it otherwise.

    Parameters
    ----------
    a : View
    function : callable
        Takes an ndarray, gives a view of it.

    Returns
    -------
    View or None
        None where the function copies.
    """
    resolve(a.store)
    probe = function(bottom(a))
    if isinstance(probe, np.ndarray) and cnp.PyArray_SIZE(probe) == 0:
        return empty_view(a, probe)
    return subview(a, probe) if isinstance(probe, np.ndarray) else None


cpdef View transposed(View a):
    """The view with its axes in reverse order."""
    cdef View out
    cdef int k
    resolve(a.store)
    out = view_like(a.store, a)
    out.readonly = a.readonly
    for k in range(a.nd):
        out.shape_[k] = a.shape_[a.nd - 1 - k]
        out.step_[k] = a.step_[a.nd - 1 - k]
    return out


def whole(View a):
    """All of an array's memory as a vector."""
    return flat_view(a.store)


def look_as(View a, View other):
    """Let a handle look at its memory as another one of the same memory does."""
    cdef int k
    a.nd = other.nd
    a.size = other.size
    a.offset = other.offset
    for k in range(other.nd):
        a.shape_[k] = other.shape_[k]
        a.step_[k] = other.step_[k]


def set_readonly(View a, bint readonly):
    """Forbid or allow assignments through a handle."""
    a.readonly = readonly


cdef View empty_view(View a, object probe):
    """A view without elements."""
    if cnp.PyArray_NDIM(probe) > MAX_DIMS:
        raise ValueError(f"traced arrays have at most {MAX_DIMS} dimensions, not {cnp.PyArray_NDIM(probe)}")
    cdef View out = new_array(a.store)
    cdef int k
    out.nd = cnp.PyArray_NDIM(probe)
    out.size = 0
    # what is real of something complex is its real or its imaginary part: without elements they are the same
    out.part = a.part if probe.dtype == bottom(a).dtype else 1
    for k in range(out.nd):
        out.shape_[k] = cnp.PyArray_DIM(probe, k)
        out.step_[k] = 0
    return out


def views_by(View a, function):
    """As `view_by`, for a function that gives a list of views."""
    resolve(a.store)
    return [empty_view(a, probe) if probe.size == 0 else subview(a, probe) for probe in function(bottom(a))]


cdef bint has_ellipsis(object key):
    """Whether an index that names all axes asks for a 0-d array and not for a number."""
    if key is Ellipsis:
        return True
    if type(key) is tuple:
        for k in <tuple>key:
            if k is Ellipsis:
                return True
    return False


cdef bint same_view(View a, View b):
    """Whether two arrays are the same elements of a storage in the same places."""
    cdef int k
    if a.store is not b.store or a.offset != b.offset or a.nd != b.nd or a.part != b.part:
        return False
    for k in range(a.nd):
        if a.shape_[k] != b.shape_[k] or (a.step_[k] != b.step_[k] and a.shape_[k] > 1):
            return False
    return True


cdef View basic_view(View a, object key):
    """The view that an index of integers, slices, None and Ellipsis names; None where it holds anything else, or is
    out of bounds."""
    cdef tuple parts = key if type(key) is tuple else (key,)
    cdef View out
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
            start = PyNumber_AsSsize_t(part, NULL)  # a huge one is out of bounds
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
