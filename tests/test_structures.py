"""Arguments of any nesting: gradients have the structure of what they differentiate."""

import dataclasses
import types
from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import NamedTuple

import numpy as np
import optree
import pytest
from numpy.testing import assert_array_equal

import dualtape as dt

Point = namedtuple("Point", "x y")


class Typed(NamedTuple):
    a: float
    b: float = 2.0


@dataclasses.dataclass
class Body:
    mass: float
    velocity: tuple
    name: str = "body"
    parent: object = None


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    a: float
    b: float


@dataclasses.dataclass(kw_only=True)
class Keyword:
    b: float
    a: float


@dataclasses.dataclass
class Derived:
    radius: float
    area: float = dataclasses.field(init=False)

    def __post_init__(self):
        self.area = 3.0 * self.radius * self.radius


def product(*leaves):
    out = 1.0
    for leaf in leaves:
        out = out * leaf
    return out


CASES = {
    "tuple": (lambda t: product(*t), (2.0, 3.0), (3.0, 2.0)),
    "list": (lambda t: product(*t), [2.0, 3.0], [3.0, 2.0]),
    "nested": (lambda t: product(t[0], t[1][0], t[1][1]["k"]), (2.0, [3.0, {"k": 4.0}]), (12.0, [8.0, {"k": 6.0}])),
    "dict": (lambda d: product(*d.values()), {"b": 2.0, "a": 3.0}, {"b": 3.0, "a": 2.0}),
    "namedtuple": (lambda p: p.x * p.x * p.y, Point(2.0, 3.0), Point(12.0, 4.0)),
    "NamedTuple": (lambda p: p.a * p.b, Typed(3.0), Typed(2.0, 3.0)),
    "OrderedDict": (lambda d: d["z"] * d["a"], OrderedDict(z=2.0, a=3.0), OrderedDict(z=3.0, a=2.0)),
    "defaultdict": (lambda d: d["a"] * d["a"], defaultdict(list, a=2.0), defaultdict(list, a=4.0)),
    "deque": (lambda d: d[0] * d[1], deque([2.0, 3.0]), deque([3.0, 2.0])),
    "None and str": (lambda t: t[0] * 2, (1.0, None, "text", [None]), (2.0, None, None, [None])),
    "empty": (lambda t: 1.0, (), ()),
    "empty inside": (lambda t: t["a"] * 1.0, {"a": 1.0, "b": [], "c": {}}, {"a": 1.0, "b": [], "c": {}}),
    "int leaves": (lambda t: t[0] * t[1], [2, 3], [3.0, 2.0]),
    "dataclass": (lambda b: b.mass * b.velocity[0], Body(2.0, (3.0, 4.0)), Body(3.0, (2.0, 0.0), None, None)),
    "frozen slots": (lambda f: f.a * f.b * f.b, Frozen(2.0, 3.0), Frozen(9.0, 12.0)),
    "keyword only": (lambda k: k.a * k.b * k.b, Keyword(a=2.0, b=3.0), Keyword(a=9.0, b=12.0)),
    "dataclass in list": (
        lambda bodies: bodies[0].mass * bodies[1].parent.mass,
        [Body(2.0, ()), Body(1.0, (), parent=Body(3.0, ()))],
        [Body(3.0, (), None), Body(0.0, (), None, Body(2.0, (), None))],
    ),
}


@pytest.mark.parametrize(("f", "x", "expected"), CASES.values(), ids=CASES)
def test_gradient_has_the_structure_of_its_argument(f, x, expected):
    before = repr(x)
    for slope in (dt.gradient(f, x), dt.gradient(f)(x), dt.value_and_gradient(f, x)[1], dt.pullback(f, x)[1](1.0)):
        assert slope == expected
        assert type(slope) is type(expected)
        assert repr(slope) == repr(expected)
    assert repr(x) == before
    assert dt.gradient(lambda a, x: a * f(x), 2.0, x)[1] == dt.gradient(lambda x: 2.0 * f(x), x)
    assert dt.gradient(lambda a, x: f(x), 2.0, x, argnums=1) == expected


@pytest.mark.parametrize(("f", "x", "expected"), CASES.values(), ids=CASES)
def test_gradient_of_gradient_through_structures(f, x, expected):
    def f_squared(t, x):
        return sum(_numbers(dt.gradient(lambda x: t * f(x), x))) + 0.0 * t

    total = sum(_numbers(expected))
    for differentiate in (dt.derivative, dt.gradient):
        assert differentiate(lambda t: f_squared(t, x), 1.5) == pytest.approx(total)


