"""Functions of arrays of other libraries in every mode: their values, tangents and adjoints."""

from dualtape.boxed.array import (
    FUNCTIONS,
    BoxedArray,
    boxed,
    is_any_array,
    is_host_array,
    is_inexact,
    level_of,
    plain,
    snapshot,
)
from dualtape.boxed.backends import backend_of, copied, is_foreign, kind_of, mixed, namespace_of, number_of
from dualtape.core.dual import make_dual
from dualtape.core.traced import Traced
from dualtape.core.values import primal_at, tangents_at, tape_of

__all__ = ["apply", "apply_linear", "array_of", "item", "unbroadcast"]


def like(operands):
    """The first plain array below some operands."""
    for x in operands:
        if is_any_array(x):
            return plain(x)
    raise TypeError("no array among the operands")


def array_of(x, near):
    """A number of any kind as an array without axes, of the library and the dtype of another array."""
    if is_any_array(x):
        return x
    if is_host_array(x):
        raise mixed(x, near)
    xp = namespace_of(near)
    if not isinstance(x, Traced) or level_of(x) == 0:
        x = _plain_number(x)
        return xp.full((), x, dtype=_dtype_for(x, near), device=near.device)  # filled on the device, not copied to it
    return _lift(x, near)


def _plain_number(x):
    while isinstance(x, Traced):
        x = x.value
    return x.item() if hasattr(x, "item") else x


def _dtype_for(x, near):
    if isinstance(x, complex) and kind_of(near) == "f":
        xp = namespace_of(near)
        return xp.result_type(near.dtype, xp.complex64)
    return near.dtype


def _lift(x, near):
    """A traced number of the host as a traced array without axes."""
    level = level_of(x)
    while x._level != level:
        x = x.value
    value = array_of(primal_at(level, x), near)
    tape = tape_of(x)
    if tape is None:
        tangents = [array_of(t, near) for t in tangents_at(level, x)]
        return boxed(value, level, tangents=tangents)
    var = tape.append((-1, [x._index], [None], lambda bar: [item(bar)]), value)  # to the host, where x is
    return boxed(value, level, var)


def item(x):
    """The only element of an array as a number of the host, traced as the array is."""
    level = level_of(x)
    if plain(x).size != 1:
        raise ValueError("can only convert an array of size 1 to a Python scalar")
    if level == 0:
        return number_of(plain(x))
    if x.ndim:
        x = FUNCTIONS["reshape"](x, ())
    value = item(x._value)
    if x._var is None:
        return make_dual(level, value, [0.0 if t is None else item(t) for t in x._tangents])
    near = plain(x)
    return x._var.tape.append((-1, [x._var._index], [None], lambda bar: [array_of(bar, near)]), value)


def unbroadcast(x, shape):
    """The transpose of broadcasting: sums over the axes along which an operand of a shape was repeated."""
    if x.shape == shape:
        return x
    lead = len(x.shape) - len(shape)
    axes = tuple(range(lead)) + tuple(lead + k for k, n in enumerate(shape) if n == 1 and x.shape[lead + k] != 1)
    if axes:
        x = FUNCTIONS["sum"](x, axis=axes, keepdims=True)
    return FUNCTIONS["reshape"](x, shape) if x.shape != shape else x


def real_as(bar, x):
    """A derivative with respect to an array: real where the array is, and of its precision."""
    if kind_of(plain(bar)) == "c" and kind_of(plain(x)) != "c":
        bar = FUNCTIONS["real"](bar)
    return bar if plain(bar).dtype == plain(x).dtype else FUNCTIONS["astype"](bar, plain(x).dtype)


def parts_of(operands):
    """What a function needs to know of its operands: the highest level, the places of those of it, the primals."""
    level = max(map(level_of, operands))
    active, primals = [], []
    for k, x in enumerate(operands):
        if level and level_of(x) == level:
            active.append(k)
            primals.append(x._value)
        else:
            primals.append(x)
    return level, active, primals


