"""Assignment to arrays of any level, and the arrays that differentiations start from."""

import numpy as np

cimport cython
cimport numpy as cnp

from dualtape.core.adjoint cimport Call, reference, references
from dualtape.core.buffers cimport doubles
from dualtape.core.tape cimport DT_STATE_OPEN, Tape
from dualtape.core.traced cimport Traced
from dualtape.core.values cimport flattened, level_of, native_order, plain_of, primal_at, tangents_at, tape_of
from dualtape.core.view cimport (
    SCALARS_TO_COME, Storage, View, become, bottom, contiguous, data_of, flat_view, ndarray_view, new_storage,
    raise_level, resolve, shape_of, twin, unwritten, view_like,
)

from dualtape.core.hooks import HOOKS
from dualtape.errors import escaped

cnp.import_array()

cdef object FLOAT64 = np.dtype(np.float64)


cdef object shape_of_any(object x):
    if isinstance(x, (View, np.ndarray)):
        return x.shape
    return () if isinstance(x, Traced) else np.shape(x)


def assign(View a, key, value):
    """``a[key] = value`` for a value of any kind and level. Where it fails, the array stays what it was.

    Parameters
    ----------
    a : View
    key : index, free of traced values
    value : number, ndarray, Traced or View
    """
    cdef Storage before
    resolve(a.store)
    if a.readonly:
        raise ValueError("assignment destination is read-only")
    if a.store.level == 0 and level_of(value) == 0:
        if value_is_complex(value) and a.dtype.kind != "c":
            value = np.asarray(value).astype(a.dtype)
        bottom(a)[key] = value
        return
    before = twin(a.store)
    try:
        assign_traced(a, key, value)
    except BaseException:
        become(a.store, before)
        raise


cdef int assign_traced(View a, object key, object value) except -1:
    """`assign`, where a derivative is in the array or in the value."""
    cdef Storage s = a.store
    cdef unsigned long long level, high
    high = level_of(value)
    if high > s.level:
        raise_level(s, top_of(value, high))
    level = s.level
    if s.tape is not None:
        if s.tape.t.state != DT_STATE_OPEN or (high == level and tape_of(top_of(value, high)) is not s.tape):
            raise escaped()
    primal = primal_at(level, value) if high == level else value
    if isinstance(value, View) and (<View>value).store is s:
        primal = primal.copy()
    if s.tape is not None:
        unwritten(s)
        put(s, -1, a, key, primal)
        refs, pull = pull_of(s.tape, a, key, value, primal, high == level)
        s.tape.call(Call(reference(a), refs, pull, (key,), push_write), None)
        return 0
    tangents = tangents_at(level, value) if high == level else None
    if tangents is not None:
        if len(tangents) != len(s.tangents):
            raise ValueError(f"Duals with {len(s.tangents)} and {len(tangents)} partials do not mix")
        if isinstance(value, View) and (<View>value).store is s:
            tangents = [None if t is None else t.copy() for t in tangents]
    put(s, -1, a, key, primal)
    for k in range(len(s.tangents)):
        t = None if tangents is None else tangents[k]
        if s.tangents[k] is None:
            if t is None:
                continue
            s.tangents[k] = np.zeros(s.size, dtype=s.dtype)
        put(s, k, a, key, 0.0 if t is None else t)
    return 0


cdef tuple pull_of(Tape tape, View a, object key, object value, object primal, bint active):
    """Of a recorded assignment: where the adjoint goes, and the function that tells how much of it."""
    old_shape = shape_of_any(primal)
    real = not value_is_complex(plain_of(value))
    refs = references(tape, [value] if active else [])
    winners = last_writes(key, shape_of(a))

    def pull(bar):
        if not refs:
            return ()
        return (HOOKS["pull_write"](bar, old_shape, winners, real),)

    return refs, pull


def push_write(tangents):
    """The tangents of an assignment: those of what is assigned."""
    return [np.array(t) for t in tangents[0]]


cdef object top_of(object value, unsigned long long level):
    """The traced value of the highest live level that `value` is, below those of ended differentiations."""
    while isinstance(value, Traced) and (<Traced>value).level != level:
        value = value.value
    return value


cdef bint value_is_complex(object value):
    return isinstance(value, complex) or (hasattr(value, "dtype") and value.dtype.kind == "c")


cdef int put(Storage s, int which, View a, object key, object value) except -1:
    """Write into the primal (-1) or a tangent of a storage."""
    flat = data_of(s) if which < 0 else s.tangents[which]
    if isinstance(value, (Traced, View)) and level_of(value) == 0:
        value = plain_of(value)
    if isinstance(flat, np.ndarray):
        if not isinstance(value, (Traced, View)):
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
    assign(view_like((<View>flat).store, a), key, value)
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
    places = HOOKS["positions"](shape)[key]
    flat = places.ravel()
    last = np.unique(flat[::-1], return_index=True)[1]
    if last.size == flat.size:
        return None
    stays = np.zeros(flat.size, dtype=bool)
    stays[flat.size - 1 - last] = True
    return stays.reshape(places.shape)


cdef View like_input(object value):
    """A plain View with the numbers of a function's argument, in memory of its own that is laid out as the
    argument's is: what is a view of one is a view of the other."""
    cdef View out
    cdef Py_ssize_t low = 0, high = 0, by, itemsize
    cdef int k, nd
    if isinstance(value, View):
        value = value.copy()
        return contiguous(new_storage(flat_view((<View>value).store), value.size, value.dtype), value.shape)
    if cnp.PyArray_ISBYTESWAPPED(value):
        value = native_order(value)
    if cnp.PyArray_IS_C_CONTIGUOUS(value) and cnp.PyArray_TYPE(value) == cnp.NPY_FLOAT64:
        flat = doubles(value.size)
        flat[...] = value.reshape(-1)
        return contiguous(new_storage(flat, value.size, value.dtype), value.shape)
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


cdef View recast(View a):
    """A view again, as an object of the class that its storage's level asks for."""
    return view_like(a.store, a)


def leaf_array(Tape tape, value):
    """An independent variable of a tape: a VarArray over a copy of `value`, and the reference of its adjoint."""
    cdef View out = like_input(value)
    cdef Storage s = out.store
    s.level = tape.level
    s.tape = tape
    s.id = tape.new_shadow(s.size, s.dtype)
    if isinstance(s.data, View):
        tape.boxed = True
    elif s.dtype == FLOAT64:
        s.p = <double *>cnp.PyArray_DATA(s.data)
    out = recast(out)
    return out, reference(out)


def leaf_of_scalars(Tape tape, value):
    """An independent variable as `leaf_array`, whose elements become scalar variables of the tape, in C order, when
    one is first read: programs that only read elements are then programs on scalars.

    Returns
    -------
    VarArray, Reference
    """
    out, place = leaf_array(tape, np.ascontiguousarray(value).reshape(value.shape))
    (<View>out).store.first = SCALARS_TO_COME
    return out, place


def leaf_dual(unsigned long long level, value, tangents):
    """An independent variable of a forward level: a DualArray over a copy of `value`, with tangents of its shape or
    None."""
    cdef View out = like_input(value)
    cdef Storage s = out.store
    parts = []
    for t in tangents:
        if t is None:
            parts.append(None)
            continue
        flat = np.zeros(s.size, dtype=s.dtype)
        if isinstance(t, View) and level_of(t):
            flat = flat_view(new_storage(flat, s.size, s.dtype))
            assign(view_like((<View>flat).store, out), ..., t)
        else:
            ndarray_view(flat, out)[...] = plain_of(t)
        parts.append(flat)
    s.level = level
    s.tangents = parts
    return recast(out)
