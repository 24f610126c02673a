"""The rows of the rule table on arrays of other libraries."""

import functools
import operator as python

import numpy as np

from dualtape.boxed.apply import apply, array_of, like, unbroadcast
from dualtape.boxed.array import FUNCTIONS, BoxedArray, boxed, is_any_array, is_host_array, is_inexact, level_of, plain
from dualtape.boxed.backends import backend_of, copied, is_foreign, kind_of, mixed, namespace_of
from dualtape.core.array import Array
from dualtape.core.strict import is_strict
from dualtape.core.traced import ROWS, Traced, apply_row
from dualtape.errors import NoRuleError, user_line
from dualtape.rules import bind
from dualtape.rules.table import ALIASES, BY_NAME, RULES

__all__ = ["abs_", "elementwise", "functions", "inplace", "operator", "times", "where"]

# Where the standard's name is none of a row's own or of its ufunc.
STANDARD = {
    "asin": "asin", "acos": "acos", "atan": "atan", "asinh": "asinh", "acosh": "acosh", "atanh": "atanh",
    "atan2": "atan2", "pow": "pow", "neg": "negative", "pos": "positive", "mod": "remainder", "sub": "subtract",
    "mul": "multiply", "div": "divide", "abs": "abs", "floordiv": "floor_divide",
}  # fmt: skip

_ARITHMETIC = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "mod": lambda x, y: x % y,
    "floordiv": lambda x, y: x // y,
    "neg": lambda x: -x,
    "pos": lambda x: +x,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1.0 / x,
}


@functools.cache
def names_of(name):
    """The names that a row may have in a library."""
    rule = BY_NAME[name]
    ufuncs = [u.rpartition(".")[2] for u in rule.ufuncs]
    return tuple(dict.fromkeys(filter(None, [STANDARD.get(name), *ufuncs, name, *rule.aliases])))


def plain_row(name, *args):
    """A row at plain arrays, by the library's own function, or by the row's text where it has none."""
    if name in _ARITHMETIC:
        return _ARITHMETIC[name](*args)
    near = like(args)
    backend = backend_of(near)
    is_complex = any(_is_complex(x) for x in args)
    for candidate in names_of(name):
        found = backend.special(candidate, is_complex)
        if found is not None:
            return found(*args)
    if name == "sech2" and is_complex:
        return _complex_sech2(*args)
    rule = BY_NAME[name]
    if rule.primitive:
        raise NoRuleError(
            f"{user_line()}: {namespace_of(near).__name__} has no function {name}(), which traced arrays of it would "
            "need. Write it with functions that the library has."
        )
    return _text(rule.value, rule.args)(*args)


def _complex_sech2(z):
    """1 / cosh(z)^2, an even function, where cosh is too large for its square."""
    xp = namespace_of(z)
    half = xp.where(xp.real(z) < 0, z, -z)
    u = xp.exp(half + half)
    return 4.0 * u / (1.0 + u) ** 2


@functools.cache
def _text(text, names):
    """Rule text as a function of arrays."""
    return bind.on_arrays(text, names, _call, where)


def _call(name, *args):
    if any(map(is_any_array, args)):
        return elementwise(name, *args)
    return apply_row(ROWS[name], args) if name not in _ARITHMETIC else _ARITHMETIC[name](*args)


def slope(name, k, args, out):
    """A partial derivative of a row at arrays."""
    rule = BY_NAME[name]
    if name == "pow" and k == 1 and _is_complex(plain(out)):
        x = args[0] if is_any_array(args[0]) else array_of(args[0], plain(out))
        zero = plain(x) == 0
        return where(zero, 0.0, out * elementwise("log", where(zero, 1.0, x)))
    return _text(rule.partials[k], (*rule.args, "out"))(*args, out)


def _is_complex(x):
    return kind_of(x) == "c" if is_any_array(x) else isinstance(x, complex)


_LINEAR = {"add": (1, 1), "sub": (1, -1), "neg": (-1,), "pos": (1,)}