def apply(function, operands, jvp, vjp, reads=True):
    """A differentiable function at arrays of any level.

    Parameters
    ----------
    function : callable
        ``function(*operands)``, an array, or a tuple of arrays each of which is differentiable by itself.
    operands : sequence of array
        Plain ones or traced, all of one library.
    jvp : callable
        ``jvp(k, t, out, *operands)``, the tangent of the result that a tangent `t` of operand k causes. Where there are
        several results, ``jvp(place, k, t, outs, *operands)`` for one of them.
    vjp : callable
        ``vjp(k, bar, out, *operands)``, the contribution to the adjoint of operand k; None for zero. Where there are
        several results, ``vjp(place, k, bar, outs, *operands)``.
    reads : bool or tuple of int
        Whether the derivatives read the operands, or which of them: constants among these are copied.

    Returns
    -------
    array or tuple of array
    """
    level, active, primals = parts_of(operands)
    if level == 0:
        out = function(*map(plain, operands))
        if not any(isinstance(x, BoxedArray) for x in operands):
            return out
        return tuple(map(boxed, out)) if isinstance(out, tuple) else boxed(out)
    out = function(*primals)
    if not isinstance(out, tuple):
        return _result(level, active, operands, primals, out, jvp, vjp, reads)

    def one(place):
        return _result(
            level, active, operands, primals, out,
            lambda k, t, outs, *xs: jvp(place, k, t, outs, *xs),
            lambda k, bar, outs, *xs: vjp(place, k, bar, outs, *xs),
            reads, place,
        )  # fmt: skip

    return tuple(one(place) if is_inexact(plain(x)) else x for place, x in enumerate(out))


def _result(level, active, operands, primals, out, jvp, vjp, reads, place=None):
    own = out if place is None else out[place]
    if not is_inexact(plain(own)):
        return own
    first = operands[active[0]]
    if first._var is None:
        with backend_of(plain(own)).context()():
            return boxed(own, level, tangents=_tangents(active, operands, primals, out, own, jvp))
    kept = []
    for k, x in enumerate(primals):
        if k in active or not (reads is True or (reads and k in reads)):
            kept.append(snapshot(x))
        else:
            kept.append(copied(x) if is_foreign(x) else snapshot(x))
    context = backend_of(plain(own)).context()

    def pull(bar):
        with context():
            own, outs, *xs = _of_one_kind(bar if level_of(bar) else plain(bar), out, *kept)
            parts = [vjp(k, own, outs, *xs) for k in active]
            # All adjoints are BoxedArrays, as some libraries' own arrays do not let others take part in a sum.
            return [None if p is None else _boxed(real_as(p, primals[k])) for k, p in zip(active, parts, strict=True)]

    indices = [operands[k]._var._index for k in active]
    var = first._var.tape.append((-1, indices, [None] * len(active), pull), own)
    return boxed(own, level, var)


def _boxed(x):
    return x if isinstance(x, BoxedArray) else boxed(x)


def _of_one_kind(*values):
    """Arrays and tuples of arrays, all plain or all BoxedArrays."""
    if not any(isinstance(x, BoxedArray) for v in values for x in (v if isinstance(v, tuple) else (v,))):
        return values
    return tuple(tuple(map(_boxed, v)) if isinstance(v, tuple) else _boxed(v) for v in values)


def _tangents(active, operands, primals, out, own, jvp):
    width = len(operands[active[0]]._tangents)
    totals = [None] * width
    for k in active:
        tangents = operands[k]._tangents
        if len(tangents) != width:
            raise ValueError(f"traced arrays with {width} and {len(tangents)} tangents do not mix")
        for i, t in enumerate(tangents):
            if t is None:
                continue
            direction, outs, *xs = _of_one_kind(t, out, *primals)
            term = jvp(k, direction, outs, *xs)
            if term is None:
                continue
            term = term if level_of(term) else plain(term)
            term = real_as(term, own)
            if plain(term).shape != plain(own).shape:
                term = FUNCTIONS["repeated"](term, plain(own).shape)
            totals[i] = term if totals[i] is None else _boxed(totals[i]) + term
    return [t if t is None or level_of(t) else plain(t) for t in totals]


def apply_linear(function, operands, transpose):
    """A function that is linear in all its operands together.

    Parameters
    ----------
    function : callable
        ``function(*operands)``.
    operands : sequence of array
    transpose : callable
        ``transpose(k, bar)``, the part of the adjoint of operand k.

    Returns
    -------
    array
    """

    def jvp(k, t, out, *xs):
        return function(*[t if j == k else FUNCTIONS["zeros_like"](x) for j, x in enumerate(xs)])

    return apply(function, operands, jvp, lambda k, bar, out, *xs: transpose(k, bar), reads=False)
