"""Arguments and results in any nesting of tuples, lists, dicts, namedtuples and dataclasses.

A *leaf* is a number or an array. `Leaves` takes the leaves of an argument apart into a flat list of numbers, puts
traced numbers in their places, and puts derivatives back with the structure, shape and dtype of the argument.
"""

import contextvars
import functools
import numbers

import numpy as np

from dualtape.arrays.creation import array
from dualtape.boxed.array import is_any_array as is_boxed
from dualtape.boxed.backends import mixed
from dualtape.boxed.differentiate import as_input, blank, derivative_of, numbers_of, stacked
from dualtape.core import traced
from dualtape.core.array import Array
from dualtape.core.traced import Traced
from dualtape.core.values import level_of, plain_of
from dualtape.errors import InputError, OptionError, numbers_hint, unknown_result

__all__ = [
    "Leaves", "array_of", "coerce", "elements", "flatten", "is_array", "is_boxed", "map_leaves", "object_array",
    "unflatten",
]  # fmt: skip

_NAMESPACE = "dualtape"
# While arguments are rebuilt around traced values, dataclasses run their own __init__, so that what they derive from
# their fields carries derivatives; a gradient, in contrast, need not fulfil the class's conditions.
_CONSTRUCT = contextvars.ContextVar("dualtape_construct", default=False)


class _Origin:
    """The dataclass instance that was taken apart. Two compare equal if they are of one class."""

    def __init__(self, instance, names):
        self.instance = instance
        self.names = names

    def __eq__(self, other):
        return type(self.instance) is type(other.instance)

    def __hash__(self):
        return hash(type(self.instance))

    def __repr__(self):
        return type(self.instance).__name__


def _register(kind):
    """Make a dataclass a node of structures."""
    import dataclasses

    import optree

    fields = dataclasses.fields(kind)
    names = tuple(field.name for field in fields)
    initial = tuple(field.name for field in fields if field.init)

    def take_apart(instance):
        return [getattr(instance, name) for name in names], _Origin(instance, names), names

    def put_together(origin, children):
        values = dict(zip(names, children, strict=True))
        if _CONSTRUCT.get():
            return _rebuild_dataclass(origin.instance, values, initial)
        return _with_fields(object.__new__(kind), values)

    optree.register_pytree_node(kind, take_apart, put_together, namespace=_NAMESPACE)


def _with_fields(instance, values):
    for name, value in values.items():
        object.__setattr__(instance, name, value)
    return instance


def _rebuild_dataclass(original, values, initial):
    """A dataclass instance with other numbers in its fields.

    Its constructor makes it if it can make the original, so that what ``__post_init__`` derives from the fields is
    derived from the new numbers. Otherwise it is a copy with its fields replaced.
    """
    import copy

    kind = type(original)
    try:
        twin = kind(**{name: getattr(original, name) for name in initial})
    except Exception:  # a constructor of the class's own, or InitVars without a default
        return _with_fields(copy.copy(original), values)
    attributes = set(getattr(original, "__dict__", ())) - set(values)
    for name in attributes & set(getattr(twin, "__dict__", ())):
        if not _same(getattr(twin, name), getattr(original, name)):
            raise InputError(
                f"the dataclass {kind.__name__} derives its attribute {name!r} from something that is no field any "
                "more (an InitVar?), so that its dependence on the fields is not known. Make that a field, or pass "
                "the fields by themselves."
            )
    if not all(_same(getattr(twin, name, None), getattr(original, name)) for name in values):
        return _with_fields(copy.copy(original), values)
    instance = kind(**{name: values[name] for name in initial})
    for name in attributes - set(getattr(instance, "__dict__", ())):
        object.__setattr__(instance, name, getattr(original, name))
    return instance


def _same(x, y):
    """Whether two attributes are equal, arrays included."""
    if x is y:
        return True
    try:
        return bool(np.all(x == y)) and np.shape(x) == np.shape(y)
    except (TypeError, ValueError):
        return False


_dataclasses: set[type] = set()


def flatten(structure):
    """Leaves and structure of `structure`."""
    import optree  # not needed for single numbers: importing it costs 10 ms

    leaves, spec = optree.tree_flatten(structure, namespace=_NAMESPACE)
    new = {type(leaf) for leaf in leaves if hasattr(type(leaf), "__dataclass_fields__")} - _dataclasses
    if not new:
        return leaves, spec
    for kind in new:
        # One that a user registered with optree is a node already and never comes here.
        _dataclasses.add(kind)
        _register(kind)
    return flatten(structure)


