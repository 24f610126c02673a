"""Assignments, sums and matrix products of arrays of float64, float32 and complex128, recorded as nodes in C. What they
are not made for, they decline."""

import numpy as np

cimport numpy as cnp
from libc.stdint cimport int64_t, uint32_t, uintptr_t
from libc.string cimport memcpy

from dualtape.core cimport array as core_array
from dualtape.core.array cimport VarArray
from dualtape.core.kernels cimport DT_ADD, DT_MUL, DT_POS, DT_ROWS
from dualtape.core.kinds cimport kind_of_constant
from dualtape.core.loops cimport item_size, ufuncs as loops
from dualtape.core.native cimport record
from dualtape.core.node cimport (
    DT_CAST, DT_COMPLEX, DT_DOUBLE, DT_LOOPS, DT_MATMUL, DT_NONE, DT_SUM, DT_TYPED, dt_array_node, dt_operand,
)
from dualtape.core.operands cimport (
    append_array_node, fresh,
    append_array_node, dtype_of, fresh_of, in_c_order, keep_value, kept_constant, memory_of, numbers_of, packed_on,
    steps_on, zero_steps,
)
from dualtape.core.tape cimport DT_ARRAY, DT_STATE_OPEN, Tape, Var, append_node, new_var
from dualtape.core.values cimport plain_of
from dualtape.core.view cimport MAX_DIMS, Storage, View

from dualtape.errors import escaped

cnp.import_array()


def write(View target, value):
    """``target[...] = value`` as a node in C.

    Returns
    -------
    bool
        Whether it was done: target and value are of one shape, on one tape, in memory of their own.
    """
    cdef int i, kind = DT_DOUBLE, own = DT_DOUBLE
    if type(value) is not VarArray or type(target) is not VarArray or target.readonly:
        return False
    if (<View>value).store is target.store or (<View>value).nd != target.nd:
        return False
    for i in range(target.nd):
        if (<View>value).shape_[i] != target.shape_[i]:
            return False
    if numbers_of(value, &kind) is None or numbers_of(target, &own) is None:
        return False
    return record(DT_POS if kind == own else DT_CAST + own, value, None, None, 1, target) is not None


def inplace(int row, View target, value):
    """``target += value`` and its kin as one node in C, where no number that is overwritten is read by the sweep.

    Returns
    -------
    bool
        Whether it was done.
    """
    if type(target) is not VarArray or target.readonly or row > 3:
        return False
    if type(value) is VarArray:
        if (<View>value).store is target.store:
            return False
        if row > 1:
            return False
    elif type(value) is Var:
        if row > 1:
            return False
    elif type(value) is not float and type(value) is not int and type(value) is not np.ndarray:
        return False
    return record(row, target, value, None, 2, target) is not None


def total(View a, axes, bint keepdims):
    """np.sum over some axes as a node in C; None where it is not made for it."""
    return record_total(a, None if len(axes) == a.nd else axes, keepdims)


cdef object record_total(View a, tuple axes, bint keepdims):
    """The sum over some axes, or where they are None over all."""
    cdef Tape tape
    cdef Storage s
    cdef View out = None
    cdef int kind = DT_DOUBLE
    cdef double start[2]
    cdef char *args[3]
    cdef Py_ssize_t strides[3]
    cdef object value = None
    cdef View x = numbers_of(a, &kind) if type(a) is VarArray else None
    if x is None:
        return None
    s = a.store
    tape = s.tape
    if tape.t.state != DT_STATE_OPEN or tape.level != s.level:
        raise escaped()
    if axes is None and not keepdims and in_c_order(x):
        # As np.add.reduce does, without its cost: the loop for additions, its result being its first operand.
        if kind != DT_DOUBLE:
            out = fresh_of(tape, kind, 0, NULL)
        start[0] = start[1] = 0.0
        args[0] = args[2] = <char *>start
        args[1] = memory_of(s) + x.offset * item_size[kind]
        strides[0] = strides[2] = 0
        strides[1] = item_size[kind]
        if x.size:
            loops[kind * DT_LOOPS + DT_ADD].loop(args, &x.size, strides, loops[kind * DT_LOOPS + DT_ADD].data)
        if out is None:
            value = start[0]
        else:
            memcpy(memory_of(out.store), start, item_size[kind])
    else:
        value = np.add.reduce(plain_of(a), axis=axes, keepdims=keepdims)
    return record_sum(x, kind, axes, keepdims, value, out, None)


