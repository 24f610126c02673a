# cython: c_api_binop_methods=True
"""Forward mode's numbers: Dual, a primal with its tangents, and BoxedDual, the same for numbers of any kind."""

import numpy as np

from cpython.float cimport PyFloat_AS_DOUBLE
from cpython.object cimport PyTypeObject, destructor, newfunc
from cpython.ref cimport PyObject
from libc.math cimport isfinite

from dualtape.core.kernels cimport (
    DT_ABS, DT_ADD, DT_CONSTANT, DT_DIV, DT_MUL, DT_NEG, DT_POW, DT_SUB, rows,
)
from dualtape.core.levels cimport STEP
from dualtape.core.traced cimport (
    Traced, apply, as_number, binary, compare, compare_doubles, level_by_hand, partial, power, require_special,
)

from dualtape.core.strict import is_strict
from dualtape.core.traced import unhashable
from dualtape.errors import InputError, conversion

cdef extern from *:
    """
    /* Duals are born and die once for each operation: those of up to INLINE_PARTIALS tangents are kept for reuse. */
    enum { DT_KEPT_DUALS = 512 };
    static PyObject *dt_kept_duals[DT_KEPT_DUALS];
    static int dt_n_kept_duals = 0;

    /* A Dual as C sees it; the module checks at import that this is how Cython lays it out. */
    typedef struct {
        PyObject_HEAD
        unsigned long long level;
        double primal;
        unsigned int n;
        double partial_[8];
    } dt_dual;

    static inline dt_dual *dt_new_dual(PyTypeObject *type, unsigned long long level, unsigned int n, double primal) {
        PyObject *o;
        if (n <= 8 && dt_n_kept_duals > 0) {
            o = dt_kept_duals[--dt_n_kept_duals];
            Py_SET_REFCNT(o, 1);
        } else {
            o = (PyObject *)PyObject_Malloc(sizeof(dt_dual) + (n > 8 ? (size_t)(n - 8) * sizeof(double) : 0));
            if (!o) return (dt_dual *)PyErr_NoMemory();
            PyObject_Init(o, type);
        }
        dt_dual *x = (dt_dual *)o;
        x->level = level;
        x->n = n;
        x->primal = primal;
        return x;
    }
    #define dt_as_dual(x) ((void *)(x))

    static inline void dt_give_dual(PyObject *o, unsigned int n, unsigned int inline_n) {
        if (n <= inline_n && dt_n_kept_duals < DT_KEPT_DUALS)
            dt_kept_duals[dt_n_kept_duals++] = o;
        else
            PyObject_Free(o);
    }
    """
    ctypedef struct dt_dual:
        unsigned long long level
        double primal
        unsigned int n
        double *partial_
    dt_dual *dt_new_dual(PyTypeObject *type, unsigned long long level, unsigned int n, double primal) except NULL
    Dual dt_as_dual(dt_dual *x)
    size_t dt_sizeof_dual "sizeof(dt_dual)"
    void dt_give_dual(PyObject *o, unsigned int n, unsigned int inline_n) noexcept

cdef extern from "arithmetic.h" nogil:
    double dt_arithmetic(int row, double x, double y)
    double dt_arithmetic_dx(int row, double x, double y, double out)
    double dt_arithmetic_dy(int row, double x, double y, double out)
    double dt_times(double w, double d, int strict)


cdef inline Dual fresh(unsigned long long level, unsigned int n, double value):
    return dt_as_dual(dt_new_dual(<PyTypeObject *>Dual, level, n, value))


# [chain]
# One argument: partial_(out) = d_x partial_(x). Two: the sum of both. A factor that is exactly zero makes its product
# zero whatever the other is, which only matters where the sum came out NaN: then it is done again with care.

cdef inline Dual chain(Dual x, double value, double dx):
    cdef dt_dual *out = dt_new_dual(<PyTypeObject *>Dual, x.level, x.n, value)
    cdef unsigned int i
    cdef double *r = out.partial_
    cdef double *p = x.partial_
    cdef double total = 0.0
    if x.n == 1:
        total = r[0] = dx * p[0]
    else:
        for i in range(x.n):
            r[i] = dx * p[i]
            total += r[i] * 0.0
    if total != total:
        careful(r, x, dx, None, 0.0)
    return dt_as_dual(out)


