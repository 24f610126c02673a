"""Operations on arrays of float64 that are recorded as nodes in C: rows of the rule table, matrix products, sums,
assignments. What an operation is not made for, it declines by None, and the general rules do it."""

import importlib

import numpy as np

cimport numpy as cnp
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uintptr_t
from libc.string cimport memcpy, memset
from cpython.float cimport PyFloat_AS_DOUBLE

from dualtape.core cimport array as core_array
from dualtape.core.array cimport MAX_DIMS, Array, Storage, VarArray, new_var_array, unwritten
from dualtape.core.kernels cimport (
    DT_ADD, DT_CONSTANT, DT_MUL, DT_NEEDS_SCIPY, DT_POS, DT_READS_OUT, DT_READS_X, DT_READS_Y, DT_ROWS, dt_row, load_special, rows,
)
from dualtape.core.tape cimport (
    DT_ARRAY, DT_STATE_OPEN, Tape, Var, append_node, dt_append, dt_tape_bump, new_native_shadow, new_var,
)

from dualtape.errors import escaped
from dualtape.rules.table import RULES

cnp.import_array()

cdef extern from "numpy/ufuncobject.h":
    ctypedef struct PyUFuncObject:
        int nin, nout, nargs, ntypes
        void *functions
        void *data
        const char *types

cdef extern from "array.h" nogil:
    ctypedef struct dt_operand:
        const double *value
        const int64_t *vstep
        const int64_t *bstep
        int64_t at
        uint32_t storage
        uint32_t scalar
    ctypedef struct dt_array_node:
        int64_t n
        const int64_t *shape
        uint16_t kind
        uint16_t row
        uint8_t nd
        uint8_t arity
        uint8_t overwrites
        dt_operand out
        dt_operand x[3]
    enum:
        DT_NONE, DT_ELEMENTWISE, DT_SUM, DT_MATMUL, DT_SMALL

cdef dt_ufunc loops[DT_ROWS + 1]
ufuncs = loops

cdef int64_t zero_steps[MAX_DIMS]
memset(zero_steps, 0, sizeof(zero_steps))


# --- NumPy's loops ---------------------------------------------------------------------------------------------------

cdef int find_loop(object ufunc, dt_ufunc *found) except -1:
    """The loop of a ufunc for float64, where it has one."""
    cdef PyUFuncObject *u = <PyUFuncObject *>ufunc
    cdef int i, k
    cdef bint fits
    for i in range(u.ntypes):
        fits = True
        for k in range(u.nargs):
            fits = fits and u.types[i * u.nargs + k] == cnp.NPY_DOUBLE
        if fits:
            found.loop = (<dt_loop *>u.functions)[i]
            found.data = (<void **>u.data)[i]
            return 0
    return 0


def _find_loops():
    memset(loops, 0, sizeof(loops))
    for row, rule in enumerate(RULES):
        for name in rule.ufuncs:
            module, _, attribute = name.rpartition(".")
            if module == "numpy":
                ufunc = getattr(np, attribute)
                if isinstance(ufunc, np.ufunc):
                    find_loop(ufunc, &loops[row])
                    break
    find_loop(np.matmul, &loops[<int>DT_ROWS])


_find_loops()


cdef void compute(int row, int arity, Py_ssize_t n, double *const *x, const Py_ssize_t *step, double *out,
                  Py_ssize_t out_step) noexcept:
    """A row along one axis. Steps count doubles."""
    cdef char *args[4]
    cdef Py_ssize_t strides[4]
    cdef Py_ssize_t i
    cdef int k
    cdef double y, z
    if loops[row].loop != NULL:
        for k in range(arity):
            args[k] = <char *>x[k]
            strides[k] = 8 * step[k]
        args[arity] = <char *>out
        strides[arity] = 8 * out_step
        loops[row].loop(args, &n, strides, loops[row].data)
        return
    for i in range(n):
        y = x[1][i * step[1]] if arity > 1 else 0.0
        z = x[2][i * step[2]] if arity > 2 else 0.0
        out[i * out_step] = rows[row].value(x[0][i * step[0]], y, z)


# --- operands --------------------------------------------------------------------------------------------------------

cdef struct Operand:
    double *p               # the first element
    double c                # the number of a scalar
    Py_ssize_t step[MAX_DIMS]  # along the axes of the result
    bint contiguous         # of the result's shape, in C order
    bint is_array
    uint32_t scalar


