"""Values of any level: their primals and tangents, and results as values of a level."""

import numpy as np

cimport numpy as cnp
from cpython.ref cimport PyObject

from dualtape.core.adjoint cimport Call, reference, references
from dualtape.core.dual cimport Dual
from dualtape.core.levels cimport is_live
from dualtape.core.tape cimport Tape, Var
from dualtape.core.traced cimport Traced, innermost
from dualtape.core.view cimport (
    Storage, View, bottom, contiguous, data_of, flat_view, new_storage, order_of, resolve, view_of,
)

from dualtape.core.dual import make_dual
from dualtape.core.hooks import HOOKS
from dualtape.errors import masked_operand, no_series

cnp.import_array()

cdef object FLOAT64 = np.dtype(np.float64)


cpdef unsigned long long level_of(object x) except? 0:
    """The level of a value: 0 for plain ones and for what an ended forward differentiation left behind."""
    if isinstance(x, View):
        resolve((<View>x).store)
        return (<View>x).store.level
    if isinstance(x, Traced):
        if not is_live((<Traced>x).level):
            return level_of(x.value)
        return (<Traced>x).level
    return 0


cpdef object tape_of(object x):
    """The tape of a value of a reverse level, else None."""
    if isinstance(x, View):
        return (<View>x).store.tape
    return x.tape if isinstance(x, Var) else None


cpdef object primal_at(unsigned long long level, object x):
    """The primal of a value at a level; the value itself where it is constant there. Of an array it is a view."""
    if isinstance(x, View):
        if (<View>x).store.level == level:
            return view_of(data_of((<View>x).store), <View>x)
        return x
    if isinstance(x, Traced):
        if (<Traced>x).level == level or not is_live((<Traced>x).level):
            return primal_at(level, x.value) if (<Traced>x).level != level else x.value
    return x


def kept_primal(unsigned long long level, x):
    """As `primal_at`, for a node that reads it later, when the program may have written to the array."""
    cdef View a
    if isinstance(x, View):
        a = <View>x
        if a.store.level != level:
            return a.copy()
        primal = view_of(data_of(a.store), a)
        if 4 * a.size < a.store.size:
            return primal.copy()
        if not a.store.needed:
            a.store.needed = True
            if a.store.tape is not None:
                a.store.tape.keep(a.store.data)  # nodes in C that read it too rely on that
        return primal
    if isinstance(x, np.ndarray):
        return x.copy()
    return primal_at(level, x)


def at_level(unsigned long long level, x):
    """A value without what ended forward differentiations have wrapped around it."""
    while isinstance(x, Traced) and (<Traced>x).level != level:
        x = x.value
    return x


cpdef object tangents_at(unsigned long long level, object x):
    """The tangents of a value of a forward level: a list of arrays or numbers, None for zero; None where the value is
    constant there."""
    if isinstance(x, View):
        if (<View>x).store.level != level:
            return None
        return [None if t is None else view_of(t, <View>x) for t in (<View>x).store.tangents]
    if isinstance(x, Traced) and (<Traced>x).level == level:
        if isinstance(x, Dual):
            return list(x.partials)
        if not isinstance(x, Var):
            raise no_series()
    return None


def apart(operands, bint strong=False):
    """What a rule needs to know of its operands.

    Parameters
    ----------
    operands : sequence
        Arrays and numbers of any kind.
    strong : bool
        Whether traced floats are of float64, as an element of an array is, and no weak scalars.

    Returns
    -------
    level : int
        The highest one.
    active : list of int
        The places of the operands of that level; where it is 0, of the arrays that are to stay traceable.
    operands : list
        Without what is plain and need not be: Arrays of plain numbers are ndarrays.
    primals : list
        Their primals at the level.
    tape : Tape or None
        Of a reverse level.
    """
    cdef unsigned long long level = 0, own
    cdef list levels = [], out = [], primals = [], active = []
    cdef Py_ssize_t k
    tape = None
    for x in operands:
        own = level_of(x)
        levels.append(own)
        if own > level:
            level = own
    for k, x in enumerate(operands):
        own = levels[k]
        if level == 0:
            if isinstance(x, View):
                active.append(k)
            x = without_class(plain_of(x))
            primals.append(x)
        elif own == level:
            x = at_level(level, x)
            if not active:
                tape = tape_of(x)
            active.append(k)
            primal = primal_at(level, x)
            primals.append(np.float64(primal) if strong and type(primal) is float else primal)
        else:
            if own == 0:
                if isinstance(x, (View, Traced)):
                    x = plain_of(x)
                else:
                    x = without_class(x)
            primal = primal_at(level, x)
            primals.append(np.float64(primal) if strong and type(primal) is float and primal is not x else primal)
        out.append(x)
    return level, active, out, primals, tape