def unflatten(spec, leaves, construct=False):
    """The structure with other leaves; with `construct`, through the constructors of dataclasses."""
    import optree

    token = _CONSTRUCT.set(construct)
    try:
        return optree.tree_unflatten(spec, leaves)
    finally:
        _CONSTRUCT.reset(token)


def map_leaves(function, structure):
    """`function` of every leaf."""
    leaves, spec = flatten(structure)
    return unflatten(spec, [function(leaf) for leaf in leaves])


def object_array(values, shape):
    """An array of numbers that are not all Python's own: of NumPy's extended precision where that is what they are,
    else of objects.
    """
    extended = (np.longdouble, np.clongdouble)
    if any(isinstance(x, extended) for x in values) and all(isinstance(x, (int, float, *extended)) for x in values):
        return np.array(values).reshape(shape)
    return _objects(values, shape)


def _objects(values, shape):
    """An object array of given elements, without a look inside them."""
    return np.fromiter(values, dtype=object, count=len(values)).reshape(shape)


def coerce(leaf, derivative):
    """A derivative with respect to `leaf`, as a number of its kind."""
    kind = type(leaf)
    if type(derivative) is float and (kind is float or kind is int):
        return derivative
    if isinstance(derivative, Traced) or isinstance(leaf, Traced):
        return derivative
    real = isinstance(derivative, numbers.Real)
    if kind is float or kind is int:
        return float(derivative) if type(derivative) in (int, float) else derivative
    if isinstance(leaf, np.generic) and isinstance(derivative, numbers.Number):
        if isinstance(leaf, np.inexact):
            return kind(derivative) if real or isinstance(leaf, np.complexfloating) else derivative
        return np.float64(derivative) if real else derivative
    if kind is complex:
        return complex(derivative)
    if type(derivative) is float and derivative.is_integer():
        derivative = int(derivative)
    if type(derivative) is int:
        # A constant slope: in the arithmetic of the leaf (Fraction, Decimal, mpf, a SymPy expression).
        return leaf * 0 + derivative
    return derivative