cdef View transposed_by(View a, object order):
    """An array whose axes in memory are those of the result in some order, as that result."""
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef Py_ssize_t step[MAX_DIMS]
    cdef int k, place
    for k in range(a.nd):
        place = order[k]
        shape[place] = a.shape_[k]
        step[place] = a.step_[k]
    for k in range(a.nd):
        a.shape_[k] = shape[k]
        a.step_[k] = step[k]
    return a


def chosen(a, tuple axes, bint keepdims, value, weights):
    """A reduction whose derivative by each element is a constant weight, as a node in C.

    Parameters
    ----------
    a : array
    axes : tuple of int
    keepdims : bool
    value : ndarray or float64
        The result.
    weights : ndarray of float64, of the shape of `a`

    Returns
    -------
    VarArray or Var or None
        None where no such node is made for `a`.
    """
    if type(a) is not VarArray or (<View>a).store.p == NULL or (<View>a).part or (<View>a).nd == 0:
        return None
    if (<View>a).store.tape.t.state != DT_STATE_OPEN or (<View>a).store.tape.level != (<View>a).store.level:
        raise escaped()
    return record_sum(a, DT_DOUBLE, axes, keepdims, value, None, np.ascontiguousarray(weights))


cdef object record_sum(View x, int kind, tuple axes, bint keepdims, object value, View out, object weights):
    """The node of a sum, of products with weights where there are any. Its result is `value`, or `out` already."""
    cdef Storage s = x.store
    cdef Tape tape = s.tape
    cdef dt_array_node *node
    cdef Py_ssize_t step[MAX_DIMS]
    cdef int k, j = 0, arity = 1 if weights is None else 2
    cdef object order = None
    cdef uintptr_t bits
    node = <dt_array_node *>tape.node_room(sizeof(dt_array_node) - (3 - arity) * sizeof(dt_operand))
    if weights is not None:
        node.x[1] = dt_operand(kept_constant(tape, weights), NULL, NULL, 0, DT_NONE, DT_NONE)
    node.n = x.size
    node.kind = DT_SUM if kind == DT_DOUBLE else DT_TYPED + DT_SUM
    node.elements = 5 * kind
    node.row = DT_POS if arity == 1 else DT_MUL
    node.nd = x.nd
    node.arity = arity
    node.overwrites = False
    node.shape = <const int64_t *>steps_on(tape, x.nd, x.shape_)
    node.x[0].storage = s.id
    node.x[0].scalar = DT_NONE
    node.x[0].at = x.offset
    node.x[0].value = NULL
    node.x[0].vstep = NULL
    node.x[0].bstep = NULL if in_c_order(x) else steps_on(tape, x.nd, x.step_)
    node.out.value = NULL
    node.out.vstep = NULL
    node.out.at = 0
    node.out.scalar = DT_NONE
    if type(value) is np.float64 or type(value) is float:
        node.out.storage = DT_NONE
        node.out.bstep = zero_steps
        bits = <uintptr_t>node
        tape.t.arrays |= 2
        return new_var(tape, DT_ARRAY, <uint32_t>bits, <uint32_t>(bits >> 32), value)
    if out is None:
        value = np.asarray(value)
        if not cnp.PyArray_IS_C_CONTIGUOUS(value):  # NumPy lays it out as the array lies
            order = np.argsort([-n for n in value.strides], kind="stable")
            value = np.ascontiguousarray(value.transpose(order))
        out = fresh_of(tape, kind, cnp.PyArray_NDIM(value), <Py_ssize_t *>cnp.PyArray_DIMS(value))
        memcpy(memory_of(out.store), cnp.PyArray_DATA(value), cnp.PyArray_NBYTES(value))
        if order is not None:
            out = transposed_by(out, order)
    for k in range(x.nd):
        if axes is None or k in axes:
            step[k] = 0
            j += keepdims
        else:
            step[k] = out.step_[j]
            j += 1
    node.out.storage = out.store.id
    node.out.bstep = steps_on(tape, x.nd, step)
    append_array_node(tape, node)
    return out


