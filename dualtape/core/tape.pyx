# cython: c_api_binop_methods=True
"""Reverse mode's numbers: Tape, the recorded program, and Var, the handle of one scalar on it."""

import numpy as np

cimport numpy as cnp
from cpython.float cimport PyFloat_AS_DOUBLE
from cpython.object cimport PyTypeObject, destructor, newfunc
from cpython.ref cimport PyObject, Py_INCREF, Py_XDECREF
from libc.math cimport NAN, isfinite

from dualtape.core.kernels cimport (
    DT_ABS, DT_ADD, DT_CEIL, DT_CONSTANT, DT_DIV, DT_FLOOR, DT_MUL, DT_NEG, DT_POW, DT_ROUND, DT_SUB,
    DT_TRUNC, rows,
)
from dualtape.core.levels cimport new_level
from dualtape.core.traced cimport (
    Traced, apply, as_number, binary, compare, compare_doubles, innermost, power, require_special,
)

from dualtape.core.traced import (
    conjugate_of, imaginary_part, pull_conjugate, pull_imaginary, pull_real, real_part, unhashable,
)
from dualtape.errors import InputError, escaped, no_memory, tape_full

cdef extern from "var.h":
    Var dt_new_var(PyTypeObject *type, PyObject *tape, unsigned long long level, uint32_t index, double primal)
    size_t dt_sizeof_var "sizeof(dt_var)"
    void dt_give_var(PyObject *o) noexcept

cdef extern from "arithmetic.h" nogil:
    double dt_arithmetic(int row, double x, double y)

cnp.import_array()
cdef dict BYTES = {np.dtype(np.float64): 8, np.dtype(np.float32): 4, np.dtype(np.complex128): 16}  # native adjoints

# Integers up to here are floats exactly; comparisons with larger ones are Python's.
cdef long long EXACT = 1LL << 53


# --- recording -------------------------------------------------------------------------------------------------------

cdef int refuse(Tape tape, int code) except -1:
    """Raise for a node that could not be recorded."""
    if code == DT_CLOSED:
        raise escaped()
    if code == DT_FULL:
        raise tape_full(tape.t.size)
    raise no_memory(tape.t.size, tape.held(), (1 << DT_BLOCK_BITS) * 18)


cdef inline Var record(PyObject *tape, uint32_t op, uint32_t a, uint32_t b, double value):
    cdef int code = dt_room(&(<Tape>tape).t)
    if code != DT_OK:
        refuse(<Tape>tape, code)
    return dt_new_var(<PyTypeObject *>Var, tape, (<Tape>tape).level, dt_append(&(<Tape>tape).t, op, a, b, value), value)


cdef inline uint32_t constant(PyObject *tape, double c) except? 0xFFFFFFFF:
    """The place of a constant in the tape's pool."""
    cdef uint32_t place = 0
    cdef int code = dt_room(&(<Tape>tape).t)
    if code == DT_OK:
        code = dt_constant(&(<Tape>tape).t, c, &place)
    if code != DT_OK:
        refuse(<Tape>tape, code)
    return place


cdef inline Var record_right(Var x, uint32_t row, double c, double value):
    """row(x, c) with a constant on the right."""
    return record(x.owner, 4 * row + DT_B_CONSTANT, x.index, constant(x.owner, c), value)


cdef inline Var record_left(double c, uint32_t row, Var y, double value):
    """row(c, y) with a constant on the left."""
    return record(y.owner, 4 * row + DT_A_CONSTANT, constant(y.owner, c), y.index, value)


cdef int guard(Var x, uint32_t op, uint32_t b, double value) except -1:
    """Record a decision: the condition under which a replay is valid."""
    cdef int code = dt_room(&(<Tape>x.owner).t)
    if code != DT_OK:
        refuse(<Tape>x.owner, code)
    dt_append(&(<Tape>x.owner).t, op, x.index, b, value)
    return 0