cdef inline Dual chain2(Dual x, Dual y, double value, double dx, double dy):
    cdef dt_dual *out = dt_new_dual(<PyTypeObject *>Dual, x.level, x.n, value)
    cdef unsigned int i
    cdef double *r = out.partial_
    cdef double *p = x.partial_
    cdef double *q = y.partial_
    cdef double total = 0.0
    if x.n == 1:
        total = r[0] = dx * p[0] + dy * q[0]
    else:
        for i in range(x.n):
            r[i] = dx * p[i] + dy * q[i]
            total += r[i] * 0.0
    if total != total:
        careful(r, x, dx, y, dy)
    return dt_as_dual(out)
# [/chain]


cdef void careful(double *r, Dual x, double dx, Dual y, double dy) noexcept:
    """The chain rule with 0 * inf = 0, unless IEEE is asked for."""
    cdef unsigned int i
    cdef int strict = is_strict()
    for i in range(x.n):
        r[i] = dt_times(dx, x.partial_[i], strict)
        if y is not None:
            r[i] += dt_times(dy, y.partial_[i], strict)


cdef inline bint same(object a, object b):
    """Whether two exact Duals belong to one differentiation."""
    return (<Dual>a).level == (<Dual>b).level and (<Dual>a).n == (<Dual>b).n


cdef inline object arithmetic(object a, object b, const int row):
    """One of + - * /, inlined for each. A zero divisor goes the slow way, which raises."""
    cdef double x, y, out
    if type(a) is Dual:
        x = (<Dual>a).primal
        if type(b) is Dual:
            y = (<Dual>b).primal
            if same(a, b) and (row != DT_DIV or y != 0.0):
                out = dt_arithmetic(row, x, y)
                return chain2(<Dual>a, <Dual>b, out, dt_arithmetic_dx(row, x, y, out), dt_arithmetic_dy(row, x, y, out))
        elif type(b) is float:
            y = PyFloat_AS_DOUBLE(b)
            if row != DT_DIV or y != 0.0:
                out = dt_arithmetic(row, x, y)
                return chain(<Dual>a, out, dt_arithmetic_dx(row, x, y, out))
    elif type(a) is float and type(b) is Dual:
        x = PyFloat_AS_DOUBLE(a)
        y = (<Dual>b).primal
        if row != DT_DIV or y != 0.0:
            out = dt_arithmetic(row, x, y)
            return chain(<Dual>b, out, dt_arithmetic_dy(row, x, y, out))
    return slow(row, a, b)


cdef object slow(int row, object a, object b):
    """An operator whose operands are not two Duals of one level or a Dual and a float: ints first, then anything."""
    cdef double c
    cdef double d[3]
    cdef double value
    if type(a) is Dual and type(b) is int:
        c = b
        if row != DT_DIV or c != 0.0:
            value = rows[row].value((<Dual>a).primal, c, 0.0)
            rows[row].partials((<Dual>a).primal, c, 0.0, value, d)
            return chain(<Dual>a, value, d[0])
    elif type(b) is Dual and type(a) is int:
        if row != DT_DIV or (<Dual>b).primal != 0.0:
            c = a
            value = rows[row].value(c, (<Dual>b).primal, 0.0)
            rows[row].partials(c, (<Dual>b).primal, 0.0, value, d)
            return chain(<Dual>b, value, d[1])
    return binary(row, a, b)


cdef object call_unary_dual(int row, Dual x):
    """A row of one argument at a native Dual."""
    cdef double value
    cdef double d[3]
    if type(x) is not Dual:
        return apply(row, (x,))
    require_special(row)
    value = rows[row].value(x.primal, 0.0, 0.0)
    if rows[row].flags & DT_CONSTANT:
        return value
    rows[row].partials(x.primal, 0.0, 0.0, value, d)
    return chain(x, value, d[0])


