"""Sweeps over recorded programs: adjoints, and adjoints' tangents."""

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport int64_t, uint32_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from dualtape.core.kernels cimport DT_CONSTANT, dt_row, rows
from dualtape.core.tape cimport (
    Tape, Var, DT_A_CONSTANT, DT_B_CONSTANT, DT_ARRAY, DT_BLOCK_BITS, DT_BOXED, DT_CALL, DT_ELEMENT, DT_INPUT, DT_MASK, DT_STATE_CLOSED,
    DT_STORE, dt_block, dt_store, dt_tape, dt_value_at,
)
from dualtape.core.array cimport Array, Call, Reference
from dualtape.core.native cimport dt_ufunc, ufuncs
from dualtape.core.pool cimport give_scratch, give_tape, take_scratch, take_tape
from dualtape.core.dual cimport Dual
from dualtape.core.levels cimport enter, is_live, leave
from dualtape.core.traced cimport Traced, as_number, has_complex_core, partial

from dualtape.core.array import (
    _HOOKS, accumulate, adjoint_view, leaf_array, level_of, make_reference, plain_array, plain_of, reference_at,
)
from dualtape.core.strict import is_strict
from dualtape.errors import InputError, escaped, no_memory, not_scalar

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
        int kind
        int row
        int nd
        int arity
        int overwrites
        dt_operand out
        dt_operand x[3]
    enum:
        DT_NONE, DT_MATMUL, DT_SMALL
    ctypedef struct dt_shadows:
        double **bar
        const int64_t *size
        uint32_t count
        const dt_ufunc *ufuncs
        const dt_row *rows
        int failed
    void dt_shadows_end(dt_shadows *s)
    double *dt_shadow_make(dt_shadows *s, uint32_t storage, int zero)

cdef extern from "tape.h" nogil:
    int64_t dt_sweep_arrays(const dt_tape *t, const dt_row *rows, double *bar, uint32_t start, uint32_t stop, int strict,
                            dt_shadows *s)
    void dt_sweep_reverse(const dt_tape *t, const dt_row *rows, double *bar, uint32_t start, uint32_t stop, int strict)
    void dt_sweep_tangent(const dt_tape *t, const dt_row *rows, double *dot, uint32_t start, uint32_t stop, int lanes,
                          int strict)
    void dt_sweep_second(const dt_tape *t, const dt_row *rows, double *bar, const double *dot, double *bardot,
                         uint32_t start, uint32_t stop, int lanes, int strict)

cnp.import_array()

# Nodes that a sweep passes without the GIL before it looks for Ctrl-C: some milliseconds.
cdef uint32_t CHUNK = 1 << 19
# Below this many nodes a sweep takes less time than giving the GIL away.
cdef uint32_t SHORT = 1 << 13


# --- native sweeps ---------------------------------------------------------------------------------------------------

cdef dt_tape begin(Tape tape) noexcept:
    """What a sweep reads: the tape as it is now. Recording may go on in other threads, closing may not."""
    tape.t.sweeping += 1
    return tape.t


cdef void end(Tape tape) noexcept:
    """The counterpart of `begin`."""
    tape.t.sweeping -= 1
    if tape.t.sweeping == 0:
        tape.settle()


cdef int sweep_reverse(Tape tape, double *bar, uint32_t size) except -1:
    """All adjoints of the nodes below `size`, in pieces between which Ctrl-C is looked for."""
    cdef int strict = is_strict()
    cdef uint32_t i = size, stop
    cdef dt_tape now
    if size <= SHORT:
        dt_sweep_reverse(&tape.t, rows, bar, size, 0, strict)
        return 0
    now = begin(tape)
    try:
        while i > 0:
            stop = i - CHUNK if i > CHUNK else 0
            with nogil:
                dt_sweep_reverse(&now, rows, bar, i, stop, strict)
            i = stop
            PyErr_CheckSignals()
    finally:
        end(tape)
    return 0


cdef int sweep_tangent(Tape tape, double *dot, uint32_t size, int lanes) except -1:
    """All tangents of the nodes below `size`."""
    cdef int strict = is_strict()
    cdef uint32_t i = 0, stop
    cdef dt_tape now
    now = begin(tape)
    try:
        while i < size:
            stop = i + CHUNK if size - i > CHUNK else size
            with nogil:
                dt_sweep_tangent(&now, rows, dot, i, stop, lanes, strict)
            i = stop
            PyErr_CheckSignals()
    finally:
        end(tape)
    return 0


