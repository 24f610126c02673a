"""The rows of the rule table on arrays: values by ufuncs, slopes by the rows' text."""

import ast
import functools

import numpy as np

from dualtape.arrays.apply import Outline, apply, is_array, unbroadcast
from dualtape.boxed.backends import is_foreign, mixed
from dualtape.core import elementwise as scalar
from dualtape.core import floating, kernels, native, traced
from dualtape.core.array import Array
from dualtape.core.hooks import HOOKS
from dualtape.core.strict import is_strict
from dualtape.core.traced import ROWS, Traced
from dualtape.core.values import level_of, plain_of
from dualtape.rules import bind
from dualtape.rules.grammar import parse
from dualtape.rules.table import BY_NAME, RULES

__all__ = ["elementwise", "slope", "times"]


@functools.cache
def ufunc_of(row):
    """The ufunc of a row, or a function over plain arrays where it has none."""
    rule = RULES[row]
    found = scalar.plain_ufunc(rule)
    if found is not None:
        return found
    if not rule.primitive:
        return functools.partial(_by_text, rule)
    return lambda *args: scalar.map_elements(row, args)


def _by_text(rule, *args):
    if all(_is_real(a) for a in args):
        return kernels.on_arrays(ROWS[rule.name], -1, *args)
    return _text(rule.value, rule.args)(*args)


def _is_real(x):
    """Whether the kernels, which compute in float64, can take an operand."""
    if isinstance(x, (Array, Traced)):
        return False
    dtype = x.dtype if type(x) is np.ndarray else np.asarray(x).dtype
    return dtype.kind in "fiub" and dtype.itemsize <= 8


def value(row, *args):
    """A row at primals of any kind."""
    ufunc = ufunc_of(row)
    if isinstance(ufunc, np.ufunc) and not any(isinstance(a, (Array, Traced)) for a in args):
        return ufunc(*args)
    if any(is_array(a) for a in args) or not any(isinstance(a, Traced) for a in args):
        return elementwise(row, args) if any(isinstance(a, (Array, Traced)) for a in args) else ufunc(*args)
    return traced.apply_row(row, args)


@functools.cache
def _reads(row):
    """Which operands the slopes of a row read, and whether they read the result."""
    rule = RULES[row]
    names = bind.read_by_partials(rule)
    return tuple(k for k, name in enumerate(rule.args) if name in names) + (("out",) if "out" in names else ())


def slope(row, k, args, out):
    """A partial derivative of a row at arrays of any kind."""
    rule = RULES[row]
    if not _is_arithmetic(row, k) and _is_real(out) and all(_is_real(a) for a in args):
        return kernels.on_arrays(row, k, *args, out=out)
    return _text(rule.partials[k], (*rule.args, "out"))(*args, out)


@functools.cache
def _is_arithmetic(row, k):
    """Whether a slope is arithmetic alone, which NumPy does as fast as a loop of ours, and in the operands' dtype."""
    rule = RULES[row]
    tree = parse(rule.partials[k], (*rule.args, "out"), BY_NAME)
    return not any(isinstance(n, (ast.Call, ast.Compare)) for n in ast.walk(tree))


@functools.cache
def _operand_of(row, k):
    """The operand that a slope is, by its place; None where it is to be computed."""
    rule = RULES[row]
    return rule.args.index(rule.partials[k]) if rule.partials[k] in rule.args else None


@functools.cache
def _text(text, names):
    """Rule text as a function of arrays."""
    return bind.on_arrays(text, names, _call, _where)


def _call(name, *args):
    return value(ROWS[name], *args)


def _where(condition, x, y):
    if not is_array(condition) or condition.ndim == 0:
        return x if condition else y
    return np.where(condition, _bare(x), _bare(y)) if not _any_traced(x, y) else _traced_where(condition, x, y)


def _bare(x):
    return plain_of(x) if isinstance(x, Array) else x


def _any_traced(*args):
    return any(isinstance(a, (Array, Traced)) and level_of(a) for a in args)