cdef bint is_native(object x):
    """Whether `x` is an array of float64 on a tape, with its numbers in plain memory."""
    return type(x) is VarArray and (<Array>x).store.p != NULL and (<Array>x).part == 0


cdef bint in_c_order(Array a):
    cdef Py_ssize_t step = 1
    cdef int k
    for k in range(a.nd - 1, -1, -1):
        if a.shape_[k] != 1 and a.step_[k] != step:
            return False
        step *= a.shape_[k]
    return True


cdef Array fresh(Tape tape, int nd, const Py_ssize_t *shape):
    """A new array of float64 on a tape, its numbers not yet set."""
    cdef Storage s = Storage.__new__(Storage)
    cdef Py_ssize_t n = 1
    cdef cnp.npy_intp size
    cdef int k
    for k in range(nd):
        n *= shape[k]
    size = n
    s.level = tape.level
    s.tape = tape
    s.size = n
    s.dtype = FLOAT64
    if n <= DT_SMALL:
        if 0 < n <= tape.room_left:
            s.p = tape.room
            tape.room += n
            tape.room_left -= n
        else:
            s.p = tape.small(n)
        s.chunk = tape.chunk
    else:
        s.data = cnp.PyArray_SimpleNew(1, &size, cnp.NPY_FLOAT64)
        s.p = <double *>cnp.PyArray_DATA(s.data)
    if tape.t.n_shadows < tape.t.cap_shadows:
        s.id = tape.t.n_shadows
        tape.t.n_shadows += 1
        tape.t.shadow_size[s.id] = n
    else:
        s.id = new_native_shadow(tape, n)
    cdef Array out = new_var_array(s)
    out.nd = nd
    out.size = n
    n = 1
    for k in range(nd - 1, -1, -1):
        out.shape_[k] = shape[k]
        out.step_[k] = n
        n *= shape[k]
    return out


cdef object FLOAT64 = np.dtype(np.float64)


cdef int64_t *steps_on(Tape tape, int nd, const Py_ssize_t *step) except NULL:
    """Steps, in memory of the tape."""
    cdef int64_t *out = <int64_t *>tape.node_room(8 * (nd if nd else 1))
    cdef int k
    for k in range(nd):
        out[k] = step[k]
    return out


cdef int keep_value(Tape tape, Storage s) except -1:
    """A node reads the numbers of a storage: they are to stay as they are, and where they are."""
    if not s.needed:
        s.needed = True
        if s.data is not None:
            tape.keep(s.data)
    return 0


cdef double *packed_on(Tape tape, int nd, const Py_ssize_t *shape, Py_ssize_t n, double *p,
                       const Py_ssize_t *step) except NULL:
    """A copy of a view, contiguous, that lives as long as the program."""
    cdef double *to
    cdef Py_ssize_t place[MAX_DIMS]
    cdef Py_ssize_t i, j, inner
    cdef int k
    cdef cnp.npy_intp size = n
    if n <= 4 * DT_SMALL:
        to = <double *>tape.node_room(8 * (n if n else 1))
    else:
        room = cnp.PyArray_SimpleNew(1, &size, cnp.NPY_FLOAT64)
        tape.keep(room)
        to = <double *>cnp.PyArray_DATA(room)
    gather(nd, shape, n, p, step, to)
    return to


cdef void gather(int nd, const Py_ssize_t *shape, Py_ssize_t n, const double *p, const Py_ssize_t *step,
                 double *to) noexcept:
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
            memcpy(to + i, p, 8 * inner)
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


# --- rows of the table -----------------------------------------------------------------------------------------------

cdef object record_row(int row, object x, object y, object z, int arity):
    """A row at arrays and numbers of one tape, or at such and plain numbers.

    Returns
    -------
    VarArray or None
        None where an operand is of another kind, the shapes do not fit, or no array is among them.
    """
    if arity <= 2 and type(x) is VarArray and (arity == 1 or type(y) is VarArray):
        out = record_alike(row, <Array>x, None if arity == 1 else <Array>y)
        if out is not None:
            return out
    return record(row, x, y, z, arity, None)


cdef inline bint readable(Array a):
    """Whether a node may read the numbers of a contiguous view where they are, and not a copy of them."""
    return 4 * a.size >= a.store.size


