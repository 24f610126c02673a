"""The reverse sweep over objects: adjoints that are values of other differentiations, or numbers of other kinds."""

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint32_t, uintptr_t
from libc.string cimport memcpy

from dualtape.core.adjoint cimport Call, Reference
from dualtape.core.dual cimport Dual
from dualtape.core.kernels cimport DT_CONSTANT, dt_row, rows
from dualtape.core.loops cimport item_size
from dualtape.core.node cimport DT_COMPLEX, DT_DOUBLE, DT_MATMUL, DT_NONE, DT_TYPED, dt_array_node, dt_operand
from dualtape.core.operands cimport dtype_of
from dualtape.core.shadows cimport Shadows, pull_call, reference_of
from dualtape.core.tape cimport (
    DT_A_CONSTANT, DT_ARRAY, DT_B_CONSTANT, DT_BLOCK_BITS, DT_BOXED, DT_CALL, DT_ELEMENT, DT_INPUT, DT_MASK, DT_STORE,
    Tape, Var, dt_block, dt_store, dt_value_at,
)
from dualtape.core.traced cimport has_complex_core, partial
from dualtape.core.view cimport MAX_DIMS, View

from dualtape.core.adjoint import adjoint_view, reference_at
from dualtape.core.hooks import HOOKS
from dualtape.core.strict import is_strict

cnp.import_array()


cdef int sweep_call_over_objects(Tape tape, list bars, Shadows shadows, uint32_t place, object bar) except -1:
    """A node on arrays with adjoints of any kind."""
    cdef Call call = tape.records[place]
    cdef list contributions = []
    pull_call(call, shadows, bar, contributions)
    for operand, contribution in zip(call.operands, contributions):
        if operand is None or contribution is None:
            continue
        if type(operand) is Reference:
            shadows.add(<Reference>operand, contribution)
        else:
            if isinstance(contribution, (np.ndarray, np.generic, View)):
                contribution = contribution[()] if isinstance(contribution, View) else contribution.item()
            index = <uint32_t>operand
            bars[index] = contribution if bars[index] is None else bars[index] + contribution
    return 0


cdef object array_at(const double *value, const int64_t *step, tuple shape, int kind):
    """A copy of the numbers of an operand of a node in C, as an ndarray."""
    cdef cnp.npy_intp sizes[MAX_DIMS]
    cdef cnp.npy_intp strides[MAX_DIMS]
    cdef cnp.dtype dtype = dtype_of(kind)
    cdef int k, nd = len(shape)
    cdef cnp.npy_intp total = item_size[kind]
    for k in range(nd - 1, -1, -1):
        sizes[k] = shape[k]
        strides[k] = total if step == NULL else item_size[kind] * step[k]
        total *= sizes[k]
    return cnp.PyArray_New(np.ndarray, nd, sizes, dtype.num, strides, <void *>value, 0, cnp.NPY_ARRAY_ALIGNED,
                           None).copy()


cdef tuple steps_of(const int64_t *step, tuple shape):
    """The steps of an operand; those of a contiguous array where there are none."""
    cdef int k
    if step != NULL:
        return tuple([step[k] for k in range(len(shape))])
    out = []
    total = 1
    for n in reversed(shape):
        out.append(total)
        total *= n
    return tuple(reversed(out))