cdef inline object arithmetic(object a, object b, const uint32_t row):
    """One of + - * /, inlined for each. A zero divisor goes the slow way, which raises."""
    cdef double x, y
    if type(a) is Var:
        x = (<Var>a).primal
        if type(b) is Var:
            y = (<Var>b).primal
            if (<Var>a).owner == (<Var>b).owner and (row != DT_DIV or y != 0.0):
                return record((<Var>a).owner, 4 * row, (<Var>a).index, (<Var>b).index, dt_arithmetic(row, x, y))
        elif type(b) is float:
            y = PyFloat_AS_DOUBLE(b)
            if row != DT_DIV or y != 0.0:
                return record_right(<Var>a, row, y, dt_arithmetic(row, x, y))
    elif type(a) is float and type(b) is Var:
        y = (<Var>b).primal
        if row != DT_DIV or y != 0.0:
            x = PyFloat_AS_DOUBLE(a)
            return record_left(x, row, <Var>b, dt_arithmetic(row, x, y))
    return slow(row, a, b)


cdef object slow(int row, object a, object b):
    """An operator whose operands are not two Vars of one tape or a Var and a float: ints first, then anything."""
    cdef double c
    if type(a) is Var and type(b) is int:
        c = b
        if row != DT_DIV or c != 0.0:
            return record_right(<Var>a, row, c, rows[row].value((<Var>a).primal, c, 0.0))
    elif type(b) is Var and type(a) is int:
        if row != DT_DIV or (<Var>b).primal != 0.0:
            c = a
            return record_left(c, row, <Var>b, rows[row].value(c, (<Var>b).primal, 0.0))
    return binary(row, a, b)


cdef object call_unary(int row, Var x):
    """A row of one argument at a native Var."""
    if type(x) is not Var:
        return apply(row, (x,))
    require_special(row)
    cdef double value = rows[row].value(x.primal, 0.0, 0.0)
    if rows[row].flags & DT_CONSTANT:
        guard(x, 4 * row, 0, value)
        return value
    return record(x.owner, 4 * row, x.index, 0, value)


