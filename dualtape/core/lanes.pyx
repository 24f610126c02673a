"""Tangents in lanes: those of all values on a tape in several directions, and the adjoints with theirs."""

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport calloc, free, malloc

from dualtape.core.adjoint cimport Call, Reference
from dualtape.core.buffers cimport give, take
from dualtape.core.kernels cimport rows
from dualtape.core.loops cimport ufuncs
from dualtape.core.node cimport DT_NONE, dt_shadows
from dualtape.core.operands cimport in_c_order
from dualtape.core.passes cimport (
    CHUNK, DT_MOST_LANES, SHORT, begin, drop_shadow, end, end_shadows, make_shadow, piece_of_second,
    piece_of_tangents,
)
from dualtape.core.pool cimport give_scratch, take_scratch
from dualtape.core.shadows cimport Shadows
from dualtape.core.tape cimport DT_BLOCK_BITS, DT_MASK, Tape, dt_tape
from dualtape.core.view cimport MAX_DIMS, NO_SCALARS, View

from dualtape.core.adjoint import accumulate, adjoint_view
from dualtape.core.strict import is_strict
from dualtape.errors import no_memory

cnp.import_array()

cdef void transfer(double *flat, View g, double *row, bint into) noexcept:
    """Add a row of numbers to a view of a storage, or the view to the row."""
    cdef Py_ssize_t place[MAX_DIMS]
    cdef Py_ssize_t i = 0, j, inner, step
    cdef int k
    cdef double *p = flat + g.offset
    inner = g.shape_[g.nd - 1] if g.nd else 1
    step = g.step_[g.nd - 1] if g.nd else 0
    if in_c_order(g):
        inner, step = g.size, 1
    for k in range(g.nd):
        place[k] = 0
    while i < g.size:
        if into:
            for j in range(inner):
                p[j * step] += row[i + j]
        elif step == 1:
            for j in range(inner):
                row[i + j] += p[j]
        else:
            for j in range(inner):
                row[i + j] += p[j * step]
        i += inner
        for k in range(g.nd - 2, -1, -1):
            p += g.step_[k]
            place[k] += 1
            if place[k] < g.shape_[k]:
                break
            p -= g.shape_[k] * g.step_[k]
            place[k] = 0


