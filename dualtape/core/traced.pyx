# cython: c_api_binop_methods=True
"""Traced numbers: levels, the dispatch between them, and the number protocol that all of them share."""

import functools
import math
import numbers
import sys

from cpython.object cimport PyObject_RichCompare

cdef extern from "Python.h":
    ctypedef struct PySequenceMethods:
        void *sq_item
    ctypedef struct PyTypeObject:
        PySequenceMethods *tp_as_sequence

from dualtape.core.kernels cimport rows, load_special, DT_NEEDS_SCIPY
from dualtape.core.levels cimport STEP, innermost_level, is_live
from dualtape.core.kernels cimport DT_ADD, DT_SUB, DT_MUL, DT_DIV, DT_NEG, DT_POW, DT_ABS, DT_MOD, DT_FLOORDIV, DT_HYPOT

import numpy as np

from dualtape.core.hooks import HOOKS
from dualtape.errors import NoRuleError, conversion, no_array, no_float, user_line
from dualtape.rules import bind, namespaces
from dualtape.rules.table import RULES

cdef list rule_list = list(RULES)
if [rows[index].name.decode() for index in range(len(rule_list))] != [rule.name for rule in rule_list]:
    raise ImportError("dualtape's compiled modules were built from another rule table: build the package again")
ROWS = {rule.name: index for index, rule in enumerate(RULES)}

cdef unsigned long long level_by_hand(tuple parts) except? 0:
    """The level of a Dual that a user makes: above that of the differentiation which runs around it and of the numbers
    in it, below that of any differentiation that starts later. Without either it is 2; 0 is for plain numbers."""
    cdef unsigned long long level = innermost_level()
    cdef bint wraps = level != 0
    for x in parts:
        if isinstance(x, Traced):
            wraps = True
            level = max(level, (<Traced>x).level)
    if not wraps:
        return 2
    if level & (STEP - 1) >= STEP - 2:
        raise ValueError(f"Duals made by hand nest {STEP // 2 - 1} deep at most; use dt.derivative or dt.taylor")
    return (level | 1) + 1


# --- numbers that are not traced -------------------------------------------------------------------------------------

cdef object as_number(object x):
    """`x` as a number of Python's own where it is a NumPy scalar or a 0-d array, as it is where it is a number of any
    kind or traced; None where it is no number."""
    cdef type kind = type(x)
    if kind is float or kind is int or isinstance(x, Traced):
        return x
    if kind is bool:
        return int(x)
    if isinstance(x, np.generic):
        if isinstance(x, (np.number, np.bool_)):
            item = x.item()
            return int(item) if type(item) is bool else item if isinstance(item, numbers.Number) else float(x)
        return None
    if isinstance(x, np.ndarray):
        return as_number(x[()]) if x.ndim == 0 else None
    if isinstance(x, numbers.Number) or namespaces.namespace_of(x).is_number(x):
        return x
    return None


cdef object value_of(object x):
    """The primal of a traced value; anything else as it is."""
    return x.value if isinstance(x, Traced) else x


cdef object innermost(object x):
    """The plain number at the core of a traced value, below all levels."""
    while isinstance(x, Traced):
        x = x.value
    return x


cdef object leaf_of(tuple args):
    """The namespace of the plain numbers at the core of the arguments: of the first that is not a real float or int."""
    for arg in args:
        x = innermost(arg)
        if type(x) is not float and type(x) is not int:
            return namespaces.namespace_of(x)
    return namespaces.namespace_of(1.0)


cdef int require_special(int row) except -1:
    """SciPy's special functions are loaded when a row first needs them: they cost more to import than NumPy."""
    if rows[row].flags & DT_NEEDS_SCIPY:
        load_special()
    return 0


cdef object evaluate(int row, tuple args):
    """The value of a row at plain numbers. Floats follow IEEE: nothing raises."""
    cdef double x[3]
    cdef int i, n = len(args)
    x[0] = x[1] = x[2] = 0.0
    for i in range(n):
        arg = args[i]
        if type(arg) is not float and type(arg) is not int:
            break
        x[i] = arg
    else:
        require_special(row)
        return rows[row].value(x[0], x[1], x[2])
    rule = rule_list[row]
    leaf = leaf_of(args)
    function = leaf.function(rule.name)
    if function is not None:
        return function(*args)
    if rule.primitive:
        raise NoRuleError(f"{user_line()}: there is no {rule.name}() for {leaf.name}. Convert the number to a float "
                          "first, or write the function with those that the kind has.")
    return bind.value(rule)(leaf, *args)


