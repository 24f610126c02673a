"""Traced values are Python numbers: operators, comparisons, conversions and the builtins that use them."""

import copy
import math
import numbers
import operator
from fractions import Fraction

import numpy as np
import pytest

import dualtape as dt
from modes import FIRST


def tape_variable(value):
    """A Var and the tape that keeps it alive."""
    tape = dt.Tape()
    return tape.variable(value)


KINDS = {"Dual": lambda value: dt.Dual(value, 1.0), "Var": tape_variable}
kinds = pytest.mark.parametrize("traced", KINDS.values(), ids=KINDS)
modes = pytest.mark.parametrize("differentiate", FIRST.values(), ids=FIRST)

OPERANDS = {
    "int": 3,
    "negative int": -2,
    "float": 2.5,
    "bool": True,
    "float64": np.float64(2.5),
    "float32": np.float32(2.1),
    "float16": np.float16(1.5),
    "int64": np.int64(3),
    "int32": np.int32(-3),
    "uint8": np.uint8(3),
    "0-d array": np.array(2.5),
    "0-d int array": np.array(3),
    "Fraction": Fraction(5, 2),
}

# For each operator its partial derivatives in the left and in the right operand, for positive left operands.
PARTIALS = {
    "+": (operator.add, lambda x, y: 1.0, lambda x, y: 1.0),
    "-": (operator.sub, lambda x, y: 1.0, lambda x, y: -1.0),
    "*": (operator.mul, lambda x, y: y, lambda x, y: x),
    "/": (operator.truediv, lambda x, y: 1 / y, lambda x, y: -x / y**2),
    "//": (operator.floordiv, lambda x, y: 0.0, lambda x, y: 0.0),
    "%": (operator.mod, lambda x, y: 1.0, lambda x, y: -math.floor(x / y)),
    "**": (pow, lambda x, y: y * x ** (y - 1), lambda x, y: x**y * math.log(x)),
    "divmod": (lambda x, y: divmod(x, y)[1], lambda x, y: 1.0, lambda x, y: -math.floor(x / y)),
}
operators = pytest.mark.parametrize(("op", "left", "right"), PARTIALS.values(), ids=PARTIALS)
operands = pytest.mark.parametrize("operand", OPERANDS.values(), ids=OPERANDS)


@operators
@operands
@kinds
def test_a_constant_on_either_side_gives_a_traced_scalar(traced, op, left, right, operand):
    constant = float(operand)
    for result, expected in [
        (op(traced(1.75), operand), op(1.75, constant)),
        (op(operand, traced(1.75)) if constant > 0 else None, constant > 0 and op(constant, 1.75)),
    ]:
        if result is None:
            continue
        if op is operator.floordiv:
            assert result == expected
        else:
            assert isinstance(result, dt.Dual | dt.Var)
            assert result.value == pytest.approx(expected, rel=1e-15)


@operators
@modes
def test_derivative_in_either_operand(differentiate, op, left, right):
    for name, operand in OPERANDS.items():
        constant = float(operand)
        slope = differentiate(lambda x: op(x, operand), 1.75)
        assert slope == pytest.approx(left(1.75, constant), rel=1e-14), name
        if constant > 0:
            slope = differentiate(lambda x: op(operand, x), 1.75)
            assert slope == pytest.approx(right(constant, 1.75), rel=1e-14), name


@operators
@modes
def test_derivative_in_both_operands_at_once(differentiate, op, left, right):
    slope = differentiate(lambda x: op(x, 0.3 * x + 1.0), 1.75)
    y = 0.3 * 1.75 + 1.0
    expected = left(1.75, y) + 0.3 * right(1.75, y)
    assert slope == pytest.approx(expected, rel=1e-14)


@modes
def test_the_same_operand_twice(differentiate):
    assert differentiate(lambda x: x + x, 3.0) == 2.0
    assert differentiate(lambda x: x - x, 3.0) == 0.0
    assert differentiate(lambda x: x * x, 3.0) == 6.0
    assert differentiate(lambda x: x / x, 3.0) == 0.0
    assert differentiate(lambda x: x**x, 2.0) == pytest.approx(4 * (1 + math.log(2)), rel=1e-15)


