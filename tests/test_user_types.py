"""Classes that know nothing of dualtape, and mix with traced values all the same."""

import dataclasses
import enum
import functools
import math
import operator

import pytest

import dualtape as dt
from modes import FIRST, SECOND

modes = pytest.mark.parametrize("differentiate", FIRST.values(), ids=FIRST)


@dataclasses.dataclass
class Vector:
    """A plane vector of whatever its coordinates are."""

    x: object
    y: object

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def __mul__(self, factor):
        return Vector(self.x * factor, self.y * factor)

    __rmul__ = __mul__

    def __matmul__(self, other):
        return self.x * other.x + self.y * other.y

    def __abs__(self):
        return (self @ self) ** 0.5


@modes
def test_a_vector_class(differentiate):
    def f(t):
        v = t * Vector(3.0, t) + Vector(1.0, -t) * 2.0
        return abs(v) + v @ v

    def plain(t):
        x, y = 3 * t + 2, t * t - 2 * t
        return math.sqrt(x * x + y * y) + x * x + y * y

    quotient = (plain(1.2 + 1e-6) - plain(1.2 - 1e-6)) / 2e-6
    assert differentiate(f, 1.2) == pytest.approx(quotient, rel=1e-8)


class Polynomial:
    """Coefficients from the constant upwards; mixes with anything that adds and multiplies."""

    def __init__(self, *coefficients):
        self.coefficients = coefficients

    def __add__(self, other):
        if not isinstance(other, Polynomial):
            other = Polynomial(other)
        longer, shorter = sorted((self.coefficients, other.coefficients), key=len, reverse=True)
        added = [a + b for a, b in zip(longer, shorter, strict=False)]
        return Polynomial(*added, *longer[len(shorter) :])

    __radd__ = __add__

    def __mul__(self, other):
        if not isinstance(other, Polynomial):
            other = Polynomial(other)
        out = [0] * (len(self.coefficients) + len(other.coefficients) - 1)
        for i, a in enumerate(self.coefficients):
            for j, b in enumerate(other.coefficients):
                out[i + j] = out[i + j] + a * b
        return Polynomial(*out)

    __rmul__ = __mul__

    def __call__(self, x):
        return functools.reduce(lambda acc, c: acc * x + c, reversed(self.coefficients), 0)


@modes
def test_a_polynomial_with_traced_coefficients(differentiate):
    def f(t):
        p = t * Polynomial(1.0, t) + Polynomial(t, 0.0, 2.0) * t + t
        return p(t) * (p * p)(0.5)

    # p(z) = (t^2 + 2 t) + t^2 z + 2 t z^2
    def plain(t):
        def p(z):
            return (t * t + 2 * t) + t * t * z + 2 * t * z * z

        return p(t) * p(0.5) ** 2

    quotient = (plain(0.7 + 1e-6) - plain(0.7 - 1e-6)) / 2e-6
    assert differentiate(f, 0.7) == pytest.approx(quotient, rel=1e-8)


def test_reflected_operators_of_a_user_class_come_into_play():
    class Logger:
        def __init__(self):
            self.seen = []

        def _note(self, other):
            self.seen.append(type(other))
            return other * 2.0

        __add__ = __radd__ = __mul__ = __rmul__ = __sub__ = __rsub__ = _note
        __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __mod__ = __rmod__ = _note
        __floordiv__ = __rfloordiv__ = __matmul__ = __rmatmul__ = _note

    for op in (
        operator.add,
        operator.mul,
        operator.sub,
        operator.truediv,
        operator.pow,
        operator.mod,
        operator.floordiv,
        operator.matmul,
    ):
        for differentiate in (dt.derivative, dt.gradient):
            log = Logger()
            assert differentiate(lambda x: op(x, log), 3.0) == 2.0
            assert differentiate(lambda x: op(log, x), 3.0) == 2.0
            assert len(log.seen) == 2


def test_a_user_class_compared_with_traced_values():
    class Threshold:
        def __init__(self, limit):
            self.limit = limit

        def __gt__(self, other):
            return self.limit > other

        def __lt__(self, other):
            return self.limit < other

        def __eq__(self, other):
            return self.limit == other

    for differentiate in (dt.derivative, dt.gradient):
        assert differentiate(lambda x: x if x < Threshold(2.0) else -x, 1.0) == 1.0
        assert differentiate(lambda x: x if Threshold(2.0) < x else -x, 1.0) == -1.0
        assert differentiate(lambda x: x if x == Threshold(1.0) else -x, 1.0) == 1.0