cpdef object plain_of(object x):
    """The plain ndarray or number below all levels. Not to be written to."""
    if isinstance(x, View):
        resolve((<View>x).store)
        return bottom(<View>x)
    return innermost(x) if isinstance(x, Traced) else x


cdef object without_class(object x):
    """A plain operand; of a subclass of ndarray its numbers alone."""
    if not cnp.PyArray_Check(x) or cnp.PyArray_CheckExact(x):
        return x
    if isinstance(x, np.ma.MaskedArray):
        raise masked_operand()
    return np.asarray(x)


cdef object native_order(object value):
    """An array of bytes in another order than the machine's, in that order: loops in C read memory as it is."""
    return value.astype(value.dtype.newbyteorder("="))


cdef tuple flattened(object value):
    """A fresh array as a flat one that nothing else looks into, and the order of its axes in memory: None for C
    order."""
    cdef tuple order
    if isinstance(value, View):
        order = order_of(<View>value)
        if order is None:
            value = value.copy()
        elif (<PyObject *>(<View>value).store).ob_refcnt > 1:  # not the handle alone holds the storage
            value = flat_view((<View>value).store).copy()
        return flat_view((<View>value).store), order
    if cnp.PyArray_ISBYTESWAPPED(value):
        value = native_order(value)
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
    return new_storage(flat, flat.size, flat.dtype), order


cdef bint is_differentiable(object dtype):
    return dtype.kind == "f" or dtype.kind == "c"


cdef tuple as_result(object value):
    """A result as the number or the array that it is to be, and whether it is a number: anything but arrays is one,
    and float64 where NumPy gives a scalar."""
    if isinstance(value, (View, np.ndarray)):
        return value, False
    if isinstance(value, np.float64):
        return float(value), True
    if isinstance(value, np.generic):
        return np.asarray(value), False
    return value, True


def plain_array(value, keep=False):
    """An View of level 0: plain numbers, into which traced ones may be assigned.

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
    value : ndarray, View of lower levels, or number
        Fresh: nothing else refers to its memory, unless it is a view of something.
    tangents : list
        Like `value`, or None for zero.

    Returns
    -------
    DualArray, Dual, or what carries no derivative as it is
    """
    cdef Storage s
    value, scalar = as_result(value)
    if scalar:
        return make_dual(level, value, [0.0 if t is None else unboxed(t) for t in tangents])
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
            t = HOOKS["array"](t)
        elif not isinstance(t, View):
            t = np.asarray(t)
        if t.dtype != s.dtype and not isinstance(t, View):
            t = cast(t, s.dtype)
        if t.shape != shape:
            t = HOOKS["broadcast"](t, shape)
        if isinstance(t, View):
            parts.append(flat_view((<View>(t if order is None else t.transpose(order)).copy()).store))
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
    if isinstance(t, (np.ndarray, View)):
        return t[()] if t.ndim == 0 else t
    return t


def wrap_var(Tape tape, value, operands, pull, push=None):
    """Record a result of reverse mode.

    Parameters
    ----------
    tape : Tape
    value : ndarray, View of lower levels, or number
        Fresh, as for `wrap_dual`.
    operands : sequence
        What it was computed from; those on this tape count.
    pull : callable
        ``pull(bar)`` gives the contributions to the adjoints of all operands, None for zero.
    push : callable, optional
        As a Call has it.

    Returns
    -------
    VarArray, Var, or what carries no derivative as it is
    """
    cdef Storage s
    value, scalar = as_result(value)
    if scalar:
        return tape.call(Call(None, references(tape, operands), pull, None, push), value)
    if not is_differentiable(value.dtype):
        return value
    shape = value.shape
    s, order = storage_for(value)
    s.level = tape.level
    s.tape = tape
    s.id = tape.new_shadow(s.size, s.dtype)
    if s.dtype == FLOAT64 and not isinstance(s.data, View):
        s.p = <double *>cnp.PyArray_DATA(s.data)
    cdef View out = contiguous(s, shape, order)
    tape.call(Call(reference(out), references(tape, operands), pull, None, push), None)
    if isinstance(s.data, View):
        tape.boxed = True
    return out