# --- dispatch --------------------------------------------------------------------------------------------------------

cdef object apply(int row, tuple args):
    """A row at any numbers: the value of the highest level among them does it, and wraps the others."""
    cdef Traced top = None
    cdef bint dead = False
    for arg in args:
        if isinstance(arg, Traced):
            if not is_live((<Traced>arg).level):
                dead = True
            elif top is None or (<Traced>arg).level > top.level:
                top = <Traced>arg
    if dead:
        # The perturbation of an ended forward differentiation means nothing any more: its value is a constant.
        return apply(row, tuple([arg.value if isinstance(arg, Traced) and not is_live((<Traced>arg).level) else arg
                                 for arg in args]))
    if top is None:
        return evaluate(row, args)
    if row == DT_ABS and has_complex_core(top):
        # |z| is no holomorphic function: it is one of the two real parts.
        return apply(DT_HYPOT, (top.real, top.imag))
    return top._apply(row, args)


cdef object partial(int row, int place, tuple primals, object out):
    """A partial derivative of a row at primals of any kind (floats, numbers of other kinds, values of lower levels)."""
    cdef double x[3]
    cdef double d[3]
    cdef int i
    x[0] = x[1] = x[2] = 0.0
    if type(out) is float:
        for i in range(len(primals)):
            arg = primals[i]
            if type(arg) is not float and type(arg) is not int:
                break
            x[i] = arg
        else:
            require_special(row)
            rows[row].partials(x[0], x[1], x[2], out, d)
            return d[place]
    leaf = leaf_of(primals)
    # A plain integer beside exact numbers is one of them: 1 / 2 is to stay a fraction. An exponent stays an integer.
    exact = [leaf.number(str(number)) if type(number) is int and not (row == DT_POW and k == 1) else number
             for k, number in enumerate(primals)]
    return bind.partial(rule_list[row], place)(leaf, *exact, out)


def call(int row, *args):
    """A row, by index, at numbers of any kind."""
    return apply(row, args)


def divide(x, y):
    """x / y in the text of rules: what IEEE gives, also where the kind's own operator raises but it has infinities."""
    try:
        return apply(DT_DIV, (x, y))
    except ZeroDivisionError:
        zero = innermost(y)
        if not hasattr(zero, "_mpf_"):
            raise
        return x * type(zero)("inf")


bind.set_functions({rule.name: functools.partial(call, index) for index, rule in enumerate(RULES)} | {"div": divide})


# --- the number protocol ---------------------------------------------------------------------------------------------

cdef bint is_zero(object x):
    x = innermost(x)
    return isinstance(x, numbers.Number) and x == 0


cdef object beside_array(int row, object a, object b):
    """An operator of a number and something else: an array of another library than NumPy is none of the kinds that know
    traced numbers; NotImplemented for all others."""
    operator = HOOKS.get("operator_beside_array")
    return NotImplemented if operator is None else operator(rule_list[row].name, a, b)


cdef object binary(int row, object a, object b):
    """An operator of Python's at any numbers; NotImplemented where an operand is no number, so that its class has a
    say. Zero divisors raise as they do for floats."""
    x = as_number(a)
    y = as_number(b)
    if x is None or y is None:
        return beside_array(row, a, b)
    if (row == DT_DIV or row == DT_MOD or row == DT_FLOORDIV) and is_zero(y):
        if isinstance(innermost(x), (float, int)):
            raise ZeroDivisionError("float division by zero" if row == DT_DIV else "float floor division by zero"
                                    if row == DT_FLOORDIV else "float modulo")
    return apply(row, (x, y))


cdef object unary(int row, object x):
    return apply(row, (x,))


cdef object compare(object a, object b, int op):
    """Comparisons give plain bools from the primals, level by level, so that each level can record its guard."""
    cdef unsigned long long level = 0
    x = as_number(a)
    y = as_number(b)
    if x is None or y is None:
        comparison = HOOKS.get("compare_beside_array")
        return NotImplemented if comparison is None else comparison(a, b, op)
    if x is not a or y is not b:
        return PyObject_RichCompare(x, y, op)  # a NumPy scalar became a float: the short way, which records a guard
    if isinstance(x, Traced):
        level = (<Traced>x).level
    if isinstance(y, Traced) and (<Traced>y).level > level:
        level = (<Traced>y).level
    if isinstance(x, Traced) and (<Traced>x).level == level:
        x = x.value
    if isinstance(y, Traced) and (<Traced>y).level == level:
        y = y.value
    return bool(PyObject_RichCompare(x, y, op))