def times(bar, factor):
    """A product of the chain rule: zero where a factor is exactly zero, unless IEEE is asked for."""
    out = bar * factor
    if is_strict() or not is_any_array(out):
        return out
    value = plain(out)
    missing = value != value  # only what is NaN differs from itself
    if is_any_array(bar) and is_any_array(factor):
        missing = missing & ((plain(bar) == 0) | (plain(factor) == 0))
    else:
        number, array = (bar, factor) if is_any_array(factor) else (factor, bar)
        if number != 0 and abs(number) < float("inf"):
            return out
        missing = missing & (plain(array) == 0) if number != 0 else missing
    if isinstance(out, BoxedArray):
        return where(missing, 0.0, out)
    return namespace_of(out).where(missing, array_of(0.0, out), out)


def elementwise(name, *args):
    """A row at arrays and numbers of any level, broadcast against one another."""
    rule = BY_NAME[name]
    if len(args) != rule.arity:
        raise TypeError(f"{name}() takes {rule.arity} arguments ({len(args)} given)")
    near = like(args)
    for x in args:
        if is_host_array(x):
            raise mixed(x, near)
    args = [_own_scalar(x, near) for x in args]
    if name == "sign" and kind_of(plain(args[0])) == "c":
        return _direction(args[0], abs_(args[0]))
    if rule.constant:
        out = plain_row(name, *map(plain, args))
        return boxed(out) if is_inexact(out) else out
    if name == "abs" and kind_of(plain(args[0])) == "c":
        return abs_(args[0])
    orders = [k for k, text in enumerate(rule.partials) if text is None]
    for k in orders:
        if level_of(args[k]):
            raise NoRuleError(
                f"{user_line()}: {name}({', '.join(rule.args)}) has no derivative by its order {rule.args[k]}"
            )
    if any(isinstance(x, Traced) for x in args):
        near = _strongest(args)
        args = [array_of(x, near) if isinstance(x, Traced) else x for x in args]
    # Numbers stay numbers, so that they weigh no more than the arrays.
    places = [k for k, x in enumerate(args) if is_any_array(x)]
    arrays = [args[k] for k in places]

    def whole(xs):
        out = list(args)
        for k, x in zip(places, xs, strict=True):
            out[k] = x
        return out

    def function(*xs):
        return elementwise(name, *whole(xs)) if any(map(level_of, xs)) else plain_row(name, *whole(map(plain, xs)))

    if name in _LINEAR:
        signs = _LINEAR[name]
        return apply(
            function,
            arrays,
            lambda k, t, out, *xs: t if signs[places[k]] == 1 else -t,
            lambda k, bar, out, *xs: unbroadcast(bar if signs[places[k]] == 1 else -bar, plain(xs[k]).shape),
            reads=False,
        )

    def vjp(k, bar, out, *xs):
        fused = backend_of(plain(out)).slope_times(name, places[k], bar, whole(xs), out)
        if fused is None:
            d = slope(name, places[k], whole(xs), out)
            if isinstance(d, complex):
                d = d.conjugate()
            elif is_any_array(d) and kind_of(plain(d)) == "c":
                d = FUNCTIONS["conj"](d)
            fused = times(bar, d)
        return unbroadcast(fused, plain(xs[k]).shape)

    reads = bind.read_by_partials(rule)
    return apply(
        function,
        arrays,
        lambda k, t, out, *xs: times(t, slope(name, places[k], whole(xs), out)),
        vjp,
        reads=tuple(k for k, place in enumerate(places) if rule.args[place] in reads),
    )


def _own_scalar(x, near):
    """A number of NumPy's, which has a dtype of its own, as an array of the library; all else as it is."""
    if isinstance(x, Array):
        return x[()]
    if not isinstance(x, (np.generic, np.ndarray)):
        return x
    xp = namespace_of(plain(near))
    return xp.asarray(x.item(), dtype=getattr(xp, x.dtype.name), device=plain(near).device)


def _strongest(args):
    """The plain array with the widest dtype among operands, whose dtype traced numbers take."""
    arrays = [plain(x) for x in args if is_any_array(x)]
    dtype = namespace_of(arrays[0]).result_type(*arrays)
    return next((x for x in arrays if x.dtype == dtype), arrays[0])


def abs_(z):
    """The modulus of complex numbers, which is no holomorphic function."""
    return apply(
        lambda z: abs(z),
        (z,),
        lambda k, t, out, z: FUNCTIONS["real"](FUNCTIONS["conj"](_direction(z, out)) * t),
        lambda k, bar, out, z: bar * _direction(z, out),
    )