class Leaves:
    """An argument taken apart.

    Parameters
    ----------
    structure : object
        Any nesting of containers, with numbers and arrays as leaves.
    name : str
        What to call the argument in messages.

    Attributes
    ----------
    slots : list
        What differentiation is with respect to: numbers, and arrays of them as wholes. The elements of an object
        array are numbers of their own.
    """

    def __init__(self, structure, name="the argument"):
        self.name = name
        self.flat = None
        if type(structure) in (list, tuple) and all(type(x) is float for x in structure):
            # By far the most usual structure goes without the help of optree.
            self.flat = type(structure)
            self.slots = self.leaves = list(structure)
            self.counts = [1] * len(structure)
            return
        if type(structure) is np.ndarray:
            self.leaves, self.spec = [structure], _leaf_spec()
        else:
            self.leaves, self.spec = flatten(structure)
        self.slots = []
        self.counts = []  # how many slots each leaf takes; None for a leaf that passes through
        for leaf in self.leaves:
            self.counts.append(self._take(leaf))
        strangers = [x for x, n in zip(self.leaves, self.counts, strict=True) if n is None]
        if len(strangers) == len(self.leaves) and not all(isinstance(x, (str, bytes)) for x in strangers):
            if name == "the result":
                raise unknown_result(type(structure))
            raise InputError(
                f"{name} is of type {type(structure).__name__!r}, in which there are no numbers that dualtape can see. "
                "Pass numbers, arrays, tuples, lists, dicts, namedtuples or dataclasses of them, register the class "
                "with optree.register_pytree_node(..., namespace='dualtape'), or leave the argument out by argnums."
                + numbers_hint(type(structure))
            )

    def _take(self, leaf):
        if type(leaf) is float:
            self.slots.append(leaf)
            return 1
        if isinstance(leaf, np.ndarray):
            return self._take_array(leaf)
        if is_boxed(leaf):
            self.slots.append(as_input(leaf, self.name))
            return 1
        if isinstance(leaf, Array):
            self.slots.append(leaf if level_of(leaf) else plain_of(leaf).copy())
            return 1
        if isinstance(leaf, (bool, np.bool_)):
            raise InputError(
                f"{self.name} holds a boolean, which has no derivative. Pass it by a closure or a keyword argument, or "
                "choose the arguments to differentiate with argnums."
            )
        number = traced.to_number(leaf)
        if number is None:
            return None
        self.slots.append(float(number) if type(number) is int else number)
        return 1

    def _take_array(self, leaf):
        kind = leaf.dtype.kind
        if isinstance(leaf, np.ma.MaskedArray):
            raise InputError(
                f"{self.name} holds a masked array, whose mask a derivative would ignore. Pass x.filled(...) or "
                "x.compressed()."
            )
        if kind == "b":
            raise InputError(
                f"{self.name} holds an array of booleans, which has no derivative. Pass it by a closure or a keyword "
                "argument, or choose the arguments to differentiate with argnums."
            )
        if kind in "fc":
            plain = leaf if type(leaf) is np.ndarray else np.asarray(leaf)
            self.slots.append(plain if plain.dtype.isnative else plain.astype(plain.dtype.newbyteorder("=")))
            return 1
        if kind in "iu":
            self.slots.append(np.asarray(leaf).astype(np.float64))
            return 1
        if kind != "O":
            return None
        values = np.asarray(leaf).ravel().tolist()
        booleans = any(isinstance(x, (bool, np.bool_)) for x in values)
        values = [traced.to_number(x) for x in values]
        if booleans or any(x is None for x in values):
            raise InputError(f"{self.name} holds an object array with elements that are no real or complex numbers")
        self.slots.extend(float(x) if type(x) is int else x for x in values)
        return leaf.size

    @property
    def numbers(self):
        """All numbers, those of arrays in C order."""
        if not any(is_array(x) for x in self.slots):
            return self.slots
        out = []
        for x in self.slots:
            out.extend(elements(x) if is_array(x) else [x])
        return out

    @property
    def size(self):
        """How many numbers there are."""
        return sum(x.size if is_array(x) else 1 for x in self.slots)

    @property
    def has_arrays(self):
        """Whether a slot is an array."""
        return any(is_array(x) for x in self.slots)

    @property
    def shape(self):
        """The shape of the argument read as one array: a number, an array, or nested lists and tuples of numbers; None
        for other structures.
        """
        if self.flat is not None:
            return (len(self.leaves),)
        if len(self.leaves) == 1 and self.spec.is_leaf():
            return self.leaves[0].shape if is_array(self.leaves[0]) else ()
        return _nested_shape(self.spec, self.leaves)

    @property
    def dtype(self):
        """The dtype of derivatives with respect to the argument as one array."""
        kinds = {x.dtype for x in self.leaves if isinstance(x, (np.ndarray, np.generic, Array)) and x.dtype.kind == "f"}
        return kinds.pop() if len(kinds) == 1 and len(self.leaves) == 1 else np.dtype(np.float64)

    def must_match(self, other, name):
        """Raise unless both have the same structure, or are the same vector or matrix in other containers."""
        same = self.size == other.size
        if same and (self.shape is None or self.shape != other.shape):
            same = self.places() == other.places()
        if not same:
            raise OptionError(
                f"{self.name} must have the structure of {name}: {self._description()} against {other._description()}"
            )

    def like(self, other):
        """The numbers in the slots of another structure that this one matches: those of its arrays as arrays."""
        if len(self.slots) == len(other.slots) and all(
            (x.shape if is_array(x) else None) == (y.shape if is_array(y) else None)
            for x, y in zip(self.slots, other.slots, strict=True)
        ):
            for x, y in zip(self.slots, other.slots, strict=True):
                if is_array(x) and is_boxed(x) != is_boxed(y):
                    raise mixed(*((y, x) if is_boxed(x) else (x, y)))
            return self.slots
        return other.slots_of(self.numbers)

    def slots_of(self, numbers):
        """Numbers, as many as the structure has, as values for its slots: those of its arrays as arrays."""
        out, place = [], 0
        for x in self.slots:
            if is_boxed(x):
                out.append(stacked(list(numbers[place : place + x.size]), x.shape, x))
                place += x.size
            elif is_array(x):
                out.append(array_of(numbers[place : place + x.size], x.shape))
                place += x.size
            else:
                out.append(numbers[place].item() if isinstance(numbers, np.ndarray) else numbers[place])
                place += 1
        return out

    def _description(self):
        shape = self.shape
        kind = f"structure {self.spec}" if shape is None else f"shape {shape}" if shape else "a number"
        return f"{self.size} numbers ({kind})"

    def forget(self):
        """Let go of the numbers, keeping the structure: traced values keep their tape from serving again."""
        self.leaves = [_blank(x) for x in self.leaves]
        self.slots = [_blank(x) for x in self.slots]

    def places(self):
        """Where each number stands, as Python would write it: ``['a'][0]``."""
        if self.flat is not None:
            return [f"[{k}]" for k in range(len(self.leaves))]
        out = []
        for accessor, leaf, count in zip(self.spec.accessors(), self.leaves, self.counts, strict=True):
            path = accessor.codify("")
            if is_array(leaf) and leaf.ndim:
                out.extend(f"{path}[{', '.join(map(str, index))}]" for index in np.ndindex(leaf.shape))
            elif count:
                out.append(path)
        return out

    def unflatten(self, leaves):
        """The structure with other leaves."""
        return self.flat(leaves) if self.flat is not None else unflatten(self.spec, leaves)

    def rebuild(self, values):
        """The argument with other values in its slots."""
        if self.flat is not None:
            return self.flat(values)
        place = 0
        leaves = []
        for leaf, count in zip(self.leaves, self.counts, strict=True):
            if count is None:
                leaves.append(leaf)
            elif isinstance(leaf, np.ndarray) and leaf.dtype == object:
                leaves.append(_objects(values[place : place + count], leaf.shape))
                place += count
            else:
                leaves.append(values[place])
                place += count
        return unflatten(self.spec, leaves, construct=True)

    def derivatives(self, values):
        """Derivatives, one for each slot, with the argument's structure, shapes and dtypes; None where a leaf is no
        number.
        """
        if self.flat is not None:
            return self.flat([coerce(x, d) for x, d in zip(self.leaves, values, strict=True)])
        place = 0
        leaves = []
        for leaf, count in zip(self.leaves, self.counts, strict=True):
            if count is None:
                leaves.append(None)
                continue
            part = values[place : place + count]
            place += count
            if isinstance(leaf, np.ndarray) and leaf.dtype == object:
                elements_ = leaf.ravel().tolist()
                leaves.append(_objects([coerce(x, d) for x, d in zip(elements_, part, strict=True)], leaf.shape))
            elif is_array(leaf):
                leaves.append(_array_like(leaf, part[0]))
            else:
                leaves.append(coerce(leaf, part[0]))
        return unflatten(self.spec, leaves)