UNARY = {
    "neg": (operator.neg, -1.5, -1.0),
    "pos": (operator.pos, -1.5, 1.0),
    "abs of a negative": (abs, -1.5, -1.0),
    "abs of a positive": (abs, 1.5, 1.0),
    "in-place": (lambda x: operator.iadd(operator.imul(x, 3.0), 1.0), 1.5, 3.0),
    "pow with three arguments": (lambda x: pow(x, 2, None), 1.5, 3.0),
    "real": (lambda x: x.real * x, 1.5, 3.0),
    "conjugate": (lambda x: x.conjugate() * x, 1.5, 3.0),
    "imag": (lambda x: x + x.imag, 1.5, 1.0),
    "sum": (lambda x: sum([x, 1, x * x]), 1.5, 4.0),
    "sum with start": (lambda x: sum((x, x), start=x), 1.5, 3.0),
    "prod": (lambda x: math.prod([x, 2.0, x]), 1.5, 6.0),
    "max": (lambda x: max(x * x, 0.0, -x), 1.5, 3.0),
    "min": (lambda x: min([x * x, 10, -x]), 1.5, -1.0),
    "sorted": (lambda x: sorted([x * x, x, 0.5 * x])[0], 1.5, 0.5),
    "copy": (lambda x: copy.copy(x) * x, 1.5, 3.0),
    "deepcopy": (lambda x: copy.deepcopy([x, {"y": x}])[1]["y"] * x, 1.5, 3.0),
    "list.index": (lambda x: [1.0, x, 2.0].index(1.5) * x, 1.5, 1.0),
    "membership": (lambda x: x if x in (1.5, 2.5) else 0.0, 1.5, 1.0),
    "chained comparison": (lambda x: 2 * x if 1 < x < 2 else x, 1.5, 2.0),
    "map and zip": (lambda x: sum(a * b for a, b in zip([x, 2], [x, x], strict=True)), 1.5, 5.0),
}


@pytest.mark.parametrize(("f", "x", "slope"), UNARY.values(), ids=UNARY)
@modes
def test_python_builtins_on_traced_values(differentiate, f, x, slope):
    assert differentiate(f, x) == pytest.approx(slope, rel=1e-15)


COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


@pytest.mark.parametrize("compare", COMPARISONS)
@operands
@kinds
def test_comparisons_give_plain_bools(traced, operand, compare):
    for value in (float(operand), float(operand) + 1, float(operand) - 1):
        for result, expected in [
            (compare(traced(value), operand), compare(value, float(operand))),
            (compare(operand, traced(value)), compare(float(operand), value)),
            (compare(traced(value), traced(float(operand))), compare(value, float(operand))),
        ]:
            assert bool(result) is expected
            if not isinstance(operand, np.ndarray):  # NumPy wraps what an array's comparison returns
                assert type(result) is bool or isinstance(operand, np.generic)


@kinds
def test_comparisons_with_nan_inf_and_strangers(traced):
    x = traced(1.0)
    nan = traced(math.nan)
    assert nan != nan and not nan == nan
    assert not nan < x and not x < nan and not nan >= x
    assert x < math.inf and x > -math.inf
    assert (x == "1.0") is False
    assert (x != None) is True  # noqa: E711
    with pytest.raises(TypeError):
        x < "1.0"
    assert x < 10**400 and x > -(10**400)


@kinds
def test_conversions_that_give_plain_numbers(traced):
    for value in (2.5, -2.5, 3.5, 0.5, -0.25, 1e15 + 0.5, 4.0):
        x = traced(value)
        for convert in (int, round, math.floor, math.ceil, math.trunc):
            assert convert(x) == convert(value) and type(convert(x)) is int, convert
        for digits in (0, 1, -1):
            assert round(x, digits) == round(value, digits)
            assert type(round(x, digits)) is float
        assert bool(x) is bool(value)
        assert x // 1 == value // 1 and type(x // 1) is float
        assert divmod(x, 2)[0] == divmod(value, 2)[0] and type(divmod(x, 2)[0]) is float
        assert x.is_integer() is value.is_integer()
    assert not traced(0.0) and traced(-0.0) == 0 and traced(math.nan)


@kinds
def test_conversions_of_nan_and_inf_raise_as_for_floats(traced):
    for convert in (int, round, math.floor, math.ceil, math.trunc):
        with pytest.raises(ValueError, match=r"(?i)nan"):
            convert(traced(math.nan))
        with pytest.raises(OverflowError, match=r"(?i)inf"):
            convert(traced(math.inf))


LOSING = {
    "float": float,
    "complex": complex,
    "math.sin": math.sin,
    "math.hypot": lambda x: math.hypot(x, 1.0),
    "math.fsum": lambda x: math.fsum([x]),
    "a float array's element": lambda x: np.zeros(2).__setitem__(0, x),
    "a float array's slice": lambda x: np.zeros(2).__setitem__(slice(None), x),
    "np.asarray": np.asarray,
    "np.array with a dtype": lambda x: np.array(x, dtype=float),
    "np.array of a list with a dtype": lambda x: np.array([x, 1.0], dtype=float),
    "np.float64": np.float64,
    "np.full": lambda x: np.full(2, x, dtype=float),
    "adding in place to a float array": lambda x: np.add(np.zeros(2), x, out=np.zeros(2)),
    "+= on a float array": lambda x: operator.iadd(np.zeros(2), x),
    "*= on a float array's element": lambda x: operator.imul(np.ones(2)[:1], x),
    "fill": lambda x: np.zeros(2).fill(x),
    "a float array from a list": lambda x: np.zeros(2).__setitem__(slice(None), [x, 1.0]),
    "%f": lambda x: "%f" % x,  # noqa: UP031
}