cdef class Dual(Traced):
    """A number with tangents: value + sum_i partials[i] eps_i, where eps_i eps_j = 0.

    Parameters
    ----------
    value : number
        The primal. With int and float the Dual computes in float64; any other number (a Fraction, a complex, another
        Dual) keeps its kind.
    *partials : number
        The tangents, at least one.

    Attributes
    ----------
    value : number
        The primal.
    partials : tuple
        The tangents.

    Notes
    -----
    Duals are immutable; threads may share them. All Duals that one makes oneself outside of any differentiation
    belong together: their tangents are along the same directions. So do those made within one differentiation, apart
    from those made outside of it. A differentiation that starts later takes them for the constants that they are to
    it.

    Examples
    --------
    >>> import dualtape as dt
    >>> x = dt.Dual(3.0, 1.0)
    >>> x * x + 2.0
    Dual(11.0, 6.0)
    >>> dt.sin(dt.Dual(0.0, 1.0, 2.0)).partials
    (1.0, 2.0)
    """

    @property
    def value(self):
        return self.primal

    @property
    def partials(self):
        cdef unsigned int i
        return tuple([self.partial_[i] for i in range(self.n)])

    def __repr__(self):
        return f"Dual({', '.join([repr(x) for x in (self.value, *self.partials)])})"

    def __reduce_ex__(self, protocol):
        if self.level & (STEP - 2) == 0 and self.level != 0:
            raise conversion("pickling", "The level of a running differentiation means nothing elsewhere. Pickle "
                             "dt.stop_gradient(x), the plain number.")
        return Dual, (self.value, *self.partials)

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
        cdef double d[3]
        if type(a) is Dual and (type(b) is int or type(b) is float) and modulus is None:
            c = b
            value = rows[DT_POW].value((<Dual>a).primal, c, 0.0)
            if isfinite(value):  # zero, complex and overflow go the slow way
                rows[DT_POW].partials((<Dual>a).primal, c, 0.0, value, d)
                return chain(<Dual>a, value, d[0])
        if modulus is not None:
            raise TypeError("pow() with a modulus needs integers; a traced value is a real number")
        return power(a, b)

    def __neg__(self):
        if type(self) is Dual:
            return chain(self, -self.primal, -1.0)
        return apply(DT_NEG, (self,))

    def __abs__(self):
        return call_unary_dual(DT_ABS, self)

    def __hash__(self):
        raise unhashable()

    def __richcmp__(a, b, int op):
        if type(a) is Dual:
            if type(b) is Dual:
                if same(a, b):
                    return compare_doubles((<Dual>a).primal, (<Dual>b).primal, op)
            elif type(b) is float:
                return compare_doubles((<Dual>a).primal, PyFloat_AS_DOUBLE(b), op)
        return compare(a, b, op)

    def _linear_part(self, function):
        """Real part, imaginary part, conjugate: linear over the reals, so each tangent has its own."""
        return make(self.level, function(self.value), tuple([function(t) for t in self.partials]))

    def _apply(self, int row, tuple args):
        """A row whose highest level is this Dual's."""
        cdef double x[3]
        cdef double d[3]
        cdef int k, n = len(args)
        cdef unsigned int width = self.n, i
        cdef double value
        cdef bint native = True
        x[0] = x[1] = x[2] = 0.0
        for arg in args:
            if isinstance(arg, Dual) and (<Dual>arg).level == self.level:
                if (<Dual>arg).n != width:
                    raise InputError(f"Duals with {width} and {(<Dual>arg).n} partials do not mix: their tangents "
                                     "belong to different directions")
                native = native and type(arg) is Dual
            else:
                native = native and (type(arg) is float or type(arg) is int)
        if not native:
            return apply_boxed(self, row, args)
        for k in range(n):
            x[k] = (<Dual>args[k]).primal if type(args[k]) is Dual else args[k]
        require_special(row)
        value = rows[row].value(x[0], x[1], x[2])
        if rows[row].flags & DT_CONSTANT:
            return value
        rows[row].partials(x[0], x[1], x[2], value, d)
        cdef Dual out = fresh(self.level, width, value)
        cdef int strict = is_strict()
        for i in range(width):
            out.partial_[i] = 0.0
        for k in range(n):
            if type(args[k]) is Dual:
                for i in range(width):
                    out.partial_[i] += dt_times(d[k], (<Dual>args[k]).partial_[i], strict)
        return out