cdef int sweep_second(Tape tape, double *bar, double *dot, double *bardot, uint32_t size, int lanes) except -1:
    """Tangents forwards, then adjoints and their tangents backwards."""
    cdef int strict = is_strict()
    cdef uint32_t i = size, stop
    cdef dt_tape now
    sweep_tangent(tape, dot, size, lanes)
    now = begin(tape)
    try:
        while i > 0:
            stop = i - CHUNK if i > CHUNK else 0
            with nogil:
                dt_sweep_second(&now, rows, bar, dot, bardot, i, stop, lanes, strict)
            i = stop
            PyErr_CheckSignals()
    finally:
        end(tape)
    return 0


# --- adjoints of arrays ----------------------------------------------------------------------------------------------

cdef class Shadows:
    """The adjoints of the arrays on a tape during a sweep, made when first touched.

    Those of float64 lie in C memory, others are flat ndarrays. In sweeps over objects all are flat Arrays, into which
    traced values of other levels may be written.
    """
    cdef Tape tape
    cdef dt_shadows c
    cdef dict flat  # those that are objects, by number
    cdef bint traced

    def __cinit__(self, Tape tape, bint traced):
        self.tape = tape
        self.flat = {}
        self.traced = traced
        self.c.count = tape.t.n_shadows
        self.c.size = tape.t.shadow_size
        self.c.ufuncs = ufuncs
        self.c.rows = rows
        self.c.bar = <double **>calloc(max(tape.t.n_shadows, 1), sizeof(double *))
        if self.c.bar == NULL:
            raise no_memory(tape.t.size, tape.held(), 8 * tape.t.n_shadows)

    def __dealloc__(self):
        if self.c.bar != NULL:
            dt_shadows_end(&self.c)

    cdef bint native(self, uint32_t id):
        return not self.traced and self.c.size[id] >= 0

    cdef object flat_of(self, uint32_t id, bint make):
        """The flat adjoint of an array, to be used at once; None where it is zero and not to be made."""
        cdef cnp.npy_intp n = self.c.size[id]
        if self.native(id):
            if self.c.bar[id] == NULL:
                if not make:
                    return None
                if dt_shadow_make(&self.c, id, 1) == NULL:
                    raise no_memory(self.tape.t.size, self.tape.held(), 8 * n)
            return cnp.PyArray_SimpleNewFromData(1, &n, cnp.NPY_FLOAT64, self.c.bar[id])
        flat = self.flat.get(id)
        if flat is None and make:
            if n < 0:
                flat = np.zeros(-1 - n, dtype=self.tape.dtypes[id])
            else:
                flat = np.zeros(n)
            if self.traced:
                flat = plain_array(flat, True)
            self.flat[id] = flat
        return flat

    cdef object taken(self, uint32_t id):
        """The flat adjoint of an array, to be kept by the caller; it is zero from here on."""
        cdef cnp.npy_intp n = self.c.size[id]
        if not self.native(id):
            return self.flat.pop(id, None)
        if self.c.bar[id] == NULL:
            return None
        if n <= DT_SMALL:
            out = cnp.PyArray_SimpleNewFromData(1, &n, cnp.NPY_FLOAT64, self.c.bar[id]).copy()
        else:
            out = cnp.PyArray_SimpleNewFromData(1, &n, cnp.NPY_FLOAT64, self.c.bar[id])
            cnp.set_array_base(out, PyCapsule_New(self.c.bar[id], NULL, free_capsule))
        self.c.bar[id] = NULL
        return out

    cdef int add(self, Reference r, object bar) except -1:
        """Accumulate into the adjoint of a view."""
        if bar is not None:
            accumulate(self.flat_of(r.id, True), r, bar)
        return 0


cdef void free_capsule(object capsule) noexcept:
    free(PyCapsule_GetPointer(capsule, NULL))


cdef Reference reference_of(object x):
    """The reference of an array, or the reference itself."""
    return x if isinstance(x, Reference) else make_reference(x)