cdef bint has_nonzero(const double *block, Py_ssize_t m, Py_ssize_t step, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i, j
    for i in range(m):
        for j in range(n):
            if block[i * step + j] != 0.0:
                return True
    return False


cdef void prepare(dt_shadows *shadows, uint32_t n, const int64_t *sizes) noexcept:
    shadows.count = n
    shadows.size = sizes
    shadows.ufuncs = ufuncs
    shadows.rows = rows
    shadows.take = take
    shadows.give = give


cdef class Lanes:
    """The tangents of all values on a tape in some lanes, and the adjoints with theirs."""
    def __cinit__(self, Tape tape, uint32_t size, int lanes, bint tangents, bint adjoints):
        cdef uint32_t i, n = tape.t.n_shadows
        self.tape = tape
        self.size = size
        self.saved = []
        self.c.lanes = lanes
        self.c.wide = 1 if lanes == 1 else 4 if lanes <= 4 else DT_MOST_LANES
        self.c.keeps = tangents and adjoints
        self.c.strict = is_strict()
        self.c.scalar_dot = take_scratch(tape, <size_t>size * self.c.wide)
        if adjoints:
            self.c.scalar_bar = take_scratch(tape, size)
            self.c.scalar_bardot = take_scratch(tape, <size_t>size * self.c.wide)
        if not tape.t.arrays:
            return
        self.shadows = Shadows(tape, False)
        self.c.bar = &self.shadows.c
        self.sizes = <int64_t *>malloc(8 * max(n, 1))
        self.c.dot.bar = <double **>calloc(max(n, 1), sizeof(double *))
        self.c.bardot.bar = <double **>calloc(max(n, 1), sizeof(double *))
        if self.sizes == NULL or self.c.dot.bar == NULL or self.c.bardot.bar == NULL:
            raise no_memory(tape.t.size, tape.held(), 24 * n)
        for i in range(n):
            self.sizes[i] = lanes * tape.t.shadow_size[i]
        prepare(&self.c.dot, n, self.sizes)
        prepare(&self.c.bardot, n, self.sizes)

    def __dealloc__(self):
        give_scratch(self.c.scalar_dot)
        give_scratch(self.c.scalar_bar)
        give_scratch(self.c.scalar_bardot)
        if self.c.dot.bar != NULL:
            end_shadows(&self.c.dot)
        if self.c.bardot.bar != NULL:
            end_shadows(&self.c.bardot)
        free(self.sizes)
        free(self.c.saved)

    cdef int check(self) except -1:
        if self.c.failed or self.c.dot.failed or self.c.bardot.failed or (self.c.bar != NULL and self.c.bar.failed):
            raise no_memory(self.tape.t.size, self.tape.held(), 0)
        return 0

    cdef double *memory(self, dt_shadows *shadows, uint32_t id, bint make) except? NULL:
        """Tangents of an array in all lanes; NULL where they are zero and not to be made."""
        if shadows.bar[id] == NULL and make and make_shadow(shadows, id) == NULL:
            raise no_memory(self.tape.t.size, self.tape.held(), 8 * self.c.lanes * self.tape.t.shadow_size[id])
        return shadows.bar[id]

    cdef object flat(self, dt_shadows *shadows, uint32_t id, bint make):
        """The same as an array of shape (lanes, size), to be used at once."""
        cdef cnp.npy_intp shape[2]
        cdef double *p = self.memory(shadows, id, make)
        shape[0], shape[1] = self.c.lanes, self.tape.t.shadow_size[id]
        return None if p == NULL else cnp.PyArray_SimpleNewFromData(2, shape, cnp.NPY_FLOAT64, p)

    cdef list views(self, dt_shadows *shadows, Reference r, bint make):
        """The tangents of a view, one array for each lane."""
        flat = self.flat(shadows, r.id, make)
        return None if flat is None else [adjoint_view(lane, r) for lane in flat]

    cdef uint32_t first_scalar(self, Reference r):
        """The scalar variable that the first element of an independent array is too."""
        if self.tape.scalars is None or r.id not in self.tape.scalars:
            return NO_SCALARS
        return self.tape.scalars[r.id]

    # --- what goes in and comes out ---

    cdef int seed(self, list places, cnp.ndarray block, bint reverse) except -1:
        """Set tangents of variables, or add tangents of adjoints of results: `block` has a row for each lane."""
        cdef Py_ssize_t start = 0, i, size, n = block.shape[1]
        cdef int j
        cdef uint32_t index, first
        cdef double *to = self.c.scalar_bardot if reverse else self.c.scalar_dot
        cdef double *v = <double *>cnp.PyArray_DATA(block)
        cdef double *shadow
        cdef dt_shadows *shadows = &self.c.bardot if reverse else &self.c.dot
        cdef Reference r
        for place in places:
            if type(place) is not Reference:
                index = place
                for j in range(self.c.lanes):
                    to[<size_t>index * self.c.wide + j] += v[j * n + start]
                start += 1
                continue
            r = <Reference>place
            size = r.shape_source.size
            if has_nonzero(v + start, self.c.lanes, n, size):
                shadow = self.memory(shadows, r.id, True)
                for j in range(self.c.lanes):
                    transfer(shadow + j * self.tape.t.shadow_size[r.id], r.shape_source, v + j * n + start, True)
                first = self.first_scalar(r)
                for i in range(0 if first == NO_SCALARS else size):
                    for j in range(self.c.lanes):
                        to[<size_t>(first + i) * self.c.wide + j] = v[j * n + start + i]
            start += r.shape_source.size
        return 0

    cdef int gather(self, list places, cnp.ndarray block, bint reverse) except -1:
        """The counterpart of `seed`: tangents of results, or tangents of the adjoints of variables."""
        cdef Py_ssize_t start = 0, i, n = block.shape[1]
        cdef int j
        cdef uint32_t index, first
        cdef const double *scalars = self.c.scalar_bardot if reverse else self.c.scalar_dot
        cdef double *out = <double *>cnp.PyArray_DATA(block)
        cdef double *shadow
        cdef dt_shadows *shadows = &self.c.bardot if reverse else &self.c.dot
        cdef Reference r
        for place in places:
            if type(place) is not Reference:
                index = place
                for j in range(self.c.lanes):
                    out[j * n + start] = scalars[<size_t>index * self.c.wide + j]
                start += 1
                continue
            r = <Reference>place
            first = self.first_scalar(r)
            for i in range(0 if first == NO_SCALARS else r.shape_source.size):
                for j in range(self.c.lanes):
                    out[j * n + start + i] = scalars[<size_t>(first + i) * self.c.wide + j]
            if shadows.bar[r.id] != NULL:
                for j in range(self.c.lanes):
                    shadow = shadows.bar[r.id] + j * self.tape.t.shadow_size[r.id]
                    transfer(shadow, r.shape_source, out + j * n + start, False)
            start += r.shape_source.size
        return 0

    # --- sweeps ---

    cdef int forwards(self) except -1:
        """All tangents."""
        cdef uint32_t i = 0, stop, chunk = SHORT if self.tape.t.arrays else CHUNK
        cdef int64_t place
        cdef dt_tape now = begin(self.tape)
        try:
            while i < self.size:
                stop = i + chunk if self.size - i > chunk else self.size
                with nogil:
                    place = piece_of_tangents(&now, &self.c, i, stop)
                self.check()
                if place >= 0:
                    self.push_call(self.call_at(<uint32_t>place), <uint32_t>place)
                    i = <uint32_t>place + 1
                else:
                    i = stop
                    PyErr_CheckSignals()
        finally:
            end(self.tape)
        return 0

    cdef int backwards(self) except -1:
        """All adjoints and their tangents."""
        cdef uint32_t i = self.size, stop, chunk = SHORT if self.tape.t.arrays else CHUNK
        cdef int64_t place
        cdef dt_tape now = begin(self.tape)
        try:
            while i > 0:
                stop = i - chunk if i > chunk else 0
                with nogil:
                    place = piece_of_second(&now, &self.c, i, stop)
                self.check()
                if place >= 0:
                    self.second_call(self.call_at(<uint32_t>place), <uint32_t>place)
                    i = <uint32_t>place
                else:
                    i = stop
                    PyErr_CheckSignals()
        finally:
            end(self.tape)
        return 0

    cdef Call call_at(self, uint32_t i):
        return self.tape.records[self.tape.t.blocks[i >> DT_BLOCK_BITS].a[i & DT_MASK]]

    cdef list tangents_of(self, Call call):
        """For each operand of a node its tangents, one for each lane; None where they are zero."""
        cdef list out = []
        cdef uint32_t index
        for operand in call.operands:
            if operand is None:
                out.append(None)
            elif type(operand) is Reference:
                out.append(self.views(&self.c.dot, <Reference>operand, False))
            else:
                index = operand
                out.append(self.numbers(self.c.scalar_dot, index))
        return out

    cdef list numbers(self, const double *scalars, uint32_t index):
        """The tangents of a scalar; None where they are zero."""
        cdef int j
        row = [scalars[<size_t>index * self.c.wide + j] for j in range(self.c.lanes)]
        return row if any(row) else None

    cdef int push_call(self, Call call, uint32_t i) except -1:
        """The tangents of a node that Python does."""
        cdef int j
        tangents = self.tangents_of(call)
        out = None
        for t in tangents:
            if t is not None:
                out = call.push(tangents)
                break
        if call.out is None:
            for j in range(0 if out is None else self.c.lanes):
                self.c.scalar_dot[<size_t>i * self.c.wide + j] = 0.0 if out[j] is None else float(out[j])
            return 0
        if call.key is None:
            if out is not None:
                for view, t in zip(self.views(&self.c.dot, call.out, True), out):
                    if t is not None:
                        view[...] = t
            return 0
        views = self.views(&self.c.dot, call.out, False)
        if self.c.keeps:
            self.saved.append(None if views is None else [np.array(view[call.key[0]]) for view in views])
        if out is None and views is None:
            return 0
        if views is None:
            views = self.views(&self.c.dot, call.out, True)
        for j in range(self.c.lanes):
            views[j][call.key[0]] = 0.0 if out is None or out[j] is None else out[j]
        return 0

    cdef int second_call(self, Call call, uint32_t i) except -1:
        """The adjoints and their tangents that a node that Python does gives its operands."""
        cdef int j
        cdef uint32_t id = DT_NONE
        bar = bardots = None
        if call.key is not None and self.c.keeps:
            old = self.saved.pop()
            views = self.views(&self.c.dot, call.out, False)
            if views is not None:
                for j in range(self.c.lanes):
                    views[j][call.key[0]] = 0.0 if old is None else old[j]
        if call.out is None:
            bar = self.c.scalar_bar[i] or None
            bardots = self.numbers(self.c.scalar_bardot, i)
        else:
            id = call.out.id
            flat = self.shadows.flat_of(id, False)
            if flat is not None:
                bar = adjoint_view(flat, call.out)
            bardots = self.views(&self.c.bardot, call.out, False)
            if call.key is not None:
                whole, bar = bar, None if bar is None else np.array(bar[call.key[0]])[()]
                wholes, bardots = bardots, None if bardots is None else [
                    np.array(view[call.key[0]])[()] for view in bardots]
                for view in ([] if whole is None else [whole]) + (wholes or []):
                    view[call.key[0]] = 0.0
        if bar is not None or bardots is not None:
            self.pull(call, i, bar, bardots)
        if call.out is not None and call.key is None:
            if self.c.bar.bar[id] != NULL:
                drop_shadow(self.c.bar, id)
            if self.c.bardot.bar[id] != NULL:
                drop_shadow(&self.c.bardot, id)
        return 0

    cdef int pull(self, Call call, uint32_t i, object bar, object bardots) except -1:
        """Pull the adjoint of a node, and its tangents, back to the operands."""
        cdef int j
        second = getattr(call.pull, "second", None)
        if second is None:  # linear
            parts = [None] * len(call.operands) if bar is None else call.pull(bar)
            dots = [] if bardots is None else [call.pull(b) for b in bardots]
        else:
            outs = (self.numbers(self.c.scalar_dot, i) if call.out is None
                    else self.views(&self.c.dot, call.out, False))
            parts, dots = second(bar, bardots, self.tangents_of(call), outs)
        for k, operand in enumerate(call.operands):
            if k < len(parts):
                self.add(operand, parts[k], -1)
            for j in range(len(dots)):
                if k < len(dots[j]):
                    self.add(operand, dots[j][k], j)
        return 0

    cdef int add(self, object operand, object part, int lane) except -1:
        """Add to the adjoint of an operand, or to its tangent in a lane."""
        cdef uint32_t index
        if operand is None or part is None:
            return 0
        if type(operand) is Reference:
            if lane < 0:
                self.shadows.add(<Reference>operand, part)
            else:
                accumulate(self.flat(&self.c.bardot, (<Reference>operand).id, True)[lane], operand, part)
            return 0
        index = operand
        if lane < 0:
            self.c.scalar_bar[index] += <double>float(part)
        else:
            self.c.scalar_bardot[<size_t>index * self.c.wide + lane] += <double>float(part)
        return 0