cdef Array record_alike(int row, Array x, Array y):
    """A row at one array, or at two of the same shape, whose elements lie in C order: the usual case, made short."""
    cdef Storage s = x.store
    cdef Storage t
    cdef Tape tape = s.tape
    cdef int flags = rows[row].flags
    cdef int k, nd = x.nd
    cdef dt_array_node *node
    cdef int64_t *shape
    cdef Array out
    cdef char *args[3]
    cdef Py_ssize_t strides[3]
    cdef Py_ssize_t n = x.size
    if s.p == NULL or x.part or nd == 0 or flags & (DT_CONSTANT | DT_NEEDS_SCIPY) or not in_c_order(x):
        return None
    if loops[row].loop == NULL or not readable(x):
        return None
    if y is not None:
        t = y.store
        if t.p == NULL or y.part or t.tape is not tape or y.nd != nd or not in_c_order(y) or not readable(y):
            return None
        for k in range(nd):
            if x.shape_[k] != y.shape_[k]:
                return None
    if tape.t.state != DT_STATE_OPEN or tape.level != s.level:
        raise escaped()
    cdef size_t bytes = sizeof(dt_array_node) - (2 if y is None else 1) * sizeof(dt_operand) + 8 * nd
    node = <dt_array_node *>dt_tape_bump(&tape.t, bytes)
    if node == NULL:
        node = <dt_array_node *>tape.node_room(bytes)
    shape = <int64_t *>&node.x[1 if y is None else 2]
    out = fresh(tape, nd, x.shape_)
    for k in range(nd):
        shape[k] = x.shape_[k]
    node.n = n
    node.shape = shape
    node.kind = DT_ELEMENTWISE
    node.row = row
    node.nd = nd
    node.overwrites = False
    node.out.value = NULL
    node.out.vstep = NULL
    node.out.bstep = NULL
    node.out.at = 0
    node.out.storage = out.store.id
    node.out.scalar = DT_NONE
    if flags & DT_READS_OUT:
        keep_value(tape, out.store)
        node.out.value = out.store.p
    node.x[0].value = NULL
    node.x[0].vstep = NULL
    node.x[0].bstep = NULL
    node.x[0].at = x.offset
    node.x[0].storage = s.id
    node.x[0].scalar = DT_NONE
    if flags & DT_READS_X:
        keep_value(tape, s)
        node.x[0].value = s.p + x.offset
    args[0] = <char *>(s.p + x.offset)
    strides[0] = strides[1] = strides[2] = 8
    if y is None:
        node.arity = 1
        args[1] = <char *>out.store.p
    else:
        node.arity = 2
        node.x[1].value = NULL
        node.x[1].vstep = NULL
        node.x[1].bstep = NULL
        node.x[1].at = y.offset
        node.x[1].storage = t.id
        node.x[1].scalar = DT_NONE
        if flags & DT_READS_Y:
            keep_value(tape, t)
            node.x[1].value = t.p + y.offset
        args[1] = <char *>(t.p + y.offset)
        args[2] = <char *>out.store.p
    if n <= 16 and row <= 3:
        short_loop(row, n, <double *>args[0], <double *>args[1], out.store.p)
    else:
        loops[row].loop(args, &n, strides, loops[row].data)
    append_array_node(tape, node)
    return out


cdef inline void short_loop(int row, Py_ssize_t n, const double *x, const double *y, double *out) noexcept:
    """+ - * / of a few numbers, for which the call of a loop would take longer than the loop."""
    cdef Py_ssize_t i
    if row == 0:
        for i in range(n):
            out[i] = x[i] + y[i]
    elif row == 1:
        for i in range(n):
            out[i] = x[i] - y[i]
    elif row == 2:
        for i in range(n):
            out[i] = x[i] * y[i]
    else:
        for i in range(n):
            out[i] = x[i] / y[i]