cdef int pull_call(Call call, Shadows shadows, object bar, list contributions) except -1:
    """The contributions of a node on arrays to its operands, appended to a list; none where its adjoint is zero."""
    if call.out is not None:
        if call.key is not None:
            flat = shadows.flat_of(call.out.id, False)
            if flat is None:
                return 0
            view = adjoint_view(flat, call.out)
            bar = view[call.key[0]]
            bar = bar.copy() if isinstance(bar, (np.ndarray, Array)) else bar
            view[call.key[0]] = 0.0
        else:
            flat = shadows.taken(call.out.id)  # nothing touched the array before this node made it
            if flat is None:
                return 0
            bar = adjoint_view(flat, call.out)
    elif bar is None:
        return 0
    contributions.extend(call.pull(bar))
    return 0


cdef int sweep_call(Call call, Shadows shadows, double *bars, uint32_t i) except -1:
    """A node on arrays whose adjoints are plain."""
    cdef list contributions = []
    bar = None
    if call.out is None and bars[i] != 0.0:
        bar = bars[i]
    pull_call(call, shadows, bar, contributions)
    for operand, contribution in zip(call.operands, contributions):
        if operand is None or contribution is None:
            continue
        if type(operand) is Reference:
            shadows.add(<Reference>operand, contribution)
        else:
            bars[<uint32_t>operand] += <double>float(contribution)
    return 0


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
            if isinstance(contribution, (np.ndarray, np.generic, Array)):
                contribution = contribution[()] if isinstance(contribution, Array) else contribution.item()
            index = <uint32_t>operand
            bars[index] = contribution if bars[index] is None else bars[index] + contribution
    return 0


cdef object array_at(const double *value, const int64_t *step, tuple shape):
    """The numbers of an operand of a node in C, as an ndarray."""
    cdef cnp.npy_intp one = 1
    flat = np.empty(shape)
    cdef double *to = <double *>cnp.PyArray_DATA(flat)
    cdef Py_ssize_t n = flat.size, i = 0
    cdef int k
    if step == NULL:
        for i in range(n):
            to[i] = value[i]
        return flat
    for index in np.ndindex(shape):
        one = 0
        for k in range(len(shape)):
            one += <Py_ssize_t>index[k] * step[k]
        to[i] = value[one]
        i += 1
    return flat


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


cdef int sweep_array_over_objects(list bars, Shadows shadows, const dt_array_node *node, uint32_t index) except -1:
    """A node in C with adjoints that are objects."""
    cdef int k
    cdef const dt_operand *x
    cdef bint product = node.kind == DT_MATMUL
    shape = tuple([node.shape[k] for k in range(3 if product else node.nd)])
    shapes = ((shape[0], shape[2]), (shape[0], shape[1]), (shape[1], shape[2])) if product else (shape,) * 4
    if node.out.storage == DT_NONE:
        bar = bars[index]
        if bar is None:
            return 0
        bars[index] = None
        bar = _HOOKS["spread"](_HOOKS["array"](bar), shapes[0])
    else:
        flat = shadows.flat_of(node.out.storage, False)
        if flat is None:
            return 0
        view = adjoint_view(flat, reference_at(node.out.storage, node.out.at, shapes[0],
                                               steps_of(node.out.bstep, shapes[0])))
        if node.overwrites:
            bar = view.copy()
            view[...] = 0.0
        else:
            bar = view
            shadows.taken(node.out.storage)
    primals = []
    for k in range(node.arity):
        x = &node.x[k]
        primals.append(None if x.value == NULL else array_at(x.value, x.vstep, shapes[k + 1]))
    out = None if node.out.value == NULL else array_at(node.out.value, node.out.vstep, shape)
    for k in range(node.arity):
        x = &node.x[k]
        if x.storage == DT_NONE and x.scalar == DT_NONE:
            continue
        if product:
            part = _HOOKS["pull_matmul"](k, bar, primals[1 - k])
        else:
            part = _HOOKS["pull_row"](node.row, k, bar, primals, out)
        if x.storage != DT_NONE:
            shadows.add(reference_at(x.storage, x.at, shapes[k + 1], steps_of(x.bstep, shapes[k + 1])), part)
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


