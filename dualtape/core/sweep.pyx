"""Reverse-mode differentiations, from the first variable to the adjoints."""

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy

from dualtape.core.adjoint cimport Reference
from dualtape.core.levels cimport enter, is_live, leave
from dualtape.core.node cimport DT_SMALL
from dualtape.core.objects cimport reach_of, sweep_objects
from dualtape.core.passes cimport SHORT, begin, end, piece_with_arrays, sweep_reverse
from dualtape.core.pool cimport give_scratch, give_tape, take_scratch, take_tape
from dualtape.core.shadows cimport Shadows, reference_of, sweep_call
from dualtape.core.tape cimport DT_BLOCK_BITS, DT_INPUT, DT_MASK, DT_STATE_CLOSED, Tape, Var, dt_block, dt_tape
from dualtape.core.traced cimport Traced, as_number, has_complex_core
from dualtape.core.values cimport level_of, plain_of
from dualtape.core.view cimport View, shape_of

from dualtape.core import directions as several
from dualtape.core.adjoint import adjoint_view
from dualtape.core.assign import leaf_array, leaf_of_scalars
from dualtape.core.hooks import HOOKS
from dualtape.core.strict import is_strict
from dualtape.errors import InputError, complex_result, escaped, no_memory, not_scalar

cnp.import_array()

cdef object FLOAT64 = np.dtype(np.float64)


cdef int sweep_with_arrays(Tape tape, double *bar, uint32_t size, Shadows shadows, bint last) except -1:
    """The native sweep, with nodes on arrays between: those in C, and those that Python does. The `last` one lets go of
    large primals when it has passed the nodes that read them."""
    cdef uint32_t i = size, stop
    cdef int strict = is_strict()
    cdef int64_t place
    cdef dt_block *block
    cdef dt_tape now = begin(tape)
    try:
        while i > 0:
            stop = i - SHORT if i > SHORT else 0
            if last and tape.large:
                while tape.large and <uint32_t>tape.large[len(tape.large) - 1][0] >= i:
                    tape.large.pop()
                if tape.large:
                    stop = max(stop, <uint32_t>tape.large[len(tape.large) - 1][0])
            with nogil:
                place = piece_with_arrays(&now, bar, i, stop, strict, &shadows.c)
            if shadows.c.failed:
                raise no_memory(tape.t.size, tape.held(), 0)
            if place >= 0:
                block = tape.t.blocks[place >> DT_BLOCK_BITS]
                sweep_call(tape.records[block.a[place & DT_MASK]], shadows, bar, <uint32_t>place)
                if last:
                    tape.records[block.a[place & DT_MASK]] = None
                i = <uint32_t>place
            else:
                i = stop
                PyErr_CheckSignals()
    finally:
        end(tape)
    return 0


def adjoints(Tape tape, list outputs, list cotangents, list inputs, bint last=False):
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
    last : bool
        Whether the tape will not be swept again, so that memory may be returned on the way.

    Returns
    -------
    list
        Floats and ndarrays, or values of outer differentiations; zero where nothing depends on the variable.
    """
    cdef uint32_t size = 0
    cdef double *bar
    cdef bint native = not tape.boxed
    cdef Shadows shadows
    if tape.t.state == DT_STATE_CLOSED:
        raise escaped()
    size = reach_of(tape, outputs)
    for cotangent in cotangents:
        native = native and (type(cotangent) is float or type(cotangent) is int or type(cotangent) is np.ndarray)
    shadows = Shadows(tape, not native) if tape.t.arrays else None
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
            sweep_with_arrays(tape, bar, size, shadows, last)
        else:
            sweep_reverse(tape, bar, size)
        return [bar[<uint32_t>x] if type(x) is int else input_adjoint(shadows, x, None) for x in inputs]
    finally:
        give_scratch(bar)


cdef bint covers_in_c_order(View g):
    """Whether a view's elements lie in C order without gaps."""
    cdef Py_ssize_t step = 1
    cdef int k
    for k in range(g.nd - 1, -1, -1):
        if g.shape_[k] != 1 and g.step_[k] != step:
            return False
        step *= g.shape_[k]
    return True