cdef object in_kind(object x, int kind):
    """An array, traced or plain, as one of a kind."""
    if type(x) is VarArray:
        return record(DT_CAST + kind, x, None, None, 1, None)
    return x.astype(dtype_of(kind))


cdef View record_matrices(View a, View b):
    """The product of two matrices of float64 on one tape whose elements lie in C order: the usual case, made short.
    None where it is another."""
    cdef Storage s = a.store
    cdef Storage t = b.store
    cdef Tape tape = s.tape
    cdef dt_array_node *node
    cdef int64_t *numbers
    cdef View out
    cdef Py_ssize_t m, k, n, _i, j, l
    cdef Py_ssize_t shape[2]
    cdef const double *x
    cdef const double *y
    cdef double *to
    cdef double f
    if a.nd != 2 or b.nd != 2 or s.p == NULL or t.p == NULL or a.part or b.part or t.tape is not tape:
        return None
    m, k, n = a.shape_[0], a.shape_[1], b.shape_[1]
    if k != b.shape_[0] or m * k * n > 128 or not in_c_order(a) or not in_c_order(b):
        return None
    if 4 * a.size < s.size or 4 * b.size < t.size:
        return None
    if tape.t.state != DT_STATE_OPEN or tape.level != s.level:
        raise escaped()
    node = <dt_array_node *>tape.node_room(sizeof(dt_array_node) - sizeof(dt_operand) + 72)
    numbers = <int64_t *>&node.x[2]
    numbers[0], numbers[1], numbers[2] = m, k, n
    numbers[3], numbers[4], numbers[5], numbers[6], numbers[7], numbers[8] = k, 1, n, 1, n, 1
    keep_value(tape, s)
    keep_value(tape, t)
    shape[0], shape[1] = m, n
    out = fresh(tape, 2, shape)
    node.n = m * n
    node.shape = numbers
    node.kind = DT_MATMUL
    node.row = DT_MUL
    node.nd = node.arity = 2
    node.overwrites = False
    node.elements = 0
    node.out = dt_operand(NULL, NULL, numbers + 7, 0, out.store.id, DT_NONE)
    node.x[0] = dt_operand(s.p + a.offset, numbers + 3, numbers + 3, a.offset, s.id, DT_NONE)
    node.x[1] = dt_operand(t.p + b.offset, numbers + 5, numbers + 5, b.offset, t.id, DT_NONE)
    to = out.store.p
    x = s.p + a.offset
    for _i in range(m):
        y = t.p + b.offset
        for j in range(n):
            to[j] = x[0] * y[j] if k else 0.0
        for l in range(1, k):
            y += n
            f = x[l]
            for j in range(n):
                to[j] += f * y[j]
        x += k
        to += n
    append_array_node(tape, node)
    return out