cdef uint32_t reach_of(Tape tape, list outputs):
    """Up to which node outputs reach: an array may have been written to by any."""
    cdef uint32_t size = 0
    for out in outputs:
        if not isinstance(out, Var):
            return tape.t.size
        size = max(size, (<Var>out).index + 1)
    return size


cdef int sweep_with_arrays(Tape tape, double *bar, uint32_t size, Shadows shadows) except -1:
    """The native sweep, with nodes on arrays between: those in C, and those that Python does."""
    cdef uint32_t i = size, stop
    cdef int strict = is_strict()
    cdef int64_t place
    cdef dt_block *block
    cdef dt_tape now = begin(tape)
    try:
        while i > 0:
            stop = i - SHORT if i > SHORT else 0
            with nogil:
                place = dt_sweep_arrays(&now, rows, bar, i, stop, strict, &shadows.c)
            if shadows.c.failed:
                raise no_memory(tape.t.size, tape.held(), 0)
            if place >= 0:
                block = tape.t.blocks[place >> DT_BLOCK_BITS]
                sweep_call(tape.records[block.a[place & DT_MASK]], shadows, bar, <uint32_t>place)
                i = <uint32_t>place
            else:
                i = stop
                PyErr_CheckSignals()
    finally:
        end(tape)
    return 0


# --- sweeps over objects ---------------------------------------------------------------------------------------------

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
    begin(tape)
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
        end(tape)
    return bars


# --- what operators call ---------------------------------------------------------------------------------------------

def adjoints(Tape tape, list outputs, list cotangents, list inputs):
    """Adjoints of variables of a tape.

    Parameters
    ----------
    tape : Tape
    outputs : list of Var or VarArray
        Results on the tape.
    cotangents : list of number or array
        One for each output.
    inputs : list of int or Reference
        Of which variables: the index of a scalar, the reference of an array.

    Returns
    -------
    list
        Floats and ndarrays, or values of outer differentiations; zero where nothing depends on the variable.
    """
    cdef uint32_t size = 0, i
    cdef double *bar
    cdef bint native = not tape.boxed
    cdef Shadows shadows
    if tape.t.state == DT_STATE_CLOSED:
        raise escaped()
    size = reach_of(tape, outputs)
    for cotangent in cotangents:
        native = native and (type(cotangent) is float or type(cotangent) is int or type(cotangent) is np.ndarray)
    shadows = Shadows(tape, not native) if tape.t.n_shadows else None
    if not native:
        bars = sweep_objects(tape, outputs, cotangents, shadows)
        return [input_adjoint(shadows, x, bars[x] if x < <long>size else None) if type(x) is int
                else input_adjoint(shadows, x, None) for x in inputs]
    wanted = size
    for x in inputs:
        if type(x) is int:
            wanted = max(wanted, x + 1)
    bar = take_scratch(tape, wanted)
    try:
        for out, cotangent in zip(outputs, cotangents):
            if isinstance(out, Var):
                bar[(<Var>out).index] += <double>float(cotangent)
            else:
                shadows.add(reference_of(out), cotangent)
        if tape.t.arrays:
            sweep_with_arrays(tape, bar, size, shadows)
        else:
            sweep_reverse(tape, bar, size)
        return [bar[<uint32_t>x] if type(x) is int else input_adjoint(shadows, x, None) for x in inputs]
    finally:
        give_scratch(bar)


cdef object input_adjoint(Shadows shadows, object x, object bar):
    """The adjoint of a variable, for the caller to keep."""
    if type(x) is int:
        return 0.0 if bar is None else bar
    flat = shadows.taken((<Reference>x).id)
    if flat is None:
        n = shadows.c.size[(<Reference>x).id]
        dtype = shadows.tape.dtypes[(<Reference>x).id] if n < 0 else np.float64
        return np.zeros((<Reference>x).shape_source.shape, dtype=dtype)
    view = adjoint_view(flat, x)
    if isinstance(view, Array):
        return plain_of(view).copy() if level_of(view) == 0 else view
    return view if cnp.PyArray_IS_C_CONTIGUOUS(view) or cnp.PyArray_IS_F_CONTIGUOUS(view) else view.copy()