cdef object apply_boxed(Dual top, int row, tuple args):
    """A row at Duals of one level whose primals or tangents, or another operand, are Python objects."""
    cdef unsigned long long level = top.level
    cdef int k, n = len(args)
    cdef tuple primals = tuple([arg.value if isinstance(arg, Dual) and (<Dual>arg).level == level else arg
                                for arg in args])
    out = apply(row, primals)
    if rows[row].flags & DT_CONSTANT:
        return out
    tangents = [None] * top.n
    for k in range(n):
        arg = args[k]
        if isinstance(arg, Dual) and (<Dual>arg).level == level:
            slope = None
            for i, tangent in enumerate(arg.partials):
                if is_plain_zero(tangent):
                    continue
                if slope is None:
                    slope = partial(row, k, primals, out)
                if is_plain_zero(slope):
                    break
                term = slope * tangent
                tangents[i] = term if tangents[i] is None else tangents[i] + term
    return make(level, out, tuple([0 if t is None else t for t in tangents]))


cdef bint is_plain_zero(object x) except -1:
    """A zero that no level's perturbation hides behind."""
    if isinstance(x, Dual):
        return x.value == 0 and is_plain_zero(x.value) and all([is_plain_zero(t) for t in x.partials])
    return (type(x) is float or type(x) is int or type(x) is complex) and x == 0 and not is_strict()


cdef object make(unsigned long long level, object value, tuple tangents):
    """A Dual of any kind, native where all its numbers are floats."""
    cdef Dual out
    cdef BoxedDual box
    cdef unsigned int i
    cdef bint native = type(value) is float
    for t in tangents:
        native = native and (type(t) is float or type(t) is int)
    if native:
        out = fresh(level, len(tangents), value)
        for i in range(out.n):
            out.partial_[i] = tangents[i]
        return out
    box = BoxedDual.__new__(BoxedDual)
    box.level = level
    box.n = len(tangents)
    box.boxed = value
    box.tangents = tangents
    return box


cdef class BoxedDual(Dual):
    """A Dual whose primal or tangents are Python objects."""

    @property
    def value(self):
        return self.boxed

    @property
    def partials(self):
        return self.tangents


def make_dual(level, value, partials):
    """A Dual of a given level: what forward-mode operators start from."""
    return make(level, value, tuple(partials))


cdef Dual seed(unsigned long long level, double x):
    """A variable: its only tangent is 1."""
    cdef Dual out = fresh(level, 1, x)
    out.partial_[0] = 1.0
    return out


# --- the type's slots ------------------------------------------------------------------------------------------------

cdef object new_dual(PyTypeObject *kind, PyObject *args, PyObject *kwargs):
    """Dual(value, *partials): the object's size depends on the number of partials, which Cython's own `__new__` does
    not provide for."""
    if kind != <PyTypeObject *>Dual:
        raise TypeError("Dual cannot be subclassed: derive a number type of your own from numbers.Real and let it "
                        "hold Duals")
    if kwargs != NULL and <object>kwargs:
        raise TypeError("Dual() takes no keyword arguments")
    numbers = []
    for arg in <tuple>args:
        number = as_number(arg)
        if number is None or isinstance(arg, (bool, np.bool_)):
            raise InputError(f"Dual() needs numbers, not {type(arg).__name__!r}")
        numbers.append(number)
    if len(numbers) < 2:
        raise TypeError("Dual() needs a value and at least one partial: Dual(1.0, 2.0)")
    if all([type(x) is float or type(x) is int for x in numbers]):
        numbers = [float(x) for x in numbers]
    return make(level_by_hand(tuple(numbers)), numbers[0], tuple(numbers[1:]))


cdef void free_dual(PyObject *o) noexcept:
    dt_give_dual(o, (<Dual>o).n, INLINE_PARTIALS)


if (<PyTypeObject *>Dual).tp_basicsize != <Py_ssize_t>dt_sizeof_dual:
    raise ImportError("dualtape's modules were built with a Cython that lays out classes otherwise: build them again")
(<PyTypeObject *>Dual).tp_new = <newfunc><void *>new_dual
(<PyTypeObject *>BoxedDual).tp_new = <newfunc><void *>new_dual
(<PyTypeObject *>Dual).tp_dealloc = <destructor><void *>free_dual