def _numbers(tree):
    """The numeric leaves, dataclasses included, in some order."""
    if dataclasses.is_dataclass(tree):
        for field in dataclasses.fields(tree):
            yield from _numbers(getattr(tree, field.name))
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from _numbers(value)
    elif isinstance(tree, list | tuple | deque):
        for value in tree:
            yield from _numbers(value)
    elif tree is not None and not isinstance(tree, str):
        yield tree


def test_hvp_and_pushforward_take_dataclasses():
    f = lambda p: p.a**2 * p.b
    x, v = Frozen(2.0, 3.0), Frozen(1.0, 0.5)
    assert dt.pushforward(f, x, v) == (12.0, 12.0 + 2.0)
    assert dt.hvp(f, x, v) == Frozen(6.0 + 2.0, 4.0)


def test_hessian_and_jacobian_of_dataclasses_and_namedtuples():
    f = lambda p: p[0] ** 2 * p[1] if isinstance(p, Point) else p.a**2 * p.b
    assert dt.jacobian(f, Point(2.0, 3.0)) == Point(12.0, 4.0)
    assert dt.hessian(f, Point(2.0, 3.0)) == Point(Point(6.0, 4.0), Point(4.0, 0.0))
    assert dt.jacobian(f, Frozen(2.0, 3.0)) == Frozen(12.0, 4.0)
    assert dt.hessian(f, Frozen(2.0, 3.0)) == Frozen(Frozen(6.0, 4.0), Frozen(4.0, 0.0))


def test_a_dataclass_with_a_derived_field():
    # __post_init__ runs with the traced radius: what it derives depends on the radius, and is no input of its own.
    slope = dt.gradient(lambda c: c.area * c.radius, Derived(2.0))
    assert slope.radius == 9 * 2.0**2
    assert slope.area == 0.0


@dataclasses.dataclass
class Scaled:
    a: float
    scale: dataclasses.InitVar[float] = 2.0

    def __post_init__(self, scale):
        self.product = self.a * scale


@dataclasses.dataclass
class Counted:
    a: float
    count: float = dataclasses.field(default=0.0, init=False)


@dataclasses.dataclass
class OwnConstructor:
    a: float

    def __init__(self, doubled):
        self.a = doubled / 2


@dataclasses.dataclass
class Noted:
    a: float


def test_dataclasses_arrive_as_they_were_passed():
    # What f sees is what was passed, with traced numbers in place of the fields' numbers.
    counted, noted = Counted(2.0), Noted(2.0)
    counted.count = 5.0
    noted.remark = 5.0
    assert dt.gradient(lambda c: c.a * c.count, counted).a == 5.0
    assert dt.gradient(lambda n: n.a * n.remark, noted).a == 5.0
    assert dt.gradient(lambda o: o.a * 5.0, OwnConstructor(4.0)).a == 5.0
    try:
        slope = dt.gradient(lambda s: s.a * s.product, Scaled(2.0, 5.0)).a
    except dt.InputError:
        return  # what an InitVar was is not known any more
    assert slope in (10.0, 20.0)


class Unregistered:
    def __init__(self, a):
        self.a = a


@pytest.mark.parametrize(
    "x", [Unregistered(2.0), types.SimpleNamespace(a=2.0), types.MappingProxyType({"a": 2.0}), {1.0, 2.0}], ids=str
)
def test_unknown_containers_are_refused(x):
    # A container of numbers that nobody can take apart would have no gradient: an error, not None.
    for differentiate in (dt.gradient, dt.value_and_gradient, dt.jacobian, dt.hessian):
        with pytest.raises(TypeError) as info:
            differentiate(lambda x: 1.0, x)
        assert isinstance(info.value, dt.DualtapeError)


@pytest.mark.parametrize(
    "wrap",
    [Unregistered, lambda y: types.SimpleNamespace(a=y), lambda y: (y for _ in range(2)), lambda y: [Unregistered(y)]],
    ids=["object", "namespace", "generator", "object in a list"],
)
def test_unknown_results_are_refused(wrap):
    f = lambda x: wrap(x * x)
    for differentiate in (
        dt.derivative,
        dt.gradient,
        dt.pullback,
        lambda f, x: dt.pushforward(f, x, 1.0),
        lambda f, x: dt.jacobian(f, x, mode="forward"),
        lambda f, x: dt.jacobian(f, x, mode="reverse"),
        lambda f, x: dt.taylor(f, x, 1),
    ):
        with pytest.raises(TypeError) as info:
            differentiate(f, 3.0)
        assert isinstance(info.value, dt.DualtapeError)