cdef object record(int row, object x, object y, object z, int arity, Array target):
    """As `record_row`; with a target the result overwrites it, and the target is given back."""
    cdef Operand operand[3]
    cdef PyObjects given
    cdef object arg
    cdef Tape tape = None
    cdef Array a
    cdef int k, i, nd = 0
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef Py_ssize_t moved[MAX_DIMS]
    cdef Py_ssize_t step[MAX_DIMS]
    cdef int order[MAX_DIMS]
    cdef Py_ssize_t total
    cdef Py_ssize_t n = 1
    cdef bint flat = True, any_array = False
    if rows[row].flags & DT_CONSTANT:
        return None
    given.x[0] = <void *>x
    given.x[1] = <void *>y
    given.x[2] = <void *>z
    constants = None
    # Which operands there are, and the shape of the result.
    for k in range(arity):
        arg = <object>given.x[k]
        operand[k].is_array = False
        operand[k].scalar = DT_NONE
        operand[k].contiguous = False
        if type(arg) is VarArray:
            a = <Array>arg
            if a.store.p == NULL or a.part:
                return None
            if tape is None:
                tape = a.store.tape
            elif tape is not a.store.tape:
                return None
            operand[k].p = a.store.p + a.offset
            operand[k].is_array = True
            if not any_array:
                any_array = True
                nd = a.nd
                for i in range(nd):
                    shape[i] = a.shape_[i]
            elif not widen(&nd, shape, a.nd, a.shape_):
                return None
        elif type(arg) is float:
            operand[k].c = PyFloat_AS_DOUBLE(arg)
            operand[k].p = &operand[k].c
        elif type(arg) is int:
            if not -9007199254740992 <= arg <= 9007199254740992:
                return None
            operand[k].c = arg
            operand[k].p = &operand[k].c
        elif type(arg) is Var:
            operand[k].c = (<Var>arg).primal
            operand[k].p = &operand[k].c
            operand[k].scalar = (<Var>arg).index
            if tape is None:
                tape = <Tape>(<Var>arg).owner
            elif <void *>tape != <void *>(<Var>arg).owner:
                return None
        elif type(arg) is np.float64:
            operand[k].c = arg
            operand[k].p = &operand[k].c
        elif type(arg) is np.ndarray:
            if cnp.PyArray_TYPE(arg) != cnp.NPY_FLOAT64 or cnp.PyArray_NDIM(arg) > MAX_DIMS:
                if not cnp.PyTypeNum_ISINTEGER(cnp.PyArray_TYPE(arg)) and not cnp.PyArray_TYPE(arg) == cnp.NPY_BOOL:
                    return None
                if arity == 1:
                    return None
                arg = arg.astype(FLOAT64)
            elif not cnp.PyArray_ISCARRAY_RO(arg):
                arg = cnp.PyArray_GETCONTIGUOUS(arg)
            if constants is None:
                constants = [None, None, None]
            constants[k] = arg
            operand[k].p = <double *>cnp.PyArray_DATA(arg)
            if not any_array:
                any_array = True
                nd = cnp.PyArray_NDIM(arg)
                for i in range(nd):
                    shape[i] = cnp.PyArray_DIM(arg, i)
            elif not widen(&nd, shape, cnp.PyArray_NDIM(arg), <Py_ssize_t *>cnp.PyArray_DIMS(arg)):
                return None
        else:
            return None
    if not any_array or tape is None:
        return None
    if tape.t.state != DT_STATE_OPEN:
        raise escaped()
    for i in range(nd):
        n *= shape[i]
    if target is not None:
        if target.nd != nd:
            return None
        for i in range(nd):
            if target.shape_[i] != shape[i]:
                return None
    elif nd == 0:
        return None  # NumPy gives a scalar
    # Their steps along its axes.
    for k in range(arity):
        arg = <object>given.x[k]
        if operand[k].is_array:
            a = <Array>arg
            if a.store.level != tape.level:
                raise escaped()
            operand[k].contiguous = a.size == n and a.nd == nd and in_c_order(a)
            if not operand[k].contiguous:
                align(nd, shape, a.nd, a.shape_, a.step_, operand[k].step)
                flat = False
        elif constants is not None and constants[k] is not None:
            arg = constants[k]
            operand[k].contiguous = cnp.PyArray_SIZE(arg) == n and cnp.PyArray_NDIM(arg) == nd
            if not operand[k].contiguous:
                align_contiguous(nd, shape, arg, operand[k].step)
                flat = False
        else:
            for i in range(nd):
                operand[k].step[i] = 0
    if rows[row].flags & DT_NEEDS_SCIPY:
        load_special()
    if not flat and target is None and nd > 1 and memory_order(arity, nd, shape, operand, order):
        # The result's axes lie in memory as the operands' do: all is done with the axes in that order.
        for i in range(nd):
            moved[i] = shape[order[i]]
        flat = True
        for k in range(arity):
            if operand[k].contiguous:
                total = 1
                for i in range(nd - 1, -1, -1):
                    step[i] = total
                    total *= shape[i]
            else:
                for i in range(nd):
                    step[i] = operand[k].step[i]
            total = 1
            operand[k].contiguous = operand[k].is_array or (constants is not None and constants[k] is not None)
            for i in range(nd - 1, -1, -1):
                operand[k].step[i] = step[order[i]]
                if moved[i] != 1 and operand[k].step[i] != total:
                    if operand[k].is_array or (constants is not None and constants[k] is not None):
                        flat = False
                    operand[k].contiguous = False
                total *= moved[i]
        a = finish(row, arity, tape, operand, given, constants, nd, moved, n, flat, None, True)
        for i in range(nd):
            shape[i] = a.step_[i]
        for i in range(nd):
            a.shape_[order[i]] = moved[i]
            a.step_[order[i]] = shape[i]
        return a
    return finish(row, arity, tape, operand, given, constants, nd, shape, n, flat, target, False)


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