class Measured(float):
    """A subclass of float: a plain number as far as arithmetic goes."""


@modes
def test_a_subclass_of_float_is_a_number(differentiate):
    assert differentiate(lambda x: x * Measured(3.0) + Measured(1.0) / x, 2.0) == 2.75
    assert differentiate(lambda x: x * x, Measured(3.0)) == 6.0


def test_an_enum_or_int_subclass_is_a_number():
    class Order(enum.IntEnum):
        TWO = 2

    for differentiate in FIRST.values():
        assert differentiate(lambda x: x**Order.TWO * Order.TWO, 3.0) == 12.0


class Interval:
    """An interval, as a boxed number of the user's own: dualtape knows nothing of it."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def __add__(self, other):
        other = _interval(other)
        return Interval(self.low + other.low, self.high + other.high)

    __radd__ = __add__

    def __neg__(self):
        return Interval(-self.high, -self.low)

    def __sub__(self, other):
        return self + -_interval(other)

    def __rsub__(self, other):
        return -self + other

    def __mul__(self, other):
        other = _interval(other)
        ends = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Interval(min(ends), max(ends))

    __rmul__ = __mul__

    def __eq__(self, other):
        other = _interval(other)
        return (self.low, self.high) == (other.low, other.high)

    __hash__ = None


def _interval(x):
    return x if isinstance(x, Interval) else Interval(x, x)


def test_a_users_number_as_constant():
    # t * [1, 2] + t * t: the derivative is [1, 2] + 2 t.
    for differentiate in (dt.derivative, dt.gradient):
        slope = differentiate(lambda t: (t * Interval(1.0, 2.0)).high + t * t, 3.0)
        assert slope == 8.0


def test_methods_and_attributes_hold_traced_values():
    class Account:
        interest = 0.05

        def __init__(self, balance):
            self.balance = balance
            self.history = []

        def year(self):
            self.history.append(self.balance)
            self.balance *= 1 + self.interest
            return self

        @property
        def doubled(self):
            return 2 * self.balance

    def f(x):
        account = Account(x)
        for _ in range(3):
            account.year()
        return account.doubled + account.history[0]

    for differentiate in FIRST.values():
        assert differentiate(f, 100.0) == pytest.approx(2 * 1.05**3 + 1, rel=1e-15)


class Pendulum:
    """A callable object, a bound method, a class method and a static method."""

    length = 2.0

    def __call__(self, angle):
        return self.length * dt.cos(angle)

    def energy(self, angle):
        return -self(angle)

    @classmethod
    def area(cls, angle):
        return cls.length**2 * angle / 2

    @staticmethod
    def square(angle):
        return angle * angle


@pytest.mark.parametrize(
    ("f", "slope", "curvature"),
    [
        (Pendulum(), -2 * math.sin(0.4), -2 * math.cos(0.4)),
        (Pendulum().energy, 2 * math.sin(0.4), 2 * math.cos(0.4)),
        (Pendulum.area, 2.0, 0.0),
        (Pendulum.square, 0.8, 2.0),
        (functools.partial(lambda a, b, c: a * b * b + c, 3.0, c=1.0), 2.4, 6.0),
        (functools.partial(operator.mul, 3.0), 3.0, 0.0),
        (operator.neg, -1.0, 0.0),
        (abs, 1.0, 0.0),
        (functools.singledispatch(lambda x: x * x), 0.8, 2.0),
        (lambda *args, **kwargs: args[0] ** 3, 0.48, 2.4),
        (dt.sin, math.cos(0.4), -math.sin(0.4)),
    ],
)
def test_any_callable(f, slope, curvature):
    for differentiate in FIRST.values():
        assert differentiate(f, 0.4) == pytest.approx(slope, rel=1e-15)
    for second in SECOND.values():
        assert second(f, 0.4) == pytest.approx(curvature, rel=1e-15)


def test_a_cached_function_is_refused_because_it_hashes():
    cached = functools.lru_cache(lambda x: x * x)
    for differentiate in (dt.derivative, dt.gradient):
        with pytest.raises(TypeError, match="hash"):
            differentiate(cached, 2.0)


def test_builtins_over_a_list():
    assert dt.gradient(sum, [1.0, 2.0]) == [1.0, 1.0]
    assert dt.gradient(math.prod, [2.0, 3.0, 4.0]) == [12.0, 8.0, 6.0]
    assert dt.gradient(max, [2.0, 3.0, 1.0]) == [0.0, 1.0, 0.0]
    assert dt.gradient(min, 2.0, 3.0, 1.0) == (0.0, 0.0, 1.0)