def _direction(z, size):
    """Complex numbers over their moduli, 0 at 0."""
    zero = plain(size) == 0
    return where(zero, 0.0, z / where(zero, 1.0, size))


def row_function(name):
    """A row as a function of arrays."""

    def function(*args, **options):
        if options:
            raise NoRuleError(f"{user_line()}: {name}() of traced arrays takes no {', '.join(options)}")
        return elementwise(name, *args)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{BY_NAME[name].doc}."
    return function


def operator(name, x, y):
    """One of Python's operators."""
    for a in (x, y):
        if not (is_any_array(a) or isinstance(a, Traced) or _is_number(a)):
            if is_host_array(a):
                raise mixed(a, like((x, y)))
            return NotImplemented
    if name == "pow" and not is_any_array(y) and isinstance(y, int) and y == 2:
        return elementwise("square", x)
    return elementwise(name, x, y)


def of_boxed(name, args):
    """A row where an argument is an array, and none that the core knows."""
    return elementwise(name, *args)


_COMPARISONS = (python.lt, python.le, python.eq, python.ne, python.gt, python.ge)


def compare(x, y, op):
    """A comparison of the plain values."""
    return _COMPARISONS[op](plain(x), plain(y))


def _is_number(x):
    return isinstance(x, (int, float, complex)) or (hasattr(x, "dtype") and getattr(x, "ndim", 1) == 0)


def inplace(name, x, y):
    """``x += y`` and its kin."""
    out = FUNCTIONS["matmul"](x, y) if name == "matmul" else operator(name, x, y)
    if out is NotImplemented:
        return out
    if plain(out).shape != x.shape:
        raise ValueError(f"an array of shape {x.shape} cannot become one of shape {plain(out).shape} in place")
    if plain(out).dtype != x.dtype:
        if kind_of(plain(out)) == "c" and kind_of(plain(x)) != "c":
            raise TypeError(f"an array of {x.dtype} cannot take {plain(out).dtype} in place")
        out = FUNCTIONS["astype"](out, x.dtype)
    # It stays in memory as it was, by which it is decided whether a reshape of it is a view.
    lies_alike = backend_of(plain(x)).lies_alike(plain(x), plain(out))
    x._write(out if lies_alike else FUNCTIONS["assigned"](x, ..., out))
    return x


def where_of(condition, x, y):
    """What programs call: `where` of a condition that may be written to later."""
    return where(copied(condition) if is_foreign(condition) else condition, x, y)


def where(condition, x, y):
    """`x` where the condition holds, else `y`."""
    condition = plain(condition)
    if is_host_array(condition) and (is_any_array(x) or is_any_array(y)):
        raise mixed(condition, like((x, y)))
    if not is_any_array(condition):
        if not is_any_array(x) and not is_any_array(y):
            return x if condition else y
        near = like((x, y))
        condition = namespace_of(near).asarray(bool(condition), device=near.device)
    operands = [x, y]
    arrays = [plain(a) for a in operands if is_any_array(a)]
    near = arrays[0] if arrays else None
    if near is None:
        near = namespace_of(condition).asarray(1.0, device=condition.device)
    elif len(arrays) == 2 and arrays[0].dtype != arrays[1].dtype:
        wide = namespace_of(near).result_type(*arrays)
        operands = [FUNCTIONS["astype"](a, wide) for a in operands]
    operands = [array_of(a, near) for a in operands]

    def chosen(x, y):
        if level_of(x) or level_of(y):
            return where(condition, x, y)
        return namespace_of(condition).where(condition, plain(x), plain(y))

    def one(k, t):
        return where(condition, t, 0.0) if k == 0 else where(condition, 0.0, t)

    return apply(
        chosen,
        operands,
        lambda k, t, out, *xs: one(k, t),
        lambda k, bar, out, *xs: unbroadcast(one(k, bar), plain(xs[k]).shape),
        reads=False,
    )


def functions():
    """The functions of the table's rows, by the names that libraries have for them."""
    out = {}
    for rule in RULES:
        if rule.helper:
            continue
        for name in names_of(rule.name):
            out.setdefault(name, row_function(rule.name))
    for alias, name in ALIASES.items():
        out.setdefault(alias, row_function(name))
    return out | {"where": where_of}