cdef struct PyObjects:
    void *x[3]


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


cdef void evaluate(int row, int arity, int nd, const Py_ssize_t *shape, Py_ssize_t n, Operand *operand, bint flat,
                   double *out, const Py_ssize_t *out_step) noexcept:
    """The values of a row, axis by axis."""
    cdef double *x[3]
    cdef Py_ssize_t step[3]
    cdef Py_ssize_t full[3][MAX_DIMS]
    cdef Py_ssize_t place[MAX_DIMS]
    cdef Py_ssize_t total, inner, i, by
    cdef int k, axis
    for k in range(arity):
        x[k] = operand[k].p
        step[k] = 1 if operand[k].contiguous else 0
    if flat and out_step == NULL:
        compute(row, arity, n, x, step, out, 1)
        return
    if nd == 0:
        compute(row, arity, 1, x, step, out, 1)
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
        compute(row, arity, inner, x, step, out, 1 if out_step == NULL else out_step[nd - 1])
        i += inner
        if out_step == NULL:
            out += inner
        axis = nd - 2
        while axis >= 0:
            place[axis] += 1
            by = 1
            if place[axis] == shape[axis]:
                by = 1 - shape[axis]
                place[axis] = 0
            for k in range(arity):
                x[k] += by * full[k][axis]
            if out_step != NULL:
                out += by * out_step[axis]
            if by == 1:
                break
            axis -= 1