cdef object record_matmul(object a, object b):
    """The product of matrices and vectors of one tape, or of one and a plain one; None where it is not made for it."""
    cdef Tape tape = None
    cdef dt_array_node *node
    cdef Py_ssize_t dims[2][2]
    cdef Py_ssize_t step[2][2]
    cdef char *p[2]
    cdef int nd[2]
    cdef int kinds[2]
    cdef int side, kind
    cdef Py_ssize_t size
    cdef Py_ssize_t m, k, n, i, j, l
    cdef Py_ssize_t shape[2]
    cdef int64_t *numbers
    cdef int64_t *packed
    cdef View x, out = None
    cdef double value = 0.0
    cdef uintptr_t bits
    cdef char *to
    cdef double *x_
    cdef double *y_
    cdef char *args[3]
    cdef Py_ssize_t sizes[4]
    cdef Py_ssize_t strides[9]
    if type(a) is VarArray and type(b) is VarArray:
        out = record_matrices(<View>a, <View>b)
        if out is not None:
            return out
    given = [a, b]
    for side in range(2):
        arg = given[side]
        if type(arg) is VarArray:
            x = numbers_of(arg, &kinds[side])
            if x is None:
                return None
            given[side] = x
            if tape is None:
                tape = x.store.tape
            elif tape is not x.store.tape:
                return None
            if x.store.level != tape.level:
                raise escaped()
            nd[side] = x.nd
            p[side] = memory_of(x.store) + x.offset * item_size[kinds[side]]
            for i in range(x.nd if x.nd <= 2 else 0):
                dims[side][i] = x.shape_[i]
                step[side][i] = x.step_[i]
        elif type(arg) is np.ndarray:
            arg = given[side] = kind_of_constant(arg, 1, &kinds[side])
            if arg is None:
                return None
            nd[side] = cnp.PyArray_NDIM(arg)
            p[side] = <char *>cnp.PyArray_DATA(arg)
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
    kind = kinds[0]
    if kinds[1] != kind:
        kind = DT_COMPLEX if kind == DT_COMPLEX or kinds[1] == DT_COMPLEX else DT_DOUBLE
        return record_matmul(a if kinds[0] == kind else in_kind(a, kind), b if kinds[1] == kind else in_kind(b, kind))
    size = item_size[kind]
    node = <dt_array_node *>tape.node_room(sizeof(dt_array_node) - sizeof(dt_operand))
    node.n = m * n
    node.kind = DT_MATMUL if kind == DT_DOUBLE else DT_TYPED + DT_MATMUL
    node.elements = 5 * kind
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
            x = <View>arg
            node.x[side].storage = x.store.id
            node.x[side].at = x.offset
            if type(given[1 - side]) is VarArray:
                if 4 * x.size < x.store.size:
                    # A small view of a large storage is copied, and not the storage when it is written to.
                    node.x[side].value = packed_on(tape, kind, x.nd, x.shape_, x.size, p[side], x.step_)
                    packed = <int64_t *>tape.node_room(16)
                    packed[0], packed[1] = dims[side][1], 1
                    node.x[side].vstep = packed
                else:
                    keep_value(tape, x.store)
                    node.x[side].value = <double *>p[side]
        else:
            node.x[side].value = kept_constant(tape, arg)
    node.out.value = NULL
    node.out.vstep = NULL
    node.out.at = 0
    node.out.scalar = DT_NONE
    node.out.bstep = numbers + 7
    numbers[7], numbers[8] = n, 1
    if nd[0] == 1 and nd[1] == 1 and kind == DT_DOUBLE:
        to = <char *>&value
    else:
        shape[0] = m if nd[0] == 2 else n
        shape[1] = n
        out = fresh_of(tape, kind, nd[0] + nd[1] - 2, shape)
        to = memory_of(out.store)
    if kind == DT_DOUBLE and m * k * n <= 128:
        for i in range(m):
            for j in range(n):
                value = 0.0
                x_ = <double *>p[0] + i * step[0][0]
                y_ = <double *>p[1] + j * step[1][1]
                for l in range(k):
                    value += x_[l * step[0][1]] * y_[l * step[1][0]]
                (<double *>to)[i * n + j] = value
    else:
        args[0] = p[0]
        args[1] = p[1]
        args[2] = to
        sizes[0], sizes[1], sizes[2], sizes[3] = 1, m, k, n
        strides[0] = strides[1] = strides[2] = 0
        for i in range(2):
            strides[3 + i] = size * step[0][i]
            strides[5 + i] = size * step[1][i]
        strides[7] = size * n
        strides[8] = size
        loops[kind * DT_LOOPS + <int>DT_ROWS].loop(args, sizes, strides, loops[kind * DT_LOOPS + <int>DT_ROWS].data)
    bits = <uintptr_t>node
    tape.t.arrays |= 2
    if out is None:
        node.out.storage = DT_NONE
        return new_var(tape, DT_ARRAY, <uint32_t>bits, <uint32_t>(bits >> 32), value)
    node.out.storage = out.store.id
    append_node(tape, DT_ARRAY, <uint32_t>bits, <uint32_t>(bits >> 32), 0.0)
    return out


def product(a, b):
    """A matrix product at operands of any kind; None where no node in C is made for them."""
    return record_matmul(a, b)


core_array.native_matmul = record_matmul
core_array.native_total = record_total