cdef Reference reference_to(Shadows shadows, const dt_operand *x, int kind, tuple shape):
    """The adjoint of an operand. Steps that count doubles in a complex array are those of its real or imaginary part.
    """
    cdef tuple steps = steps_of(x.bstep, shape)
    if kind == DT_DOUBLE and shadows.dtype_of(x.storage).kind == "c":
        return reference_at(x.storage, x.at // 2, shape, [n // 2 for n in steps], x.at % 2 + 1)
    return reference_at(x.storage, x.at, shape, steps)


cdef int sweep_array_over_objects(list bars, Shadows shadows, const dt_array_node *node, uint32_t index) except -1:
    """A node in C with adjoints that are objects."""
    cdef int k, kind = DT_DOUBLE, out_kind = DT_DOUBLE
    cdef const dt_operand *x
    cdef bint product = node.kind == DT_MATMUL or node.kind == DT_TYPED + DT_MATMUL
    if node.kind >= DT_TYPED:
        kind = node.elements & 3
        out_kind = node.elements >> 2
    shape = tuple([node.shape[k] for k in range(3 if product else node.nd)])
    shapes = ((shape[0], shape[2]), (shape[0], shape[1]), (shape[1], shape[2])) if product else (shape,) * 4
    if node.out.storage == DT_NONE:
        bar = bars[index]
        if bar is None:
            return 0
        bars[index] = None
        bar = HOOKS["spread"](HOOKS["array"](bar), shapes[0])
    else:
        flat = shadows.flat_of(node.out.storage, False)
        if flat is None:
            return 0
        view = adjoint_view(flat, reference_to(shadows, &node.out, out_kind, shapes[0]))
        if node.overwrites:
            bar = view.copy()
            view[...] = 0.0
        else:
            bar = view
            shadows.taken(node.out.storage)
    primals = []
    for k in range(node.arity):
        x = &node.x[k]
        primals.append(None if x.value == NULL else array_at(x.value, x.vstep, shapes[k + 1], kind))
    out = None if node.out.value == NULL else array_at(node.out.value, node.out.vstep, shape, out_kind)
    for k in range(node.arity):
        x = &node.x[k]
        if x.storage == DT_NONE and x.scalar == DT_NONE:
            continue
        if product:
            part = HOOKS["pull_matmul"](k, bar, primals[1 - k])
        else:
            part = HOOKS["pull_row"](node.row, k, bar, primals, out)
        if part.dtype.kind == "c" and (kind != DT_COMPLEX or x.storage == DT_NONE):
            part = part.real
        if x.storage != DT_NONE:
            shadows.add(reference_to(shadows, x, kind, shapes[k + 1]), part)
        else:
            part = part.sum()
            bars[x.scalar] = part if bars[x.scalar] is None else bars[x.scalar] + part
    return 0


cdef int sweep_element_over_objects(Tape tape, list bars, Shadows shadows, uint32_t op, uint32_t a, uint32_t b,
                                    double bits, object bar) except -1:
    """The reading or writing of an element, with adjoints that are objects."""
    cdef dt_store where
    if op == DT_ELEMENT:
        if bar is not None:
            flat = shadows.flat_of(a, True)
            flat[b] = flat[b] + bar
        return 0
    memcpy(&where, &bits, sizeof(where))
    flat = shadows.flat_of(where.storage, False)
    if flat is None:
        return 0
    if a != DT_NONE:
        part = flat[where.place]
        part = part.item() if isinstance(part, np.generic) else part
        bars[a] = part if bars[a] is None else bars[a] + part
    flat[where.place] = 0.0
    return 0


cdef object conjugate(object x):
    return x.conjugate() if has_complex_core(x) else x


cdef int add_to(list bars, long index, object primal, object bar) except -1:
    """Accumulate an adjoint. That of a real number is real: f of a real x sees only the real part."""
    if bar is None:
        return 0
    if has_complex_core(bar) and not has_complex_core(primal):
        bar = bar.real
    bars[index] = bar if bars[index] is None else bars[index] + bar
    return 0


cdef bint is_plain_zero(object x) except -1:
    """A zero that no level's perturbation hides behind."""
    if isinstance(x, Dual):
        return is_plain_zero(x.value) and all([is_plain_zero(t) for t in x.partials])
    return (type(x) is float or type(x) is int or type(x) is complex) and x == 0


cdef object times(object bar, object slope):
    """A product of the chain rule; None where a factor is exactly zero, unless IEEE is asked for."""
    if (is_plain_zero(bar) or is_plain_zero(slope)) and not is_strict():
        return None
    return bar * slope


cdef int sweep_native_node(Tape tape, list bars, uint32_t i, uint32_t op, uint32_t a, uint32_t b, object bar) except -1:
    """One node whose operands are floats, with an adjoint of any kind."""
    cdef const dt_row *row = &rows[op >> 2]
    cdef uint32_t index[3]
    cdef bint active[3]
    cdef int k
    cdef double x
    if row.flags & DT_CONSTANT:
        return 0
    index[0] = a
    index[1] = b
    active[0] = not op & DT_A_CONSTANT
    active[1] = not op & DT_B_CONSTANT
    active[2] = True
    if row.arity == 3:
        index[2] = tape.t.blocks[(i - 1) >> DT_BLOCK_BITS].a[(i - 1) & DT_MASK]
    primals = []
    for k in range(row.arity):
        x = dt_value_at(&tape.t, index[k]) if active[k] else tape.t.constants[index[k]]
        primals.append(x)
    args = tuple(primals)
    out = dt_value_at(&tape.t, i)
    for k in range(row.arity):
        if active[k]:
            add_to(bars, index[k], args[k], times(bar, partial(op >> 2, k, args, out)))
    return 0


cdef int sweep_boxed_node(Tape tape, list bars, uint32_t place, object bar) except -1:
    """One node of objects: a row of the table, or a function of its own that pulls the adjoint back."""
    cdef int k, row
    entry = tape.records[place]
    row = entry[0]
    indices = entry[1]
    primals = entry[2]
    if row < 0:
        contributions = entry[3](bar)
        for k in range(len(indices)):
            if indices[k] >= 0:
                add_to(bars, indices[k], primals[k], contributions[k])
        return 0
    for k in range(len(indices)):
        if indices[k] >= 0:
            add_to(bars, indices[k], primals[k], times(bar, conjugate(partial(row, k, primals, entry[3]))))
    return 0


cdef list sweep_objects(Tape tape, list outputs, list cotangents, Shadows shadows):
    """All adjoints as Python objects, None for zero."""
    cdef uint32_t i, op, size = reach_of(tape, outputs)
    cdef dt_block *block
    cdef bint strict = is_strict()
    cdef list bars = [None] * size
    for out, cotangent in zip(outputs, cotangents):
        if isinstance(out, Var):
            add_to(bars, (<Var>out).index, out.value, cotangent)
        else:
            shadows.add(reference_of(out), cotangent)
    tape.t.sweeping += 1
    try:
        i = size
        while i > 0:
            i -= 1
            if i & 0xFFF == 0:
                PyErr_CheckSignals()
            bar = bars[i]
            block = tape.t.blocks[i >> DT_BLOCK_BITS]
            op = block.op[i & DT_MASK]
            if op == DT_ARRAY:
                sweep_array_over_objects(bars, shadows, <const dt_array_node *>(
                    <uintptr_t>block.a[i & DT_MASK] | <uintptr_t>block.b[i & DT_MASK] << 32), i)
                continue
            if op == DT_ELEMENT or op == DT_STORE:
                sweep_element_over_objects(tape, bars, shadows, op, block.a[i & DT_MASK], block.b[i & DT_MASK],
                                           block.value[i & DT_MASK], bar)
                continue
            if op == DT_CALL:
                sweep_call_over_objects(tape, bars, shadows, block.a[i & DT_MASK], bar)
                continue
            if bar is None or (is_plain_zero(bar) and not strict):
                continue
            if op == DT_BOXED:
                sweep_boxed_node(tape, bars, block.a[i & DT_MASK], bar)
            elif op < DT_INPUT:
                sweep_native_node(tape, bars, i, op, block.a[i & DT_MASK], block.b[i & DT_MASK], bar)
    finally:
        tape.t.sweeping -= 1
        if tape.t.sweeping == 0:
            tape.settle()
    return bars


cdef uint32_t reach_of(Tape tape, list outputs):
    """Up to which node outputs reach: an array may have been written to by any."""
    cdef uint32_t size = 0
    for out in outputs:
        if not isinstance(out, Var):
            return tape.t.size
        size = max(size, (<Var>out).index + 1)
    return size