cdef object own_output(Tape tape, object out):
    """What a function returned, as a Var of this tape or as a number that is constant to it."""
    if isinstance(out, Array):
        if (<Array>out).store.level > tape.level and level_of(out) > tape.level:
            raise escaped()
        if (<Array>out).store.level == 0:
            return plain_of(out).copy()
        return out
    if isinstance(out, np.ndarray) and out.dtype != object:
        return out
    if isinstance(out, Var):
        if (<Var>out).owner == <PyObject *>tape:
            return out
        if (<Tape>(<Var>out).owner).t.state == DT_STATE_CLOSED:
            raise escaped()
    if isinstance(out, Traced):
        if not is_live((<Traced>out).level):
            return own_output(tape, out.value)
        if (<Traced>out).level > tape.level:
            raise escaped()
        return out
    number = as_number(out)
    if number is None or isinstance(out, (bool, np.bool_)):
        return None
    if number is not out and isinstance(number, Traced):
        return own_output(tape, number)
    if isinstance(getattr(number, "nominal_value", None), Traced):
        raise InputError("the function returned a number with an uncertainty around a traced value. Put the traced "
                         "value on the left of the operator (x * u, not u * x), or differentiate with respect to it")
    return number


cdef double *doubles(object array) except? NULL:
    """The memory of a contiguous float64 array, which the caller keeps alive."""
    cdef size_t address = array.ctypes.data
    return <double *>address


cdef class Recording:
    """One reverse-mode differentiation: its tape from the first variable to the last sweep.

    It alone holds the tape, so that at the end a look at the reference count tells whether a Var escaped.
    """
    cdef Tape tape
    cdef unsigned long long before
    cdef bint ends

    def __cinit__(self):
        self.tape = take_tape()
        self.ends = True

    def __dealloc__(self):
        if self.tape is not None:
            self.close()

    def __enter__(self):
        self.before = enter(self.tape.level)
        return self

    def __exit__(self, exception, *details):
        leave(self.before)
        if self.ends or exception is not None:
            self.close()

    def lasting(self):
        """The recording, to be used in a `with` statement that it outlives unless the body raises."""
        self.ends = False
        return self

    @property
    def level(self):
        """The level of the differentiation."""
        return self.tape.level

    @property
    def boxed(self):
        """Whether a number on the tape is a Python object."""
        return self.tape.boxed

    def variable(self, x):
        """A new independent variable; the first has index 0."""
        return self.tape.variable(x)

    def array(self, x):
        """A new independent array, over a copy of `x`: its VarArray, and the reference of its adjoint."""
        return leaf_array(self.tape, x)

    @property
    def arrays(self):
        """Whether there are nodes on arrays."""
        return self.tape.t.arrays != 0

    def freeze(self):
        """Record nothing more."""
        self.tape.freeze()

    def output(self, out):
        """`out` as a Var of this recording or a number that does not depend on it; None where it is no number."""
        return own_output(self.tape, out)

    def owns(self, x):
        """Whether `x` is a Var or a VarArray of this recording."""
        if isinstance(x, Array):
            return (<Array>x).store.tape is self.tape
        return isinstance(x, Var) and (<Var>x).owner == <PyObject *>self.tape

    def adjoints(self, outputs, cotangents, inputs):
        """Adjoints of variables: see `adjoints`."""
        return adjoints(self.tape, outputs, cotangents, inputs)

    def second(self, Var output, directions):
        """Hessian-vector products by tangent over adjoint.

        Parameters
        ----------
        output : Var
        directions : ndarray of float64, shape (k, n)
            Directions in the space of the first n variables.

        Returns
        -------
        gradient : ndarray, shape (n,)
        products : ndarray, shape (k, n)
        """
        cdef uint32_t size = output.index + 1, n = directions.shape[1], k = directions.shape[0], i
        cdef uint32_t first = 0
        cdef int lanes, l, used
        cdef double *bar = NULL
        cdef double *dot = NULL
        cdef double *bardot = NULL
        inputs = np.ascontiguousarray(directions, dtype=np.float64)
        gradient = np.zeros(n)
        products = np.zeros((k, n))
        cdef double *v = doubles(inputs)
        cdef double *g = doubles(gradient)
        cdef double *h = doubles(products)
        cdef uint32_t reach = min(n, size)
        while first < k:
            lanes = 4 if k - first > 1 else 1
            used = min(lanes, k - first)
            try:
                bar = take_scratch(self.tape, max(size, n))
                dot = take_scratch(self.tape, <size_t>max(size, n) * lanes)
                bardot = take_scratch(self.tape, <size_t>max(size, n) * lanes)
                for i in range(n):
                    for l in range(used):
                        dot[<size_t>i * lanes + l] = v[<size_t>(first + l) * n + i]
                bar[output.index] = 1.0
                sweep_second(self.tape, bar, dot, bardot, size, lanes)
                for i in range(reach):
                    g[i] = bar[i]
                    for l in range(used):
                        h[<size_t>(first + l) * n + i] = bardot[<size_t>i * lanes + l]
            finally:
                give_scratch(bar)
                give_scratch(dot)
                give_scratch(bardot)
                bar = dot = bardot = NULL
            first += used
        return gradient, products

    def tangents(self, outputs, directions):
        """Jacobian-vector products by forward sweeps over the recording.

        Parameters
        ----------
        outputs : list of Var
        directions : ndarray of float64, shape (k, n)
            Directions in the space of the first n variables.

        Returns
        -------
        ndarray, shape (k, len(outputs))
        """
        cdef uint32_t size = 0, n = directions.shape[1], k = directions.shape[0], i, m = len(outputs)
        cdef uint32_t first = 0
        cdef int lanes, l, used
        cdef double *dot
        for out in outputs:
            size = max(size, (<Var>out).index + 1)
        inputs = np.ascontiguousarray(directions, dtype=np.float64)
        products = np.zeros((k, m))
        cdef double *v = doubles(inputs)
        cdef double *r = doubles(products)
        while first < k:
            lanes = 4 if k - first > 1 else 1
            used = min(lanes, k - first)
            dot = take_scratch(self.tape, <size_t>max(size, n) * lanes)
            try:
                for i in range(n):
                    for l in range(used):
                        dot[<size_t>i * lanes + l] = v[<size_t>(first + l) * n + i]
                sweep_tangent(self.tape, dot, size, lanes)
                for i in range(m):
                    for l in range(used):
                        r[<size_t>(first + l) * m + i] = dot[<size_t>(<Var>outputs[i]).index * lanes + l]
            finally:
                give_scratch(dot)
            first += used
        return products

    def close(self):
        """End the differentiation: Vars that escaped raise when they are used."""
        cdef Tape tape = self.tape
        self.tape = None
        if tape is not None:
            give_tape(tape, 1)


