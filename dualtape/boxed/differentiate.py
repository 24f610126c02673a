"""Differentiation with respect to arrays of other libraries: where it starts from, and what it gives."""

from dualtape.boxed.apply import real_as
from dualtape.boxed.array import FUNCTIONS, BoxedArray, boxed, detached, is_any_array, level_of, plain, snapshot
from dualtape.boxed.backends import copied, is_foreign, kind_of, namespace_of
from dualtape.core.hooks import set_hooks
from dualtape.errors import InputError, escaped

__all__ = [
    "as_input",
    "blank",
    "boxed_dual",
    "boxed_output",
    "boxed_tangents",
    "boxed_variable",
    "derivative_of",
    "is_complex_array",
    "numbers_of",
    "ones_like",
    "seed",
    "stacked",
    "unit_array",
    "zero_of",
]


def as_input(x, name):
    """An array of an argument as what it is differentiated at: integers count as real numbers."""
    kind = kind_of(plain(x))
    if kind == "b":
        raise InputError(
            f"{name} holds an array of booleans, which has no derivative. Pass it by a closure or a keyword argument, "
            "or choose the arguments to differentiate with argnums."
        )
    if kind in "iu":
        xp = namespace_of(plain(x))
        return xp.astype(plain(x), xp.float64)
    if kind not in "fc":
        raise InputError(f"{name} holds an array of {plain(x).dtype}, which has no derivative")
    if isinstance(x, BoxedArray):
        return snapshot(x) if level_of(x) else plain(x)
    return x


def boxed_variable(recording, x):
    """An independent array of a recording, and what its adjoint is asked for by."""
    x = copied(x) if is_foreign(x) else snapshot(x)
    var = recording.box(x)
    return boxed(x, recording.level, var), var._index


def boxed_output(tape, x):
    """What a function returned, as a Var of the tape, or as an array that does not depend on it; None for what is no
    array.
    """
    if not isinstance(x, BoxedArray):
        return x if is_foreign(x) else None
    level = level_of(x)
    if level == 0:
        return detached(x)
    if level == tape.level and x._var is not None and x._var.tape is tape:
        return x._var
    if level >= tape.level or (x._var is not None and x._var.tape.level != level):
        raise escaped()
    return snapshot(x)


def seed(x):
    """The cotangent of a scalar result: one, of its kind."""
    return ones_like(x) if isinstance(x, BoxedArray) or is_foreign(x) else 1.0


def boxed_dual(level, x, parts):
    """An independent array of a forward level."""
    x = copied(x) if is_foreign(x) else snapshot(x)
    return boxed(x, level, tangents=[None if t is None else _own(real_as(t, x)) for t in parts])


def _own(x):
    """An array that nothing else is written through."""
    return copied(x) if is_foreign(x) else snapshot(x) if level_of(x) else detached(x)


def boxed_tangents(level, x, place):
    """An array that a function returned: its value and one of its tangents at a level."""
    own = level_of(x)
    if own > level:
        raise escaped()
    if own == level and isinstance(x, BoxedArray):
        value, t = _own(x._value), x._tangents[place]
        return value, zero_of(value) if t is None else _own(t)
    value = x if is_foreign(x) else _own(x)
    return value, zero_of(value)


def zero_of(x):
    """Zeros like an array or a number."""
    if isinstance(x, BoxedArray) or is_foreign(x):
        near = plain(x)
        return namespace_of(near).zeros_like(near)
    return 0.0


def ones_like(x):
    """Plain ones like an array."""
    near = plain(x)
    return namespace_of(near).ones_like(near)


def unit_array(x, place):
    """Zeros like an array with a one at a place in C order."""
    near = plain(x)
    xp = namespace_of(near)
    line = xp.arange(near.size, device=near.device) == place
    return xp.reshape(xp.astype(line, near.dtype), near.shape)


def derivative_of(x, derivative):
    """A derivative with respect to an array: zeros where nothing depends on it."""
    # Adjoints of several variables may be one array, which may be spread over memory that repeats.
    return _own(derivative) if is_any_array(derivative) else zero_of(x)


def is_complex_array(x):
    """Whether an array is of complex numbers."""
    return kind_of(plain(x)) == "c"


def blank(x):
    """What stands for an array whose elements are let go of."""
    near = plain(x)
    return namespace_of(near).empty_like(near)


def numbers_of(x):
    """The elements of an array in C order, as numbers of the host."""
    flat = FUNCTIONS["reshape"](x, (-1,))
    return [FUNCTIONS["item"](flat[k]) for k in range(flat.shape[0])]


def stacked(parts, shape, near):
    """Arrays or numbers of one kind as one array of a given shape."""
    if not parts:
        shape = tuple(0 if n == -1 else n for n in shape)
        return namespace_of(plain(near)).zeros(shape, dtype=plain(near).dtype, device=plain(near).device)
    parts = [FUNCTIONS["array_of"](p, near) for p in parts]
    return FUNCTIONS["reshape"](FUNCTIONS["stack"](parts, axis=0), shape)


def beside_array(hook):
    """What the core calls where a number stands beside something else: NotImplemented where that is no array."""

    def function(*args):
        if not any(is_any_array(x) for x in (args[1] if hook == "of_boxed" else args)):
            return NotImplemented
        return FUNCTIONS[hook](*args)

    return function


set_hooks(
    {"boxed_output": boxed_output, "seed": seed, "cupy_kernel": lambda *args: FUNCTIONS["kernel"](*args)}
    | {name: beside_array(name) for name in ("operator_beside_array", "compare_beside_array", "of_boxed")},
    {},
    {},
    {},
)
