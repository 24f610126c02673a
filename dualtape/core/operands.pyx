"""Operands of nodes in C: memory for results, broadcasting, and what a node keeps of its operands' numbers."""

import numpy as np

cimport numpy as cnp
from cpython.object cimport PyObject, PyTypeObject, destructor
from cpython.ref cimport Py_DECREF
from libc.stdint cimport int64_t, uint32_t, uintptr_t
from libc.string cimport memcpy, memset

from dualtape.core.array cimport new_var_array
from dualtape.core.buffers cimport buffer, doubles
from dualtape.core.loops cimport compute, item_size
from dualtape.core.node cimport DT_COMPLEX, DT_DOUBLE, DT_FLOAT, DT_SMALL, dt_array_node
from dualtape.core.tape cimport DT_ARRAY, Tape, append_node, dt_append, new_native_shadow
from dualtape.core.view cimport MAX_DIMS, NO_SCALARS, Storage, View

cnp.import_array()

cdef object FLOAT64 = np.dtype(np.float64)
# Doubles from which on memory is worth returning before a sweep has ended.
cdef enum:
    LARGE = 2048
cdef object FLOAT32 = np.dtype(np.float32)
cdef object COMPLEX128 = np.dtype(np.complex128)

memset(zero_steps, 0, sizeof(zero_steps))

cdef extern from *:
    """
    /* Storages on tapes are born and die once for each operation: they are kept for reuse with their type and dtype.
     * The GIL guards the list. */
    enum { DT_KEPT_STORAGES = 256 };
    static PyObject *dt_kept_storages[DT_KEPT_STORAGES];
    static int dt_n_kept_storages = 0;
    #define dt_take_storage() (dt_n_kept_storages--)
    #define dt_give_storage(o) (dt_kept_storages[dt_n_kept_storages++] = (o))
    """
    void dt_take_storage()
    void dt_give_storage(PyObject *o) noexcept
    enum:
        DT_KEPT_STORAGES
    PyObject *dt_kept_storages[]
    int dt_n_kept_storages

cdef extern from "Python.h":
    void Py_SET_REFCNT(PyObject *o, Py_ssize_t n)

cdef destructor free_other = (<PyTypeObject *>Storage).tp_dealloc


cdef bint in_c_order(View a):
    cdef Py_ssize_t step = 1
    cdef int k
    for k in range(a.nd - 1, -1, -1):
        if a.shape_[k] != 1 and a.step_[k] != step:
            return False
        step *= a.shape_[k]
    return True


cdef Storage new_native():
    """A storage of float64 whose tape, memory and size are not yet set."""
    cdef PyObject *o
    cdef Storage s
    if dt_n_kept_storages > 0:
        dt_take_storage()
        o = dt_kept_storages[dt_n_kept_storages]
        Py_SET_REFCNT(o, 1)
        s = <Storage>o
        Py_DECREF(s)  # the cast has taken a reference of its own
        s.needed = False
    else:
        s = Storage.__new__(Storage)
        s.dtype = FLOAT64
    s.first = NO_SCALARS
    return s


cdef void free_storage(PyObject *o) noexcept:
    """Deallocation of storages: those of float64 on a tape are kept."""
    if (<Storage>o).p != NULL and (<Storage>o).dtype is FLOAT64:
        (<Storage>o).tape = None
        (<Storage>o).chunk = None
        (<Storage>o).data = None
        (<Storage>o).tangents = None
        if dt_n_kept_storages < DT_KEPT_STORAGES:  # only now: what has gone may have held others
            dt_give_storage(o)
            return
    free_other(o)


cdef View fresh(Tape tape, int nd, const Py_ssize_t *shape):
    """A new array of float64 on a tape, its numbers not yet set."""
    cdef Storage s = new_native()
    cdef Py_ssize_t n = 1
    cdef int k
    for k in range(nd):
        n *= shape[k]
    s.level = tape.level
    s.tape = tape
    s.size = n
    if n <= DT_SMALL:
        if 0 < n <= tape.room_left:
            s.p = tape.room
            tape.room += n
            tape.room_left -= n
        else:
            s.p = tape.small(n)
        s.chunk = tape.chunk
    else:
        s.chunk = buffer(n, &s.p)
    if tape.t.n_shadows < tape.t.cap_shadows:
        s.id = tape.t.n_shadows
        tape.t.n_shadows += 1
        tape.t.shadow_size[s.id] = n
    else:
        s.id = new_native_shadow(tape, n)
    cdef View out = new_var_array(s)
    out.nd = nd
    out.size = n
    n = 1
    for k in range(nd - 1, -1, -1):
        out.shape_[k] = shape[k]
        out.step_[k] = n
        n *= shape[k]
    return out


