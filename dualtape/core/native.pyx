"""Rows of the rule table on arrays of float64, float32 and complex128, recorded as nodes in C. What it is not made for,
it declines by None, and the general rules do it."""

import numpy as np

cimport numpy as cnp
from cpython.float cimport PyFloat_AS_DOUBLE
from libc.stdint cimport int64_t

from dualtape.core cimport array as core_array
from dualtape.core.array cimport VarArray
from dualtape.core.kernels cimport (
    DT_CONSTANT, DT_MUL, DT_NEEDS_SCIPY, DT_POS, DT_READS_OUT, DT_READS_X, DT_READS_Y, DT_ROWS, load_special,
    rows,
)
from dualtape.core.kinds cimport decide, flags_of, kind_of_constant, read_scalar, result_kind
from dualtape.core.loops cimport item_size, ufuncs as loops
from dualtape.core.node cimport (
    DT_CAST, DT_CONJUGATE, DT_DOUBLE, DT_ALIKE, DT_ELEMENTWISE, DT_KINDS, DT_LOOPS, DT_NONE, DT_TYPED, dt_array_node,
    dt_operand,
)
from dualtape.core.operands cimport (
    Operand, align, align_contiguous, append_array_node, dtype_of, evaluate, fresh, fresh_of, in_c_order, keep_value,
    kept_constant, memory_of, memory_order, numbers_of, packed_on, packed_steps, steps_on, widen, zero_steps,
)
from dualtape.core.tape cimport DT_STATE_OPEN, Tape, Var, dt_tape_bump
from dualtape.core.view cimport MAX_DIMS, Storage, View, unwritten

from dualtape.errors import escaped

cnp.import_array()


cdef struct PyObjects:
    void *x[3]


cdef object record_row(int row, object x, object y, object z, int arity):
    """A row at arrays and numbers of one tape, or at such and plain numbers.

    Returns
    -------
    VarArray or None
        None where an operand is of another kind, the shapes do not fit, or no array is among them.
    """
    if arity <= 2 and type(x) is VarArray and (arity == 1 or type(y) is VarArray) and row < DT_ROWS:
        out = record_alike(row, <View>x, None if arity == 1 else <View>y)
        if out is not None:
            return out
    return record(row, x, y, z, arity, None)


cdef inline bint readable(View a):
    """Whether a node may read the numbers of a contiguous view where they are, and not a copy of them."""
    return 4 * a.size >= a.store.size


cdef View record_alike(int row, View x, View y):
    """A row at one array, or at two of the same shape, whose elements lie in C order: the usual case, made short."""
    cdef Storage s = x.store
    cdef Storage t
    cdef Tape tape = s.tape
    cdef int flags = rows[row].flags
    cdef int k, nd = x.nd
    cdef dt_array_node *node
    cdef int64_t *shape
    cdef View out
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
    node.kind = DT_ALIKE
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