cdef object finish(int row, int arity, Tape tape, Operand *operand, PyObjects given, list constants, int nd,
                   const Py_ssize_t *shape, Py_ssize_t n, bint flat, Array target, bint permuted):
    """Evaluate, and record the node. `permuted` says that the axes are in another order than the operands' own."""
    cdef Array out, a
    cdef Storage s
    cdef int k, flags = rows[row].flags
    cdef bint reads, active_y
    cdef dt_array_node *node
    cdef dt_operand *to
    cdef double *c
    cdef Py_ssize_t *target_steps = NULL
    node = <dt_array_node *>tape.node_room(sizeof(dt_array_node) - (3 - arity) * sizeof(dt_operand))
    node.n = n
    node.kind = DT_ELEMENTWISE
    node.row = row
    node.nd = nd
    node.arity = arity
    node.overwrites = target is not None
    for k in range(arity):
        to = &node.x[k]
        reads = flags & (DT_READS_X << k)
        if row == DT_MUL:
            # The slope by one factor reads the other: only where that one's adjoint is asked for.
            arg = <object>given.x[1 - k]
            reads = type(arg) is VarArray or type(arg) is Var
        to.storage = DT_NONE
        to.scalar = operand[k].scalar
        to.value = NULL
        to.vstep = NULL
        to.bstep = NULL
        to.at = 0
        if operand[k].is_array:
            a = <Array><object>given.x[k]
            s = a.store
            to.storage = s.id
            to.at = a.offset
            if not operand[k].contiguous:
                to.bstep = steps_on(tape, nd, operand[k].step)
            if reads:
                if (a.size != s.size and 4 * a.size < s.size) or s is (None if target is None else target.store):
                    if permuted:
                        to.value = packed_on(tape, nd, shape, n, operand[k].p, operand[k].step)
                    else:
                        to.value = packed_on(tape, a.nd, a.shape_, a.size, operand[k].p, a.step_)
                    if not permuted and (a.size != n or a.nd != nd):
                        to.vstep = packed_steps(tape, nd, shape, a)
                else:
                    keep_value(tape, s)
                    to.value = operand[k].p
                    to.vstep = to.bstep
        elif constants is not None and constants[k] is not None:
            if reads:
                to.value = kept_constant(tape, constants[k])
                if not operand[k].contiguous:
                    to.vstep = steps_on(tape, nd, operand[k].step)
        else:
            c = <double *>tape.node_room(8)
            c[0] = operand[k].c
            to.value = c
            to.vstep = zero_steps
    if target is None:
        out = fresh(tape, nd, shape)
        evaluate(row, arity, nd, shape, n, operand, flat, out.store.p, NULL)
    else:
        out = target
        unwritten(out.store)
        for k in range(arity):
            if operand[k].is_array and (<Array><object>given.x[k]).store is out.store:
                operand[k].p = out.store.p + (<Array><object>given.x[k]).offset
        target_steps = NULL if in_c_order(out) else out.step_
        evaluate(row, arity, nd, shape, n, operand, flat, out.store.p + out.offset, target_steps)
    to = &node.out
    to.storage = out.store.id
    to.scalar = DT_NONE
    to.at = out.offset
    to.value = NULL
    to.vstep = NULL
    to.bstep = NULL if target_steps == NULL else steps_on(tape, nd, target_steps)
    if flags & DT_READS_OUT:
        if target is not None:
            to.value = packed_on(tape, nd, shape, n, out.store.p + out.offset, out.step_)
        else:
            keep_value(tape, out.store)
            to.value = out.store.p
    node.shape = <const int64_t *>steps_on(tape, nd, shape)
    append_array_node(tape, node)
    return out


cdef int64_t append_array_node(Tape tape, dt_array_node *node) except -1:
    cdef uintptr_t bits = <uintptr_t>node
    if tape.t.size < tape.t.limit:
        return dt_append(&tape.t, DT_ARRAY, <uint32_t>(bits & 0xFFFFFFFF), <uint32_t>(bits >> 32), 0.0)
    return append_node(tape, DT_ARRAY, <uint32_t>(bits & 0xFFFFFFFF), <uint32_t>(bits >> 32), 0.0)


cdef const int64_t *packed_steps(Tape tape, int nd, const Py_ssize_t *shape, Array a) except NULL:
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
    cdef Py_ssize_t n = cnp.PyArray_SIZE(array)
    cdef double *to
    cdef cnp.npy_intp size = n
    if n <= 4 * DT_SMALL:
        to = <double *>tape.node_room(8 * (n if n else 1))
    else:
        copy = cnp.PyArray_SimpleNew(1, &size, cnp.NPY_FLOAT64)
        tape.keep(copy)
        to = <double *>cnp.PyArray_DATA(copy)
    memcpy(to, cnp.PyArray_DATA(array), 8 * n)
    return to


# --- assignment ------------------------------------------------------------------------------------------------------

def write(Array target, value):
    """``target[...] = value`` as a node in C.

    Returns
    -------
    bool
        Whether it was done: target and value are of float64 on one tape, or the value is plain.
    """
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef int i
    if not is_native(target) or target.readonly:
        return False
    if type(value) is VarArray and (<Array>value).store is target.store:
        return False
    if type(value) is not VarArray and type(value) is not Var and type(value) is not float:
        return False
    # Broadcast to the target: a value of fewer axes, or with axes of length 1.
    if type(value) is VarArray:
        if (<Array>value).nd != target.nd:
            return False
        for i in range(target.nd):
            if (<Array>value).shape_[i] != target.shape_[i]:
                return False
        return record(DT_POS, value, None, None, 1, target) is not None
    return False


def inplace(int row, Array target, value):
    """``target += value`` and its kin as one node in C, where no number that is overwritten is read by the sweep.

    Returns
    -------
    bool
        Whether it was done.
    """
    if not is_native(target) or target.readonly:
        return False
    if type(value) is VarArray:
        if (<Array>value).store is target.store:
            return False
        if row > 1:
            return False
    elif type(value) is Var:
        if row > 1:
            return False
    elif type(value) is not float and type(value) is not int and type(value) is not np.ndarray:
        return False
    if row > 3:
        return False
    return record(row, target, value, None, 2, target) is not None