cdef object dtype_of(int kind):
    return FLOAT64 if kind == DT_DOUBLE else FLOAT32 if kind == DT_FLOAT else COMPLEX128


cdef View fresh_of(Tape tape, int kind, int nd, const Py_ssize_t *shape):
    """As `fresh`, for numbers of any kind."""
    cdef Storage s
    cdef View out
    cdef Py_ssize_t n = 1
    cdef int k
    if kind == DT_DOUBLE:
        return fresh(tape, nd, shape)
    for k in range(nd):
        n *= shape[k]
    s = Storage.__new__(Storage)
    s.first = NO_SCALARS
    s.level = tape.level
    s.tape = tape
    s.size = n
    s.dtype = dtype_of(kind)
    s.data = numbers(n, kind)
    s.id = tape.new_shadow(n, s.dtype)
    out = new_var_array(s)
    out.nd = nd
    out.size = n
    n = 1
    for k in range(nd - 1, -1, -1):
        out.shape_[k] = shape[k]
        out.step_[k] = n
        n *= shape[k]
    return out


cdef object numbers(Py_ssize_t n, int kind):
    """A flat ndarray of numbers of a kind, not yet set."""
    cdef cnp.npy_intp size = n
    cdef int dtype = cnp.NPY_FLOAT if kind == DT_FLOAT else cnp.NPY_CDOUBLE
    cdef Py_ssize_t room = (item_size[kind] * n + 7) // 8
    if room <= 4 * DT_SMALL:
        return cnp.PyArray_SimpleNew(1, &size, dtype)
    memory = doubles(room)
    out = cnp.PyArray_SimpleNewFromData(1, &size, dtype, cnp.PyArray_DATA(memory))
    cnp.set_array_base(out, memory)
    return out


cdef View numbers_of(View a, int *kind):
    """An array on a tape as numbers of one of the kinds: itself, or where it is the real or imaginary part of another,
    a view with steps that count doubles, which is not for the user. None where it is neither."""
    cdef Storage s = a.store
    cdef View out
    cdef int dtype, k
    if s.p != NULL:
        kind[0] = DT_DOUBLE
        return a
    if s.tape is None or type(s.data) is not np.ndarray:
        return None
    dtype = cnp.PyArray_TYPE(s.data)
    if dtype == cnp.NPY_FLOAT:
        kind[0] = DT_FLOAT
        return a
    if dtype != cnp.NPY_CDOUBLE:
        return None
    if a.part == 0:
        kind[0] = DT_COMPLEX
        return a
    kind[0] = DT_DOUBLE
    out = new_var_array(s)
    out.nd = a.nd
    out.size = a.size
    out.offset = 2 * a.offset + a.part - 1
    out.readonly = a.readonly
    for k in range(a.nd):
        out.shape_[k] = a.shape_[k]
        out.step_[k] = 2 * a.step_[k]
    return out


cdef int64_t *steps_on(Tape tape, int nd, const Py_ssize_t *step) except NULL:
    """Steps, in memory of the tape."""
    cdef int64_t *out = <int64_t *>tape.node_room(8 * (nd if nd else 1))
    cdef int k
    for k in range(nd):
        out[k] = step[k]
    return out


cdef int keep_memory(Tape tape, object holder, Py_ssize_t size) except -1:
    """Keep memory of so many doubles for the node that is about to be recorded, which is the first to read it."""
    if size < LARGE:
        return tape.keep(holder)
    if tape.large is None:
        tape.large = []
    tape.large.append((tape.t.size, holder))
    return 0


cdef int keep_value(Tape tape, Storage s) except -1:
    """A node reads the numbers of a storage: they are to stay as they are, and where they are."""
    if not s.needed:
        s.needed = True
        if s.data is not None:
            keep_memory(tape, s.data, s.size)
        elif s.size > DT_SMALL:  # that of smaller ones is the tape's
            keep_memory(tape, s.chunk, s.size)
    return 0