def test_dataclasses_as_results():
    out = dt.derivative(lambda x: Body(x * x, (x, 1.0), "n"), 3.0)
    assert out == Body(6.0, (1.0, 0.0), None, None)
    value, tangent = dt.pushforward(lambda x: Frozen(x * x, x), 3.0, 1.0)
    assert (value, tangent) == (Frozen(9.0, 3.0), Frozen(6.0, 1.0))
    value, back = dt.pullback(lambda x: Frozen(x * x, x), 3.0)
    assert value == Frozen(9.0, 3.0)
    assert back(Frozen(1.0, 10.0)) == 16.0


def test_dict_keys_of_any_kind_keep_their_order():
    x = {"b": 1.0, 3: 2.0, ("t", 1): 3.0, None: 4.0}
    slope = dt.gradient(lambda d: d["b"] * d[3] * d["t", 1] * d[None], x)
    assert slope == {"b": 24.0, 3: 12.0, ("t", 1): 8.0, None: 6.0}
    assert list(slope) == list(x)
    assert list(dt.gradient(lambda d: d["b"] * d["a"], {"b": 1.0, "a": 1.0})) == ["b", "a"]


def test_arrays_of_several_shapes_and_dtypes_in_one_structure():
    x = {
        "w": np.arange(6.0).reshape(2, 3),
        "b": np.array([1.0, 2.0], dtype=np.float32),
        "s": np.float64(2.0),
        "n": 3,
        "label": "net",
    }

    def f(p):
        return sum(p["b"][i] * p["w"][i, j] ** 2 for i in range(2) for j in range(3)) * p["s"] * p["n"]

    slope = dt.gradient(f, x)
    assert_array_equal(slope["w"], 2 * 6 * x["w"] * np.array([[1.0], [2.0]]))
    assert slope["w"].shape == (2, 3) and slope["w"].dtype == np.float64
    assert slope["b"].dtype == np.float32
    assert_array_equal(slope["b"], 6 * (x["w"] ** 2).sum(axis=1))
    assert slope["n"] == 2.0 * (5.0 + 2 * 50.0)
    assert slope["label"] is None


def test_a_class_registered_with_optree():
    class Pair:
        def __init__(self, left, right):
            self.left, self.right = left, right

    optree.register_pytree_node(
        Pair, lambda pair: ((pair.left, pair.right), None), lambda _, children: Pair(*children), namespace="dualtape"
    )
    slope = dt.gradient(lambda pair: pair.left * pair.right**2, Pair(2.0, 3.0))
    assert isinstance(slope, Pair)
    assert (slope.left, slope.right) == (9.0, 12.0)


def test_leaves_that_are_not_numbers_arrive_as_they_are():
    marker = object()
    seen = []

    def f(tree):
        seen.append(tree[1:])
        return tree[0] * 2.0

    slope = dt.gradient(f, [1.0, "text", None, marker])
    assert seen == [["text", None, marker]]
    assert slope == [2.0, None, None, None]


def test_a_traced_leaf_deep_in_a_structure_of_the_output():
    def f(x):
        return {"deep": [({"x": (x,)},)]}

    assert dt.derivative(f, 1.0) == {"deep": [({"x": (1.0,)},)]}
    assert dt.jacobian(f, 1.0, mode="reverse") == {"deep": [({"x": (1.0,)},)]}


def test_a_list_that_contains_itself_is_refused_or_at_least_does_not_crash():
    x = [1.0]
    x.append(x)
    with pytest.raises((RecursionError, TypeError, ValueError)):
        dt.gradient(lambda v: v[0], x)


def test_keyword_arguments_of_any_structure():
    def f(x, *, options):
        return x * options["scale"] * options["items"][1]

    assert dt.gradient(f, 2.0, options={"scale": 3.0, "items": [1, 2], "flag": True}) == 6.0
    assert dt.gradient(f)(2.0, options={"scale": 3.0, "items": [1, 2]}) == 6.0
    assert dt.derivative(f)(2.0, options={"scale": 3.0, "items": [1, 2]}) == 6.0
    assert dt.hessian(f)(2.0, options={"scale": 3.0, "items": [1, 2]}) == 0.0
    assert dt.jacobian(f)(2.0, options={"scale": 3.0, "items": [1, 2]}) == 6.0