# --- sums ------------------------------------------------------------------------------------------------------------

def total(Array a, axes, bint keepdims):
    """np.sum over some axes as a node in C; None where it is not made for it."""
    cdef Tape tape
    cdef Storage s
    cdef dt_array_node *node
    cdef Array out = None
    cdef Py_ssize_t step[MAX_DIMS]
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef int k, j = 0
    cdef uintptr_t bits
    if not is_native(a):
        return None
    s = a.store
    tape = s.tape
    if tape.t.state != DT_STATE_OPEN or tape.level != s.level:
        raise escaped()
    value = np.add.reduce(plain_view(a), axis=None if len(axes) == a.nd else axes, keepdims=keepdims)
    node = <dt_array_node *>tape.node_room(sizeof(dt_array_node) - 2 * sizeof(dt_operand))
    node.n = a.size
    node.kind = DT_SUM
    node.row = DT_POS
    node.nd = a.nd
    node.arity = 1
    node.overwrites = False
    node.shape = <const int64_t *>steps_on(tape, a.nd, a.shape_)
    node.x[0].storage = s.id
    node.x[0].scalar = DT_NONE
    node.x[0].at = a.offset
    node.x[0].value = NULL
    node.x[0].vstep = NULL
    node.x[0].bstep = NULL if in_c_order(a) else steps_on(tape, a.nd, a.step_)
    node.out.value = NULL
    node.out.vstep = NULL
    node.out.at = 0
    node.out.scalar = DT_NONE
    if type(value) is np.float64:
        node.out.storage = DT_NONE
        node.out.bstep = zero_steps
        bits = <uintptr_t>node
        tape.t.arrays = 1
        return new_var(tape, DT_ARRAY, <uint32_t>(bits & 0xFFFFFFFF), <uint32_t>(bits >> 32), value)
    for k in range(cnp.PyArray_NDIM(value)):
        shape[k] = cnp.PyArray_DIM(value, k)
    out = fresh(tape, cnp.PyArray_NDIM(value), shape)
    memcpy(out.store.p, cnp.PyArray_DATA(np.ascontiguousarray(value)), 8 * out.size)
    for k in range(a.nd):
        if k in axes:
            step[k] = 0
            j += keepdims
        else:
            step[k] = out.step_[j]
            j += 1
    node.out.storage = out.store.id
    node.out.bstep = steps_on(tape, a.nd, step)
    append_array_node(tape, node)
    return out


cdef object plain_view(Array a):
    from dualtape.core.array import plain_of

    return plain_of(a)


# --- matrix products -------------------------------------------------------------------------------------------------