def _traced_where(condition, x, y):
    return apply(
        lambda x, y: _where(condition, x, y),
        (x, y),
        lambda k, t, out, *_: _where(condition, t, 0.0) if k == 0 else _where(condition, 0.0, t),
        lambda k, bar, out, *xs: unbroadcast(
            _where(condition, bar, 0.0) if k == 0 else _where(condition, 0.0, bar), xs[k].shape
        ),
        reads=(),
    )


def times(bar, factor):
    """A product of the chain rule: zero where a factor is exactly zero, unless IEEE is asked for."""
    out = kernels.product(bar, factor)
    if out is not None:
        return out
    with np.errstate(all="ignore"):
        out = bar * factor
        plain = plain_of(out)
        total = np.add.reduce(plain, axis=None) if isinstance(plain, np.ndarray) else plain
        if total == total or is_strict():  # only what is NaN differs from itself
            return out
        zero = (plain_of(bar) == 0) | (plain_of(factor) == 0)
        return _where(np.asarray(zero), out.dtype.type(0) if hasattr(out, "dtype") else 0.0, out)


def elementwise(row, args):
    """A row at arrays and numbers of any level, broadcast against one another."""
    floating.clear_flags()
    out = native.row(row, *args)
    if out is not None:
        floating.report_flags(row)
        return out
    return general(row, args)


def general(row, args):
    """A row at operands of any kind, by its rule in Python."""
    args = [HOOKS["array"](a) if isinstance(a, np.ndarray) and a.dtype == object else a for a in args]
    if RULES[row].constant:
        return ufunc_of(row)(*[plain_of(a) for a in args])
    if row == ROWS["abs"] and _is_complex(args[0]):
        return _modulus(args[0])
    function, jvp, vjp, reads = _rule_of(row)
    return apply(function, args, jvp, vjp, reads)


@functools.cache
def _rule_of(row):
    """Value, tangent and adjoint of a row, and what the adjoint reads."""
    rule = RULES[row]
    function = functools.partial(value, row)
    if rule.name in _LINEAR:
        return function, functools.partial(_linear_jvp, rule.name), functools.partial(_linear_vjp, rule.name), ()

    def partial(k, primals, out):
        if rule.partials[k] is None:
            raise TypeError(f"{rule.name}() has no derivative with respect to {rule.args[k]}")
        return _quietly(row, k, primals, out)

    def jvp(k, t, out, *primals):
        return times(t, partial(k, primals, out))

    def vjp(k, bar, out, *primals):
        d = partial(k, primals, out)
        if _is_complex(d):
            d = np.conjugate(d)
        return unbroadcast(_like(times(bar, d), primals[k]), _shape(primals[k]))

    return function, jvp, vjp, _reads(row)


def pull_row(row, k, bar, primals, out):
    """The adjoint of operand k of a row whose operands are plain arrays of the adjoint's shape, None where the
    slopes do not read them.
    """
    if row >= len(RULES):  # another kind of number, or the conjugate
        return np.conjugate(bar) if row == native.CONJUGATE else bar
    name = RULES[row].name
    if name in _LINEAR:
        return bar if _LINEAR[name][k] == 1 else -bar
    if name == "abs" and _is_complex(primals[0]):
        return bar * _direction(primals[0], out)
    d = _quietly(row, k, [1.0 if p is None else p for p in primals], 0.0 if out is None else out)
    return times(bar, np.conjugate(d) if _is_complex(d) else d)


def _quietly(row, k, primals, out):
    place = _operand_of(row, k)
    if place is not None:
        return primals[place]
    primals, out = [_number(p) for p in primals], _number(out)
    found = kernels.slope(row, k, primals, out)
    if found is not None:
        return found
    with np.errstate(all="ignore"):
        return slope(row, k, primals, out)


def _number(x):
    """What a row's slope does not read may be an Outline: any number does in its place."""
    return 1.0 if isinstance(x, Outline) else x


# The rows that are linear with slopes 1 and -1.
_LINEAR = {"add": (1, 1), "sub": (1, -1), "neg": (-1,), "pos": (1,)}


def _linear_jvp(name, k, t, out, *primals):
    return t if _LINEAR[name][k] == 1 else -t