def _blank(x):
    """What stands for a leaf whose numbers are let go of."""
    return blank(x) if is_boxed(x) else np.empty(x.shape, x.dtype) if is_array(x) else 0.0


@functools.cache
def _leaf_spec():
    """The structure of a single leaf."""
    return flatten(0.0)[1]


def is_array(x):
    """Whether `x` is an array, plain or traced."""
    return isinstance(x, (np.ndarray, Array)) or is_boxed(x)


def elements(x):
    """The elements of an array in C order, as numbers."""
    if isinstance(x, np.ndarray):
        return x.ravel().tolist()
    if is_boxed(x):
        return numbers_of(x)
    flat = x.ravel()
    return [flat[k] for k in range(x.size)]


def array_of(values, shape):
    """Numbers as an array; traced ones as a traced array."""
    if isinstance(values, np.ndarray):
        return values.reshape(shape)
    if any(isinstance(x, (Traced, Array)) and level_of(x) for x in values):
        return array(list(values)).reshape(shape)
    return np.array([plain_of(x) for x in values]).reshape(shape)


def _array_like(leaf, derivative):
    """A derivative with respect to an array."""
    if is_boxed(leaf):
        return derivative_of(leaf, derivative)
    if isinstance(derivative, Array) and level_of(derivative):
        return derivative
    derivative = np.asarray(plain_of(derivative))
    dtype = leaf.dtype if leaf.dtype.kind in "fc" else np.dtype(np.float64)
    if derivative.dtype == dtype or (derivative.dtype.kind == "c" and dtype.kind != "c"):
        return derivative
    return derivative.astype(dtype)


def _nested_shape(spec, leaves):
    if spec.type not in (list, tuple) or any(is_array(leaf) and leaf.ndim for leaf in leaves):
        return None
    children = spec.children()
    if all(child.is_leaf() for child in children):
        return (len(children),) if all(is_array(x) or traced.to_number(x) is not None for x in leaves) else None
    shapes = []
    place = 0
    for child in children:
        if child.is_leaf():
            return None
        shapes.append(_nested_shape(child, leaves[place : place + child.num_leaves]))
        place += child.num_leaves
    if None in shapes or len(set(shapes)) != 1:
        return None
    return (len(children), *shapes[0])