cdef object floor_divide(object a, object b):
    """x // y: a plain number, locally constant. Floors the primals, level by level."""
    out = binary(DT_FLOORDIV, a, b)
    return out if out is NotImplemented else innermost(out)


cdef object power(object a, object b):
    """x ** y as Python's floats do it: 0.0 ** -1 and overflow raise, a negative base with a fractional exponent turns
    complex."""
    x = as_number(a)
    y = as_number(b)
    if x is None or y is None:
        return beside_array(DT_POW, a, b)
    base = innermost(x)
    exponent = innermost(y)
    if (type(base) is float or type(base) is int) and (type(exponent) is float or type(exponent) is int):
        plain = float(base) ** exponent  # raises what Python raises
        if type(plain) is complex:
            x = apply(DT_ADD, (x, 0j))
    return apply(DT_POW, (x, y))


def real_part(x):
    return x.real


def imaginary_part(x):
    return x.imag


def conjugate_of(x):
    return x.conjugate()


def pull_real(bar):
    return (bar,)


def pull_imaginary(bar):
    return (bar * 1j,)


def pull_conjugate(bar):
    return (bar.conjugate(),)


cdef bint has_complex_core(object x):
    """Whether a number, below all levels, is complex by its type."""
    x = innermost(x)
    if type(x) is float or type(x) is int:
        return False
    return type(x) is complex or (isinstance(x, numbers.Complex) and not isinstance(x, numbers.Real))


_METHODS = {}
_UFUNC_HANDLER = []


def set_methods(table):
    """Methods by which NumPy's loops over object arrays call elementwise functions: {"arcsin": row, ...}."""
    _METHODS.update(table)


def method(int row, *args, out=None):
    """A row as NumPy's functions call it on an element: x.clip(low, high, out=None)."""
    if out is not None:
        raise conversion("storing into an array", "Leave out=None.")
    return apply(row, tuple([as_number(x) for x in args]))


_SCALAR_HOOKS = []


def set_scalar_hooks(attribute, function, item):
    """What traced scalars share with NumPy's: attribute(x, name), None where there is none, function(x, f, args,
    kwargs), a NumPy function with such a scalar among its arguments, and item(x, key)."""
    _SCALAR_HOOKS[:] = [attribute, function, item]


def set_ufunc_handler(handler):
    """What `np.sin(x)` of a traced scalar calls: handler(ufunc, method, inputs, kwargs)."""
    _UFUNC_HANDLER[:] = [handler]


def apply_row(int row, args):
    """A row, by index, at a tuple of numbers of any kind."""
    return apply(row, tuple(args))


def to_number(x):
    """A number of Python's own, or a traced value, from a number of any kind; None where `x` is no number."""
    return as_number(x)


def set_level(Traced x, unsigned long long level):
    """Put a traced value of a Python class at a level."""
    x.level = level


def is_complex(x):
    """Whether a number, below all levels, is complex by its type."""
    return has_complex_core(x)


def plain(x):
    """The plain number below all levels of a traced value."""
    return innermost(x)


def unhashable():
    """The error for hash(x)."""
    return conversion("hash()", "Traced values are unhashable, since equal primals may carry different derivatives: "
                      "use dt.stop_gradient(x) as the key of a dict or the member of a set.")