cdef object record_matmul(object a, object b):
    """The product of matrices and vectors of one tape, or of one and a plain one; None where it is not made for it."""
    cdef Tape tape = None
    cdef dt_array_node *node
    cdef Py_ssize_t dims[2][2]
    cdef Py_ssize_t step[2][2]
    cdef double *p[2]
    cdef int nd[2]
    cdef int side
    cdef Py_ssize_t m, k, n, i, j, l
    cdef Py_ssize_t shape[2]
    cdef int64_t *numbers
    cdef Array x, out = None
    cdef double value = 0.0
    cdef uintptr_t bits
    cdef double *to
    cdef char *args[3]
    cdef Py_ssize_t sizes[4]
    cdef Py_ssize_t strides[9]
    given = [a, b]
    for side in range(2):
        arg = given[side]
        if is_native(arg):
            x = <Array>arg
            if tape is None:
                tape = x.store.tape
            elif tape is not x.store.tape:
                return None
            if x.store.level != tape.level:
                raise escaped()
            nd[side] = x.nd
            p[side] = x.store.p + x.offset
            for i in range(x.nd if x.nd <= 2 else 0):
                dims[side][i] = x.shape_[i]
                step[side][i] = x.step_[i]
        elif type(arg) is np.ndarray and cnp.PyArray_TYPE(arg) == cnp.NPY_FLOAT64:
            if not cnp.PyArray_ISCARRAY_RO(arg):
                arg = given[side] = cnp.PyArray_GETCONTIGUOUS(arg)
            nd[side] = cnp.PyArray_NDIM(arg)
            p[side] = <double *>cnp.PyArray_DATA(arg)
            for i in range(nd[side] if nd[side] <= 2 else 0):
                dims[side][i] = cnp.PyArray_DIM(arg, i)
            step[side][nd[side] - 1 if 0 < nd[side] <= 2 else 0] = 1
            if nd[side] == 2:
                step[side][0] = dims[side][1]
        else:
            return None
        if nd[side] != 1 and nd[side] != 2:
            return None
    if tape is None:
        return None
    if tape.t.state != DT_STATE_OPEN:
        raise escaped()
    if nd[0] == 1:  # a row
        dims[0][1] = dims[0][0]
        step[0][1] = step[0][0]
        dims[0][0] = 1
        step[0][0] = dims[0][1]  # BLAS wants rows that do not overlap
    if nd[1] == 1:  # a column
        dims[1][1] = 1
        step[1][1] = 1
    m, k, n = dims[0][0], dims[0][1], dims[1][1]
    if k != dims[1][0]:
        return None
    node = <dt_array_node *>tape.node_room(sizeof(dt_array_node) - sizeof(dt_operand))
    node.n = m * n
    node.kind = DT_MATMUL
    node.row = DT_MUL
    node.nd = 2
    node.arity = 2
    node.overwrites = False
    numbers = <int64_t *>tape.node_room(8 * 9)
    node.shape = numbers
    numbers[0], numbers[1], numbers[2] = m, k, n
    for side in range(2):
        numbers[3 + 2 * side] = step[side][0]
        numbers[4 + 2 * side] = step[side][1]
        node.x[side].storage = DT_NONE
        node.x[side].scalar = DT_NONE
        node.x[side].at = 0
        node.x[side].vstep = node.x[side].bstep = numbers + 3 + 2 * side
        node.x[side].value = NULL
        arg = given[side]
        if type(arg) is VarArray:
            x = <Array>arg
            node.x[side].storage = x.store.id
            node.x[side].at = x.offset
            if type(given[1 - side]) is VarArray:
                keep_value(tape, x.store)
                node.x[side].value = p[side]
        else:
            node.x[side].value = kept_constant(tape, arg)
    node.out.value = NULL
    node.out.vstep = NULL
    node.out.at = 0
    node.out.scalar = DT_NONE
    node.out.bstep = numbers + 7
    numbers[7], numbers[8] = n, 1
    if nd[0] == 1 and nd[1] == 1:
        to = &value
    else:
        shape[0] = m if nd[0] == 2 else n
        shape[1] = n
        out = fresh(tape, nd[0] + nd[1] - 2, shape)
        to = out.store.p
    if m * k * n <= 128:
        for i in range(m):
            for j in range(n):
                value = 0.0
                for l in range(k):
                    value += p[0][i * step[0][0] + l * step[0][1]] * p[1][l * step[1][0] + j * step[1][1]]
                to[i * n + j] = value
    else:
        args[0] = <char *>p[0]
        args[1] = <char *>p[1]
        args[2] = <char *>to
        sizes[0], sizes[1], sizes[2], sizes[3] = 1, m, k, n
        strides[0] = strides[1] = strides[2] = 0
        for i in range(2):
            strides[3 + i] = 8 * step[0][i]
            strides[5 + i] = 8 * step[1][i]
        strides[7] = 8 * n
        strides[8] = 8
        loops[<int>DT_ROWS].loop(args, sizes, strides, loops[<int>DT_ROWS].data)
    bits = <uintptr_t>node
    tape.t.arrays = 1
    if out is None:
        node.out.storage = DT_NONE
        return new_var(tape, DT_ARRAY, <uint32_t>(bits & 0xFFFFFFFF), <uint32_t>(bits >> 32), value)
    node.out.storage = out.store.id
    append_node(tape, DT_ARRAY, <uint32_t>(bits & 0xFFFFFFFF), <uint32_t>(bits >> 32), 0.0)
    return out


def row(int index, *args):
    """A row at operands of any kind; None where no node in C is made for them."""
    cdef int n = len(args)
    return record_row(index, args[0], args[1] if n > 1 else None, args[2] if n > 2 else None, n)


def product(a, b):
    """A matrix product at operands of any kind; None where no node in C is made for them."""
    return record_matmul(a, b)


core_array.native_row = record_row
core_array.native_matmul = record_matmul