cdef object input_adjoint(Shadows shadows, object x, object bar):
    """The adjoint of a variable, for the caller to keep."""
    cdef uint32_t id
    cdef View g
    if type(x) is int:
        return 0.0 if bar is None else bar
    id = (<Reference>x).id
    g = (<Reference>x).shape_source
    dtype = shadows.dtype_of(id)
    if (shadows.native(id) and shadows.c.bar[id] != NULL and g.size <= DT_SMALL and dtype is FLOAT64
            and covers_in_c_order(g)):
        out = cnp.PyArray_SimpleNew(g.nd, <cnp.npy_intp *>g.shape_, cnp.NPY_FLOAT64)
        memcpy(cnp.PyArray_DATA(out), shadows.c.bar[id] + g.offset, 8 * g.size)
        shadows.c.bar[id] = NULL if shadows.c.size[id] <= DT_SMALL else shadows.c.bar[id]
        return out
    flat = shadows.taken(id)
    if flat is None:
        return np.zeros(shape_of((<Reference>x).shape_source), dtype=dtype)
    view = adjoint_view(flat, x)
    if isinstance(view, View):
        return plain_of(view).copy() if level_of(view) == 0 else view
    return view if cnp.PyArray_IS_C_CONTIGUOUS(view) or cnp.PyArray_IS_F_CONTIGUOUS(view) else view.copy()


cdef object own_output(Tape tape, object out):
    """What a function returned, as a Var of this tape or as a number that is constant to it."""
    if isinstance(out, View):
        if (<View>out).store.level > tape.level and level_of(out) > tape.level:
            raise escaped()
        if (<View>out).store.level == 0:
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
    if number is None:
        return HOOKS["boxed_output"](tape, out)
    if isinstance(out, (bool, np.bool_)):
        return None
    if number is not out and isinstance(number, Traced):
        return own_output(tape, number)
    if isinstance(getattr(number, "nominal_value", None), Traced):
        raise InputError("the function returned a number with an uncertainty around a traced value. Put the traced "
                         "value on the left of the operator (x * u, not u * x), or differentiate with respect to it")
    return number


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

    def box(self, x):
        """A new independent variable that is an object of any kind: an array of another library."""
        return self.tape.box(DT_INPUT, 0, x)

    def array(self, x):
        """A new independent array, over a copy of `x`: its VarArray, and the reference of its adjoint."""
        return leaf_array(self.tape, x)

    def scalars(self, x):
        """A new independent array of float64 whose elements are scalar variables too: as `array`."""
        return leaf_of_scalars(self.tape, x)

    def freeze(self):
        """Record nothing more."""
        self.tape.freeze()

    def output(self, out):
        """`out` as a Var of this recording or a number that does not depend on it; None where it is no number."""
        return own_output(self.tape, out)

    def owns(self, x):
        """Whether `x` is a Var or a VarArray of this recording."""
        if isinstance(x, View):
            return (<View>x).store.tape is self.tape
        return isinstance(x, Var) and (<Var>x).owner == <PyObject *>self.tape

    def adjoints(self, outputs, cotangents, inputs, last=False):
        """Adjoints of variables: see `adjoints`."""
        return adjoints(self.tape, outputs, cotangents, inputs, last)

    def keep_all(self):
        """Let nodes keep what their tangents read, for `second` and `tangents` to follow."""
        self.tape.keeps_all = True

    def tangents(self, inputs, outputs, directions=None):
        """Jacobian-vector products: see `directions.tangents`."""
        return several.tangents(self.tape, inputs, outputs, directions)

    def cotangents(self, inputs, outputs, weights=None):
        """Vector-Jacobian products: see `directions.cotangents`."""
        return several.cotangents(self.tape, inputs, outputs, weights)

    def second(self, inputs, output, directions=None):
        """Hessian-vector products: see `directions.second`."""
        return several.second(self.tape, inputs, output, directions)

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
            if out is None:
                raise not_scalar(kind)
            if has_complex_core(out):
                raise complex_result()
            if not isinstance(out, Var) or (<Var>out).owner != <PyObject *>tape:
                if isinstance(out, (np.ndarray, View)) and out.ndim == 0:
                    if isinstance(out, View) and (<View>out).store.tape is tape:
                        return out.value[()], adjoints(tape, [out], [np.ones((), out.dtype)], [0])[0]
                elif isinstance(out, (np.ndarray, View)):
                    raise not_scalar(kind)
                return out, 0.0
            return out.value, adjoints(tape, [out], [HOOKS["seed"](out.value)], [0])[0]
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