cdef class Traced:
    """A number that carries derivatives: the base of Dual, Var and of all their boxed and higher-order forms.

    It behaves as a Python number. Comparisons, truth values and roundings give plain results from the primal;
    conversions that would drop the derivative (``float(x)``, ``complex(x)``, ``hash(x)``) raise ConversionError.
    """

    def __init__(self, *args, **kwargs):
        if type(self) is Traced:
            raise TypeError("Traced is the base class of Dual and Var and has no values of its own")

    @property
    def _level(self):
        return self.level

    def __cupy_override_elementwise_kernel__(self, kernel, *args, **kwargs):
        return HOOKS["cupy_kernel"](kernel, args, kwargs)

    def __add__(a, b):
        return binary(DT_ADD, a, b)

    def __sub__(a, b):
        return binary(DT_SUB, a, b)

    def __mul__(a, b):
        return binary(DT_MUL, a, b)

    def __truediv__(a, b):
        return binary(DT_DIV, a, b)

    def __mod__(a, b):
        return binary(DT_MOD, a, b)

    def __floordiv__(a, b):
        return floor_divide(a, b)

    def __divmod__(a, b):
        quotient = floor_divide(a, b)
        if quotient is NotImplemented:
            return NotImplemented
        return quotient, binary(DT_MOD, a, b)

    def __pow__(a, b, modulus):
        if modulus is not None:
            raise TypeError("pow() with a modulus needs integers; a traced value is a real number")
        return power(a, b)

    @property
    def ndim(self):
        """0, as of NumPy's scalars."""
        return 0

    @property
    def shape(self):
        """(), as of NumPy's scalars."""
        return ()

    @property
    def dtype(self):
        """That of NumPy's scalars of this kind."""
        # the mean of an object array makes a float of a sum that has a dtype
        if sys._getframe(0).f_globals.get("__name__") == "numpy._core._methods":
            raise AttributeError("dtype")
        return np.asarray(innermost(self)).dtype

    def __getitem__(self, key):
        """As of NumPy's scalars: `x[()]` and `x[None]`, but no element. Libraries take what has this for an array."""
        return _SCALAR_HOOKS[2](self, key)

    @property
    def real(self):
        """The real part; a real number is its own."""
        return self._linear_part(real_part) if has_complex_core(self) else self

    @property
    def imag(self):
        """The imaginary part; 0 for a real number."""
        return self._linear_part(imaginary_part) if has_complex_core(self) else 0.0

    def conjugate(self):
        """The complex conjugate; a real number is its own."""
        return self._linear_part(conjugate_of) if has_complex_core(self) else self

    def conj(self):
        """As `conjugate`."""
        return self.conjugate()

    def copy(self):
        """The number itself, which never changes; as of NumPy's scalars."""
        return self

    def __neg__(self):
        return unary(DT_NEG, self)

    def __pos__(self):
        return self

    def __abs__(self):
        return unary(DT_ABS, self)

    def __richcmp__(a, b, int op):
        return compare(a, b, op)

    def __bool__(self):
        return bool(self.value)

    def __int__(self):
        return int(self.value)

    def __trunc__(self):
        return math.trunc(self.value)

    def __floor__(self):
        return math.floor(self.value)

    def __ceil__(self):
        return math.ceil(self.value)

    def __round__(self, ndigits=None):
        return round(self.value, ndigits)

    def is_integer(self):
        """Whether the primal is a whole number."""
        return innermost(self).is_integer()

    def __float__(self):
        raise no_float("use dt.sin(x) or np.sin(x) in place of math.sin(x) (dt.lift(f), for code that you cannot "
                       "change, is planned and not there yet)")

    def __complex__(self):
        raise conversion("complex()", "Use x + 0j, or dt.stop_gradient(x) where the plain number is meant.")

    def __hash__(self):
        raise unhashable()

    def __reduce_ex__(self, protocol):
        raise conversion("pickling", "A Var belongs to a tape in this process. Pickle dt.stop_gradient(x), the plain "
                         "number.")

    def __array__(self, dtype=None, copy=None):
        if dtype is not None and np.dtype(dtype) == object:
            out = np.empty((), dtype=object)
            out[()] = self
            return out
        raise no_array("Use dt.array([x, y]) for an array of traced values (np.sum(dt.array([x, y])), "
                       "dt.array([x, y]) @ ...), np.array([x, y], dtype=object) for one of Python objects, or "
                       "dt.stop_gradient(x) where the plain number is meant.")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return _UFUNC_HANDLER[0](ufunc, method, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        return _SCALAR_HOOKS[1](self, function, args, kwargs)

    def __getattr__(self, name):
        row = _METHODS.get(name)
        if row is None:
            found = _SCALAR_HOOKS[0](self, name) if _SCALAR_HOOKS and not name.startswith("_") else None
            if found is not None:
                return found
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return functools.partial(method, row, self)

    def _sympy_(self):
        # SymPy would call float(); this sends its operators to ours.
        raise sys.modules["sympy"].SympifyError(self)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __format__(self, spec):
        return format(innermost(self), spec)


# A number with keys, as NumPy's scalars are, not a sequence: Python could iterate over it, and NumPy would.
(<PyTypeObject *>Traced).tp_as_sequence.sq_item = NULL

numbers.Real.register(Traced)