def _linear_vjp(name, k, bar, out, *primals):
    bar = bar if _LINEAR[name][k] == 1 else -bar
    return unbroadcast(_like(bar, primals[k]), primals[k].shape)


def _shape(x):
    return () if isinstance(x, Traced) else np.shape(x) if not hasattr(x, "shape") else x.shape


def _is_complex(x):
    if hasattr(x, "dtype"):
        return x.dtype.kind == "c"
    return isinstance(plain_of(x), complex)


def _like(bar, primal):
    """The adjoint of a real operand is real."""
    if _is_complex(bar) and not (primal.dtype.kind == "c" if hasattr(primal, "dtype") else _is_complex(primal)):
        return bar.real
    return bar


def _direction(z, out):
    """The direction of z, whose modulus is `out`: 0 at 0."""
    return (
        z / np.where(plain_of(out) == 0, 1.0, out) if not _any_traced(out) else z / _where(plain_of(out) == 0, 1.0, out)
    )


def _modulus(z):
    """|z|, which is no holomorphic function."""
    return apply(
        lambda z: value(ROWS["abs"], z),
        (z,),
        lambda k, t, out, z: (np.conjugate(_direction(z, out)) * t).real,
        lambda k, bar, out, z: bar * _direction(z, out),
    )


def operator(row, a, b):
    """One of Python's operators at arrays."""
    if not (_operand(a) and _operand(b)):
        for x in (a, b):
            if is_foreign(x):
                raise mixed(b if x is a else a, x)
        return NotImplemented
    if isinstance(a, (list, tuple)) or isinstance(b, (list, tuple)):
        return elementwise(row, (_listed(a), _listed(b)))
    return general(row, (a, b))  # a node in C has been tried


def _operand(x):
    return is_array(x) or traced.to_number(x) is not None or isinstance(x, (list, tuple))


def _listed(x):
    return np.asarray(x) if isinstance(x, (list, tuple)) else x


def power(a, b):
    """X ** y, by squares and roots where NumPy does it so."""
    if not (_operand(a) and _operand(b)):
        return NotImplemented
    if isinstance(a, Array) and type(b) in (int, float):
        if b == 2:
            return elementwise(ROWS["square"], (a,))
        if b == 1:
            return elementwise(ROWS["pos"], (a,))
        if b == 0.5 and type(b) is float:
            return elementwise(ROWS["sqrt"], (a,))
        if b == -1 and type(b) is float:
            return elementwise(ROWS["reciprocal"], (a,))
    return elementwise(ROWS["pow"], (_listed(a), _listed(b)))


def inplace(row, a, x):
    """``a += x`` and its kin, where no node in C does it: NumPy's casting, then a write through the view."""
    if not _operand(x):
        return NotImplemented
    out = power(a, x) if row == ROWS["pow"] else elementwise(row, (a, _listed(x)))
    if np.shape(plain_of(out)) != a.shape:
        raise ValueError(
            f"non-broadcastable output operand with shape {a.shape} doesn't match the broadcast shape "
            f"{np.shape(plain_of(out))}"
        )
    check_cast(out, a.dtype, RULES[row].ufuncs[0].partition(".")[2])
    a[...] = out
    return a


def check_cast(value, dtype, name, casting="same_kind"):
    """Raise as NumPy does where a result does not fit the dtype that it is written to."""
    have = value.dtype if hasattr(value, "dtype") else np.asarray(plain_of(value)).dtype
    if not np.can_cast(have, dtype, casting=casting):
        raise np._core._exceptions._UFuncOutputCastingError(getattr(np, name, np.add), casting, have, dtype, 0)


_COMPARISONS = (np.less, np.less_equal, np.equal, np.not_equal, np.greater, np.greater_equal)


def compare(a, b, op):
    """A comparison of the plain values: an array of bools."""
    if (b is None or isinstance(b, (str, bytes))) and op in (2, 3):  # == and !=
        return np.full(a.shape, op == 3)[()]
    if not (_operand(a) and _operand(b)):
        return NotImplemented
    return _COMPARISONS[op](plain_of(_listed(a)), plain_of(_listed(b)))