@pytest.mark.parametrize("lose", LOSING.values(), ids=LOSING)
@kinds
def test_what_would_drop_the_derivative_raises(traced, lose):
    with pytest.raises(TypeError) as info:
        lose(traced(1.0))
    assert isinstance(info.value, dt.DualtapeError)
    assert "derivative" in str(info.value)


@kinds
def test_traced_values_are_unhashable(traced):
    x = traced(1.0)
    for use in (hash, lambda x: {x}, lambda x: {x: 1}):
        with pytest.raises(TypeError, match="hash"):
            use(x)


@kinds
def test_traced_values_are_real_numbers(traced):
    x = traced(1.0)
    assert isinstance(x, numbers.Real) and isinstance(x, numbers.Number)
    assert not isinstance(x, numbers.Rational | float | int)


@kinds
def test_format_specifications_format_the_primal(traced):
    x = traced(1234.56789)
    for spec in (".2f", "10.3e", "+.1f", ",.0f", "g", ">20.4f", "012.3f", "%"):
        assert format(x, spec) == format(1234.56789, spec)
    assert f"{x:.3f} and {x:8.1f}" == "1234.568 and   1234.6"
    assert "1234.56789" in str(x) and "1234.56789" in repr(x) and "1234.56789" in f"{x}"
    with pytest.raises(ValueError, match="format"):
        format(x, "q")


@kinds
def test_operators_raise_as_those_of_floats(traced):
    zero, x = traced(0.0), traced(-8.0)
    for f in (
        lambda: 1 / zero,
        lambda: x / zero,
        lambda: x / 0.0,
        lambda: zero**-1,
        lambda: zero**-0.5,
        lambda: x // 0.0,
        lambda: x % zero,
        lambda: 5.0 % zero,
        lambda: 5 // zero,
        lambda: divmod(x, 0),
    ):
        with pytest.raises(ZeroDivisionError):
            f()
    with pytest.raises(OverflowError):
        traced(10.0) ** 400
    with pytest.raises(TypeError):
        pow(x, 2, 3)


@kinds
def test_negative_base_to_a_fractional_power_is_complex(traced):
    out = traced(-8.0) ** (1 / 3)
    assert out.value == (-8.0) ** (1 / 3)
    assert isinstance(out.value, complex)


@pytest.mark.parametrize("stranger", ["text", None, [1.0], (1.0,), {}, object()])
@kinds
def test_operators_with_strangers_raise_type_errors(traced, stranger):
    x = traced(1.0)
    for op in (operator.add, operator.sub, operator.truediv, operator.pow):
        for pair in ((x, stranger), (stranger, x)):
            with pytest.raises(TypeError):
                op(*pair)


@kinds
def test_list_repetition_needs_an_int(traced):
    with pytest.raises(TypeError):
        [1.0] * traced(3.0)
    with pytest.raises(TypeError):
        range(traced(3.0))
    with pytest.raises(TypeError):
        [1.0, 2.0][traced(1.0)]


@kinds
def test_large_ints_convert_as_for_floats(traced):
    assert (traced(1.0) * 10**300).value == 1e300
    with pytest.raises(OverflowError):
        traced(1.0) * 10**400
    assert (2**53 + 1 + traced(0.0)).value == float(2**53 + 1)


@modes
def test_plain_numbers_from_conversions_are_constants(differentiate):
    assert differentiate(lambda x: x * int(x), 2.5) == 2.0
    assert differentiate(lambda x: x * round(x), 2.6) == 3.0
    assert differentiate(lambda x: x * math.floor(x), -2.5) == -3.0
    assert differentiate(lambda x: x - x // 1, 2.5) == 1.0
    assert differentiate(lambda x: x * dt.stop_gradient(x), 2.5) == 2.5


def test_stop_gradient_gives_the_plain_primal_at_every_level():
    assert type(dt.stop_gradient(dt.Dual(1.5, 1.0))) is float
    assert dt.stop_gradient(2) == 2 and dt.stop_gradient(2.5) == 2.5
    seen = []

    def inner(x, y):
        seen.append(dt.stop_gradient(x * y))
        return x * y * dt.stop_gradient(x * y)

    outer = dt.gradient(lambda y: dt.derivative(lambda x: inner(x, y), 3.0), 2.0)
    assert [type(value) for value in seen] == [float]
    assert seen == [6.0]
    assert outer == 6.0