cdef object record(int row, object x, object y, object z, int arity, View target):
    """As `record_row`; with a target the result overwrites it, and the target is given back."""
    cdef Operand operand[3]
    cdef PyObjects given, own
    cdef object arg
    cdef Tape tape = None
    cdef View a
    cdef int k, i, nd = 0
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef Py_ssize_t moved[MAX_DIMS]
    cdef Py_ssize_t step[MAX_DIMS]
    cdef int order[MAX_DIMS]
    cdef Py_ssize_t total
    cdef Py_ssize_t n = 1
    cdef bint flat = True, any_array = False, mixed = False
    cdef int kind = DT_DOUBLE, out_kind = DT_DOUBLE, target_kind = DT_DOUBLE
    if flags_of(row, kind) & DT_CONSTANT:
        return None
    if target is not None and target.store.p == NULL:
        target = numbers_of(target, &target_kind)
        if target is None:
            return None
    given.x[0] = <void *>x
    given.x[1] = <void *>y
    given.x[2] = <void *>z
    own = given
    constants = None
    held = None
    cdef object layouts = None
    # Which operands there are, and the shape of the result.
    for k in range(arity):
        arg = <object>given.x[k]
        operand[k].is_array = False
        operand[k].scalar = DT_NONE
        operand[k].contiguous = False
        operand[k].kind = DT_DOUBLE
        operand[k].weak = False
        operand[k].p = <char *>operand[k].c
        if type(arg) is VarArray:
            a = <View>arg
            if a.store.p == NULL:
                a = numbers_of(a, &operand[k].kind)
                if a is None:
                    return None
                mixed = True
                if a is not arg:
                    held = [a, held]
                    given.x[k] = <void *>a
            elif a.part:
                return None
            if tape is None:
                tape = a.store.tape
            elif tape is not a.store.tape:
                return None
            operand[k].p = memory_of(a.store) + a.offset * item_size[operand[k].kind]
            operand[k].is_array = True
            if not any_array:
                any_array = True
                nd = a.nd
                for i in range(nd):
                    shape[i] = a.shape_[i]
            elif not widen(&nd, shape, a.nd, a.shape_):
                return None
        elif type(arg) is float:
            operand[k].c[0] = PyFloat_AS_DOUBLE(arg)
            operand[k].weak = True
        elif type(arg) is Var:
            operand[k].c[0] = (<Var>arg).primal
            operand[k].scalar = (<Var>arg).index
            if tape is None:
                tape = <Tape>(<Var>arg).owner
            elif <void *>tape != <void *>(<Var>arg).owner:
                return None
        elif type(arg) is np.ndarray:
            if cnp.PyArray_NDIM(arg) > 1 and not cnp.PyArray_IS_C_CONTIGUOUS(arg):
                layouts = (k, arg, layouts)
            arg = kind_of_constant(arg, arity, &operand[k].kind)
            if arg is None:
                return None
            if operand[k].kind != DT_DOUBLE:
                mixed = True
            if constants is None:
                constants = [None, None, None]
            constants[k] = arg
            operand[k].p = <char *>cnp.PyArray_DATA(arg)
            if not any_array:
                any_array = True
                nd = cnp.PyArray_NDIM(arg)
                for i in range(nd):
                    shape[i] = cnp.PyArray_DIM(arg, i)
            elif not widen(&nd, shape, cnp.PyArray_NDIM(arg), <Py_ssize_t *>cnp.PyArray_DIMS(arg)):
                return None
        elif not read_scalar(arg, &operand[k]):
            return None
        elif operand[k].kind != DT_DOUBLE:
            mixed = True
    if not any_array or tape is None:
        return None
    if tape.t.state != DT_STATE_OPEN:
        raise escaped()
    for i in range(nd):
        n *= shape[i]
    if target is not None:
        if target.store.tape is not tape or target.nd != nd:
            return None  # of another differentiation, to whose level or to this one's it is to be raised
        for i in range(nd):
            if target.shape_[i] != shape[i]:
                return None
    if mixed or row >= DT_ROWS:
        kind = decide(row, arity, operand, constants)
        if kind < 0:
            return None
        out_kind = result_kind(row, kind)
    if target_kind != out_kind if target is not None else nd == 0 and out_kind == DT_DOUBLE and row < DT_CAST:
        return None  # NumPy casts, or gives a scalar
    if mixed:
        for k in range(arity):
            if operand[k].is_array and operand[k].kind != kind:
                a = <View>record(DT_CAST + kind, <object>own.x[k], None, None, 1, None)
                if a is None:
                    return None
                held = [a, held]
                given.x[k] = <void *>a
                operand[k].p = memory_of(a.store) + a.offset * item_size[kind]
            elif constants is not None and constants[k] is not None:
                operand[k].p = <char *>cnp.PyArray_DATA(constants[k])
    # Their steps along its axes.
    for k in range(arity):
        arg = <object>given.x[k]
        if operand[k].is_array:
            a = <View>arg
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
    if target is None and nd > 1 and (not flat or layouts is not None) and in_order_of(
            arity, nd, shape, operand, layouts, order):
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
        a = finish(row, kind, out_kind, arity, tape, operand, given, constants, nd, moved, n, flat, None, True)
        for i in range(nd):
            shape[i] = a.step_[i]
        for i in range(nd):
            a.shape_[order[i]] = moved[i]
            a.step_[order[i]] = shape[i]
        return a
    return finish(row, kind, out_kind, arity, tape, operand, given, constants, nd, shape, n, flat, target, False)


cdef bint in_order_of(int arity, int nd, const Py_ssize_t *shape, const Operand *operand, object layouts,
                      int *order) except -1:
    """`memory_order`, by how plain arrays lie that have been copied: `layouts` is (operand, array, further ones)."""
    cdef Operand seen[3]
    cdef Py_ssize_t own[MAX_DIMS]
    cdef Py_ssize_t step[MAX_DIMS]
    cdef int i, k
    if layouts is None:
        return memory_order(arity, nd, shape, operand, order)
    for k in range(arity):
        seen[k] = operand[k]
    while layouts is not None:
        k = layouts[0]
        array = layouts[1]
        layouts = layouts[2]
        for i in range(cnp.PyArray_NDIM(array)):
            own[i] = cnp.PyArray_DIM(array, i)
            step[i] = cnp.PyArray_STRIDE(array, i)
        align(nd, shape, cnp.PyArray_NDIM(array), own, step, seen[k].step)
        seen[k].contiguous = False
    return memory_order(arity, nd, shape, seen, order)