cdef class Tape:
    """A recorded program: the operations done on its variables, in order of execution.

    ``dt.gradient`` and its kin make, use and close tapes by themselves; a Tape of one's own serves programs that
    record in pieces. There is no active tape: an operation is recorded on the tape of its operands.

    Attributes
    ----------
    level : int
        The level of the differentiation, odd for tapes.
    nbytes : int
        Bytes that the recorded nodes and constants take.

    Examples
    --------
    >>> import dualtape as dt
    >>> tape = dt.Tape()
    >>> x = tape.variable(3.0)
    >>> y = x * x + 1.0
    >>> tape.gradient(y, [x])
    [6.0]
    >>> len(tape)
    3
    >>> tape.close()
    """

    def __cinit__(self):
        dt_tape_init(&self.t)
        self.level = new_level(False)

    def __dealloc__(self):
        dt_tape_close(&self.t)

    def __len__(self):
        return self.t.size

    def __repr__(self):
        state = ("open", "frozen", "closed")[self.t.state]
        return f"<Tape: {self.t.size} operations, {state}>"

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __reduce__(self):
        raise TypeError("a Tape belongs to this process and cannot be pickled; pickle the function and its inputs")

    @property
    def nbytes(self):
        return dt_tape_bytes(&self.t)

    def variable(self, x):
        """A new independent variable.

        Parameters
        ----------
        x : number
            Its value: an int or a float becomes a native Var; any other number (a Fraction, a complex, a value of
            another differentiation) keeps its kind.

        Returns
        -------
        Var
        """
        if type(x) is float or type(x) is int:
            return record(<PyObject *>self, DT_INPUT, 0, 0, x)
        number = as_number(x)
        if number is None or isinstance(x, (bool, np.bool_)):
            raise InputError(f"a variable must be a number, not {type(x).__name__!r}")
        if type(number) is float or type(number) is int:
            return record(<PyObject *>self, DT_INPUT, 0, 0, number)
        return self.box(DT_INPUT, 0, number)

    cdef void settle(self) noexcept:
        dt_tape_settle(&self.t)  # the last sweep has ended

    cdef size_t held(self) noexcept:
        return dt_tape_held(&self.t)  # whole blocks counted

    cdef void forget(self) noexcept:
        self.records = None
        self.dtypes = self.scalars = None
        self.kept = self.large = None
        self.chunk = None
        self.room_left = 0
        self.boxed = self.keeps_all = False

    cdef void rest(self) noexcept:
        self.forget()
        dt_tape_rest(&self.t)

    cdef void wake(self) noexcept:
        """Open again after a rest, at a new level."""
        dt_tape_rewind(&self.t)
        self.level = new_level(False)

    cdef Var box(self, uint32_t op, uint32_t place, object value):
        """A node with a Python object as its primal."""
        cdef uint32_t index = record(<PyObject *>self, op, place, 0, NAN).index
        cdef BoxedVar out = BoxedVar.__new__(BoxedVar)
        Py_INCREF(self)
        out.owner = <PyObject *>self
        out.level = self.level
        out.primal = NAN
        out.index = index
        out.boxed = value
        self.boxed = True
        return out

    def append(self, entry, value):
        """Record a boxed node, of a primal: a Var. What the sweep needs is ``(row, indices, primals, value)`` for a
        row of the table, an index being -1 for a constant; or ``(-1, indices, primals, pull)`` with ``pull(bar)``
        giving the contributions to each operand."""
        if self.t.state != DT_STATE_OPEN:
            raise escaped()
        if self.records is None:
            self.records = []
        self.records.append(entry)
        self.boxed = True
        if type(value) is float:
            return record(<PyObject *>self, DT_BOXED, len(self.records) - 1, 0, value)
        return self.box(DT_BOXED, len(self.records) - 1, value)

    cpdef uint32_t new_shadow(self, Py_ssize_t size, object dtype) except? 0xFFFFFFFF:
        """Room for the adjoint of an array: its number."""
        cdef Py_ssize_t bytes = BYTES.get(dtype, 0)
        cdef uint32_t id = new_native_shadow(self, (bytes * size + 7) // 8 if bytes else -1 - size)
        if bytes != 8:
            self.t.arrays |= 4
            self.dtypes = self.dtypes or {}
            self.dtypes[id] = dtype
        return id

    cdef int keep(self, object array) except -1:
        """Keep the memory of an array as long as the program."""
        if self.kept is None:
            self.kept = []
        self.kept.append(array)
        return 0

    cdef double *small(self, Py_ssize_t n) except NULL:
        """Memory for the numbers of a small array, within `chunk`."""
        n += n == 0
        if n > self.room_left:
            self.chunk = np.empty(4096)
            self.keep(self.chunk)
            self.room = <double *>cnp.PyArray_DATA(self.chunk)
            self.room_left = 4096
        cdef double *p = self.room
        self.room += n
        self.room_left -= n
        return p

    cdef void *node_room(self, size_t bytes) except NULL:
        """Memory for a node on arrays."""
        cdef void *p = dt_tape_room(&self.t, bytes)
        if p == NULL:
            raise no_memory(self.t.size, self.held(), bytes)
        return p

    def call(self, entry, value):
        """Record a node on arrays that the sweep does in Python, a Call. `value` is its primal where the result is a
        scalar, which is given back as a Var, else None."""
        if self.t.state != DT_STATE_OPEN:
            raise escaped()
        if self.records is None:
            self.records = []
        self.records.append(entry)
        self.t.arrays |= 2
        if value is None:
            append_node(self, DT_CALL, len(self.records) - 1, 0, NAN)
            return None
        if type(value) is float:
            return record(<PyObject *>self, DT_CALL, len(self.records) - 1, 0, value)
        return self.box(DT_CALL, len(self.records) - 1, value)

    def gradient(self, output, inputs):
        """The gradient of a recorded result.

        Parameters
        ----------
        output : Var or number
            A result on this tape; a plain number depends on nothing.
        inputs : sequence of Var
            With respect to which Vars of this tape.

        Returns
        -------
        list

        Raises
        ------
        InputError
            If one of them is no Var of this tape.
        """
        from dualtape.core.sweep import adjoints  # above this module

        if not isinstance(output, Traced) and as_number(output) is not None:
            return [0.0 for _ in inputs]
        for x in (output, *inputs):
            if not isinstance(x, Var) or (<Var>x).owner != <PyObject *>self:
                raise InputError(f"{x!r} is no variable of this tape")
        return adjoints(self, [output], [1.0], [(<Var>x).index for x in inputs])

    def freeze(self):
        """Record nothing more, but stay ready for sweeps."""
        dt_tape_freeze(&self.t)

    def close(self):
        """Forget the program. Using a Var of this tape raises EscapedTracerError from here on."""
        if self.t.sweeping:
            raise RuntimeError("the tape is being swept in another thread; close it afterwards")
        self.forget()
        dt_tape_close(&self.t)


cdef Var new_var(Tape tape, uint32_t op, uint32_t a, uint32_t b, double value):
    return record(<PyObject *>tape, op, a, b, value)


cdef Var handle(Tape tape, uint32_t index, double value):
    """Another handle of a node."""
    return dt_new_var(<PyTypeObject *>Var, <PyObject *>tape, tape.level, index, value)


cdef uint32_t constant_of(Tape tape, double c) except? 0xFFFFFFFF:
    return constant(<PyObject *>tape, c)


cdef int64_t append_node(Tape tape, uint32_t op, uint32_t a, uint32_t b, double value) except -1:
    cdef int code = dt_room(&tape.t)
    if code != DT_OK:
        refuse(tape, code)
    return dt_append(&tape.t, op, a, b, value)


cdef uint32_t new_native_shadow(Tape tape, Py_ssize_t size) except? 0xFFFFFFFF:
    cdef uint32_t id = 0
    cdef int code = dt_tape_shadow(&tape.t, size, &id)
    if code != DT_OK:
        refuse(tape, code)
    return id


def live():
    """What is alive, for tests of leaks: tapes that are open or frozen, and the operations recorded on them."""
    return dt_live.open_tapes, dt_open_nodes()


cdef int64_t release_blocks() noexcept:
    """Free the blocks kept for reuse; gives their bytes."""
    cdef int64_t held = dt_live.pooled_bytes
    dt_pool_release()
    return held


cdef class Var(Traced):
    """Handle of one scalar on a tape, with its primal.

    Vars come from :meth:`Tape.variable` and from arithmetic with other Vars; they behave as Python floats.

    Attributes
    ----------
    value : float
        The primal.

    Notes
    -----
    A Var keeps its tape's object alive, not the recorded program: using a Var after its differentiation has ended
    raises EscapedTracerError. Several threads may record on one tape; the order of their nodes is that of execution.
    """

    def __dealloc__(self):
        Py_XDECREF(self.owner)

    @property
    def value(self):
        return self.primal

    @property
    def _index(self):
        return int(self.index)

    @property
    def tape(self):
        """The tape that the value lies on."""
        return <Tape>self.owner

    def __repr__(self):
        return f"Var({self.value!r})"

    def __add__(a, b):
        return arithmetic(a, b, DT_ADD)

    def __sub__(a, b):
        return arithmetic(a, b, DT_SUB)

    def __mul__(a, b):
        return arithmetic(a, b, DT_MUL)

    def __truediv__(a, b):
        return arithmetic(a, b, DT_DIV)

    def __pow__(a, b, modulus):
        cdef double c, value
        if type(a) is Var and (type(b) is int or type(b) is float) and modulus is None:
            c = b
            value = rows[DT_POW].value((<Var>a).primal, c, 0.0)
            if isfinite(value):  # zero, complex and overflow go the slow way
                return record_right(<Var>a, DT_POW, c, value)
        if modulus is not None:
            raise TypeError("pow() with a modulus needs integers; a traced value is a real number")
        return power(a, b)

    def __neg__(self):
        if type(self) is Var:
            return record(self.owner, 4 * DT_NEG, self.index, 0, -self.primal)
        return apply(DT_NEG, (self,))

    def __abs__(self):
        return call_unary(DT_ABS, self)

    def __hash__(self):
        raise unhashable()

    def __richcmp__(a, b, int op):
        cdef bint outcome
        cdef double c
        if type(a) is Var:
            if type(b) is Var:
                if (<Var>a).owner == (<Var>b).owner:
                    outcome = compare_doubles((<Var>a).primal, (<Var>b).primal, op)
                    guard(<Var>a, DT_COMPARE + 4 * op, (<Var>b).index, outcome)
                    return outcome
            elif type(b) is float or (type(b) is int and -EXACT <= b <= EXACT):
                c = b
                outcome = compare_doubles((<Var>a).primal, c, op)
                guard(<Var>a, DT_COMPARE + 4 * op + DT_B_CONSTANT, constant((<Var>a).owner, c), outcome)
                return outcome
        return compare(a, b, op)

    def __bool__(self):
        if type(self) is not Var:
            return bool(self.value)
        cdef bint outcome = self.primal != 0.0
        guard(self, DT_COMPARE + 4 * 3 + DT_B_CONSTANT, constant(self.owner, 0.0), outcome)  # 3: Py_NE
        return outcome

    def __int__(self):
        return int(self._plain(DT_TRUNC))

    def __trunc__(self):
        return int(self._plain(DT_TRUNC))

    def __floor__(self):
        return int(self._plain(DT_FLOOR))

    def __ceil__(self):
        return int(self._plain(DT_CEIL))

    def __round__(self, ndigits=None):
        if ndigits is None:
            return int(self._plain(DT_ROUND))
        return round(self._pin(), ndigits)

    def _plain(self, int row):
        """A piecewise constant row as a plain number, recorded as a guard."""
        return innermost(apply(row, (self,)))

    def _pin(self):
        """The primal as a plain number, recorded as a guard while the tape is open."""
        if type(self) is Var and (<Tape>self.owner).t.state == DT_STATE_OPEN:
            guard(self, DT_PIN, 0, self.primal)
        return innermost(self)

    def _linear_part(self, function):
        """Real part, imaginary part, conjugate. With df/dx + i df/dy for the adjoint of z = x + iy, that of the real
        part flows back as it is, that of the imaginary part times i, that of the conjugate conjugated."""
        value = self.value
        pull = {real_part: pull_real, imaginary_part: pull_imaginary, conjugate_of: pull_conjugate}[function]
        return (<Tape>self.owner).append((-1, (self.index,), (value,), pull), function(value))

    def _apply(self, int row, tuple args):
        """A row whose highest level is this tape's."""
        return record_row(<Tape>self.owner, row, args)


cdef class BoxedVar(Var):
    """Handle of a number on a tape that is not a float: a value of an outer differentiation, a Fraction, a complex.

    Attributes
    ----------
    value : object
        The primal.
    """

    @property
    def value(self):
        return self.boxed


cdef void free_var(PyObject *o) noexcept:
    """Deallocation of exact Vars: drop the tape, keep the object for reuse."""
    Py_XDECREF((<Var>o).owner)
    dt_give_var(o)


cdef object refuse_new(PyTypeObject *kind, PyObject *args, PyObject *kwargs):
    raise TypeError("a Var lives on a tape: make one with dt.Tape().variable(2.0), or call dt.gradient(f, 2.0)")


if (<PyTypeObject *>Var).tp_basicsize != <Py_ssize_t>dt_sizeof_var:
    raise ImportError("dualtape's modules were built with a Cython that lays out classes otherwise: build them again")
(<PyTypeObject *>Var).tp_new = <newfunc><void *>refuse_new
(<PyTypeObject *>BoxedVar).tp_new = <newfunc><void *>refuse_new
(<PyTypeObject *>Var).tp_dealloc = <destructor><void *>free_var