def value_and_gradient_of_float(f, double x):
    """`f` and its derivative at one float, by reverse mode: the shortest way from call to result.

    Returns
    -------
    value, gradient
    """
    cdef double small[64]
    cdef double *bar = small
    cdef uint32_t i, size
    cdef Tape tape = take_tape()
    cdef unsigned long long before = enter(tape.level)
    cdef Var result
    try:
        out = f(tape.variable(x))
        if type(out) is not Var or (<Var>out).owner != <PyObject *>tape or tape.boxed or tape.t.arrays:
            kind = type(out)
            out = own_output(tape, out)
            if out is None or has_complex_core(out):
                raise not_scalar(kind)
            if not isinstance(out, Var) or (<Var>out).owner != <PyObject *>tape:
                if isinstance(out, (np.ndarray, Array)) and out.ndim == 0:
                    if isinstance(out, Array) and (<Array>out).store.tape is tape:
                        return out.value[()], adjoints(tape, [out], [np.ones((), out.dtype)], [0])[0]
                elif isinstance(out, (np.ndarray, Array)):
                    raise not_scalar(kind)
                return out, 0.0
            return out.value, adjoints(tape, [out], [1.0], [0])[0]
        result = <Var>out
        size = result.index + 1
        if size > 64:
            bar = take_scratch(tape, size)
        else:
            for i in range(size):
                bar[i] = 0.0
        bar[result.index] = 1.0
        sweep_reverse(tape, bar, size)
        return result.primal, bar[0]
    finally:
        if bar != small:
            give_scratch(bar)
        out = result = None
        leave(before)
        give_tape(tape, 1)