cdef double *packed_on(Tape tape, int kind, int nd, const Py_ssize_t *shape, Py_ssize_t n, const char *p,
                       const Py_ssize_t *step) except NULL:
    """A copy of a view, contiguous, that lives as long as the program."""
    cdef double *to = memory_on(tape, item_size[kind] * n)
    if kind == DT_DOUBLE:
        gather(nd, shape, n, <const double *>p, step, to)
    elif kind == DT_FLOAT:
        gather(nd, shape, n, <const float *>p, step, <float *>to)
    else:
        gather(nd, shape, n, <const (double complex) *>p, step, <double complex *>to)
    return to


cdef double *memory_on(Tape tape, Py_ssize_t size) except NULL:
    """Bytes that live as long as the program."""
    if size <= 32 * DT_SMALL:
        return <double *>tape.node_room(size if size else 8)
    room = doubles((size + 7) // 8)
    keep_memory(tape, room, size // 8)
    return <double *>cnp.PyArray_DATA(room)


ctypedef fused number:
    double
    float
    double complex


cdef void gather(int nd, const Py_ssize_t *shape, Py_ssize_t n, const number *p, const Py_ssize_t *step,
                 number *to) noexcept:
    """The elements of a view in C order."""
    cdef Py_ssize_t place[MAX_DIMS]
    cdef Py_ssize_t i = 0, j, inner, by
    cdef int k
    if nd == 0:
        to[0] = p[0]
        return
    inner = shape[nd - 1]
    by = step[nd - 1]
    for k in range(nd):
        place[k] = 0
    while i < n:
        if by == 1:
            memcpy(to + i, p, sizeof(number) * inner)
        else:
            for j in range(inner):
                to[i + j] = p[j * by]
        i += inner
        k = nd - 2
        while k >= 0:
            p += step[k]
            place[k] += 1
            if place[k] < shape[k]:
                break
            p -= shape[k] * step[k]
            place[k] = 0
            k -= 1


cdef bint widen(int *nd, Py_ssize_t *shape, int more, const Py_ssize_t *other) noexcept:
    """Broadcast a shape against another; whether that is possible."""
    cdef int i, shift
    if more > nd[0]:
        shift = more - nd[0]
        for i in range(nd[0] - 1, -1, -1):
            shape[i + shift] = shape[i]
        for i in range(shift):
            shape[i] = 1
        nd[0] = more
    shift = nd[0] - more
    for i in range(more):
        if shape[i + shift] != other[i]:
            if shape[i + shift] == 1:
                shape[i + shift] = other[i]
            elif other[i] != 1:
                return False
    return True


cdef void align(int nd, const Py_ssize_t *shape, int less, const Py_ssize_t *own, const Py_ssize_t *step,
                Py_ssize_t *out) noexcept:
    """Steps of an operand along the axes of the result: 0 where it is repeated."""
    cdef int i, shift = nd - less
    for i in range(nd):
        out[i] = 0 if i < shift or (own[i - shift] == 1 and shape[i] != 1) else step[i - shift]


cdef int align_contiguous(int nd, const Py_ssize_t *shape, object arg, Py_ssize_t *out) except -1:
    cdef Py_ssize_t own[MAX_DIMS]
    cdef Py_ssize_t step[MAX_DIMS]
    cdef Py_ssize_t total = 1
    cdef int i, less = cnp.PyArray_NDIM(arg)
    for i in range(less - 1, -1, -1):
        own[i] = cnp.PyArray_DIM(arg, i)
        step[i] = total
        total *= own[i]
    align(nd, shape, less, own, step, out)
    return 0


cdef bint memory_order(int arity, int nd, const Py_ssize_t *shape, const Operand *operand, int *order) noexcept:
    """The order of axes in which NumPy would lay out the result, by the operands' steps as its iterator compares them;
    whether it is another than C order."""
    cdef Py_ssize_t total, x, y
    cdef Py_ssize_t full[3][MAX_DIMS]
    cdef int i, j, k, axis, place
    cdef bint swap, unsure, any_swap = False
    for k in range(arity):
        total = 1
        for i in range(nd - 1, -1, -1):
            full[k][i] = total if operand[k].contiguous else operand[k].step[i]
            if full[k][i] < 0:
                full[k][i] = -full[k][i]
            if shape[i] == 1:
                full[k][i] = 0
            total *= shape[i]
    for i in range(nd):
        order[i] = i
    # From the innermost axis outwards; an axis moves inwards past those of longer steps.
    for i in range(nd - 2, -1, -1):
        axis = order[i]
        place = i
        for j in range(i + 1, nd):
            swap = False
            unsure = True
            for k in range(arity):
                x = full[k][axis]
                y = full[k][order[j]]
                if x != 0 and y != 0:
                    if y <= x:
                        swap = False
                    elif unsure:
                        swap = True
                    unsure = False
            if not unsure:
                if not swap:
                    break
                place = j
        for j in range(i, place):
            order[j] = order[j + 1]
            any_swap = True
        order[place] = axis
    return any_swap


cdef void evaluate(int row, int kind, int out_kind, int arity, int nd, const Py_ssize_t *shape, Py_ssize_t n,
                   Operand *operand, bint flat, char *out, const Py_ssize_t *out_step) noexcept:
    """The values of a row, axis by axis."""
    cdef char *x[3]
    cdef Py_ssize_t step[3]
    cdef Py_ssize_t full[3][MAX_DIMS]
    cdef Py_ssize_t place[MAX_DIMS]
    cdef Py_ssize_t total, inner, i, by, size = item_size[kind], out_size = item_size[out_kind]
    cdef int k, axis
    for k in range(arity):
        x[k] = operand[k].p
        step[k] = 1 if operand[k].contiguous else 0
    if flat and out_step == NULL:
        compute(row, kind, out_kind, arity, n, x, step, out, 1)
        return
    if nd == 0:
        compute(row, kind, out_kind, arity, 1, x, step, out, 1)
        return
    for k in range(arity):
        total = 1
        for axis in range(nd - 1, -1, -1):
            full[k][axis] = total if operand[k].contiguous else operand[k].step[axis]
            total *= shape[axis]
        step[k] = full[k][nd - 1]
    for axis in range(nd):
        place[axis] = 0
    inner = shape[nd - 1]
    i = 0
    while i < n:
        compute(row, kind, out_kind, arity, inner, x, step, out, 1 if out_step == NULL else out_step[nd - 1])
        i += inner
        if out_step == NULL:
            out += inner * out_size
        axis = nd - 2
        while axis >= 0:
            place[axis] += 1
            by = 1
            if place[axis] == shape[axis]:
                by = 1 - shape[axis]
                place[axis] = 0
            for k in range(arity):
                x[k] += by * full[k][axis] * size
            if out_step != NULL:
                out += by * out_step[axis] * out_size
            if by == 1:
                break
            axis -= 1


cdef int64_t append_array_node(Tape tape, dt_array_node *node) except -1:
    cdef uintptr_t bits = <uintptr_t>node
    tape.t.arrays |= 2
    if tape.t.size < tape.t.limit:
        return dt_append(&tape.t, DT_ARRAY, <uint32_t>bits, <uint32_t>(bits >> 32), 0.0)
    return append_node(tape, DT_ARRAY, <uint32_t>bits, <uint32_t>(bits >> 32), 0.0)


cdef const int64_t *packed_steps(Tape tape, int nd, const Py_ssize_t *shape, View a) except NULL:
    """The steps of a packed copy of `a` along the axes of a result."""
    cdef Py_ssize_t step[MAX_DIMS]
    cdef Py_ssize_t out[MAX_DIMS]
    cdef Py_ssize_t total = 1
    cdef int k
    for k in range(a.nd - 1, -1, -1):
        step[k] = total
        total *= a.shape_[k]
    align(nd, shape, a.nd, a.shape_, step, out)
    return steps_on(tape, nd, out)


cdef const double *kept_constant(Tape tape, object array) except NULL:
    """The numbers of a plain array as they are now: the program may write to it later."""
    cdef double *to = memory_on(tape, cnp.PyArray_NBYTES(array))
    memcpy(to, cnp.PyArray_DATA(array), cnp.PyArray_NBYTES(array))
    return to


(<PyTypeObject *>Storage).tp_dealloc = <destructor><void *>free_storage