cdef object finish(int row, int kind, int out_kind, int arity, Tape tape, Operand *operand, PyObjects given,
                   list constants, int nd, const Py_ssize_t *shape, Py_ssize_t n, bint flat, View target,
                   bint permuted):
    """Evaluate, and record the node. `permuted` says that the axes are in another order than the operands' own."""
    cdef View out, a
    cdef Storage s
    cdef int k, flags = flags_of(row, kind)
    cdef bint reads
    cdef dt_array_node *node
    cdef dt_operand *to
    cdef double *c
    cdef Py_ssize_t *target_steps = NULL
    cdef char *args[4]
    cdef Py_ssize_t strides[4]
    node = <dt_array_node *>tape.node_room(sizeof(dt_array_node) - (3 - arity) * sizeof(dt_operand))
    node.n = n
    node.kind = DT_ELEMENTWISE
    node.row = row
    node.nd = nd
    node.arity = arity
    node.overwrites = target is not None
    if kind != DT_DOUBLE or out_kind != DT_DOUBLE:
        node.kind = DT_TYPED + DT_ELEMENTWISE
        node.elements = kind + 4 * out_kind
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
            a = <View><object>given.x[k]
            s = a.store
            to.storage = s.id
            to.at = a.offset
            if not operand[k].contiguous:
                to.bstep = steps_on(tape, nd, operand[k].step)
            if reads:
                if (a.size != s.size and 4 * a.size < s.size) or s is (None if target is None else target.store):
                    if permuted:
                        to.value = packed_on(tape, kind, nd, shape, n, operand[k].p, operand[k].step)
                    else:
                        to.value = packed_on(tape, kind, a.nd, a.shape_, a.size, operand[k].p, a.step_)
                    if not permuted and (a.size != n or a.nd != nd):
                        to.vstep = packed_steps(tape, nd, shape, a)
                else:
                    keep_value(tape, s)
                    to.value = <double *>operand[k].p
                    to.vstep = to.bstep
        elif constants is not None and constants[k] is not None:
            if reads:
                to.value = kept_constant(tape, constants[k])
                if not operand[k].contiguous:
                    to.vstep = steps_on(tape, nd, operand[k].step)
        else:
            c = <double *>tape.node_room(16)
            c[0] = operand[k].c[0]
            c[1] = operand[k].c[1]
            to.value = c
            to.vstep = zero_steps
    if target is None:
        out = fresh(tape, nd, shape) if out_kind == DT_DOUBLE else fresh_of(tape, out_kind, nd, shape)
        if flat and loops[kind * DT_LOOPS + row].loop != NULL:
            for k in range(arity):
                args[k] = operand[k].p
                strides[k] = item_size[kind] if operand[k].contiguous else 0
            args[arity] = memory_of(out.store)
            strides[arity] = item_size[out_kind]
            loops[kind * DT_LOOPS + row].loop(args, &n, strides, loops[kind * DT_LOOPS + row].data)
        else:
            evaluate(row, kind, out_kind, arity, nd, shape, n, operand, flat, memory_of(out.store), NULL)
    else:
        out = target
        unwritten(out.store)
        for k in range(arity):
            if operand[k].is_array and (<View><object>given.x[k]).store is out.store:
                operand[k].p = memory_of(out.store) + (<View><object>given.x[k]).offset * item_size[kind]
        target_steps = NULL if in_c_order(out) else out.step_
        evaluate(row, kind, out_kind, arity, nd, shape, n, operand, flat,
                 memory_of(out.store) + out.offset * item_size[out_kind], target_steps)
    to = &node.out
    to.storage = out.store.id
    to.scalar = DT_NONE
    to.at = out.offset
    to.value = NULL
    to.vstep = NULL
    to.bstep = NULL if target_steps == NULL else steps_on(tape, nd, target_steps)
    if flags & DT_READS_OUT:
        if target is not None:
            to.value = packed_on(tape, out_kind, nd, shape, n, memory_of(out.store) + out.offset * item_size[out_kind],
                                 out.step_)
        else:
            keep_value(tape, out.store)
            to.value = <double *>memory_of(out.store)
    node.shape = <const int64_t *>steps_on(tape, nd, shape)
    append_array_node(tape, node)
    return out


def row(int index, *args):
    """A row at operands of any kind; None where no node in C is made for them."""
    cdef int n = len(args)
    return record_row(index, args[0], args[1] if n > 1 else None, args[2] if n > 2 else None, n)


def cast(a, dtype):
    """A copy of an array in some dtype; None where no node in C is made for them."""
    cdef int own = DT_DOUBLE
    if type(a) is not VarArray or numbers_of(a, &own) is None:
        return None
    for kind in range(DT_KINDS):
        if dtype == dtype_of(kind):
            return record(DT_POS if kind == own else DT_CAST + kind, a, None, None, 1, None)
    return None


CONJUGATE = DT_CONJUGATE
"""The row of np.conjugate, which is not in the table."""

core_array.native_row = record_row
