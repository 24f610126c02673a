"""Traced values that outlive their differentiation raise, or read as constants: never a wrong number."""

import gc
import math

import numpy as np
import pytest

import dualtape as dt

ESCAPED = object()


def attempt(use):
    """What use() gives, or ESCAPED where it raises EscapedTracerError."""
    try:
        return use()
    except dt.EscapedTracerError:
        return ESCAPED


def keep(operator, *args):
    """Run a differentiation that leaks its traced value, and return the leaked value."""
    leaked = []

    def f(x):
        y = x * x
        leaked.extend([x, y])
        return y

    operator(f, *args)
    return leaked


USES = {
    "add": lambda x: x + 1.0,
    "reflected": lambda x: 2.0 / x,
    "product": lambda x: x * x,
    "power": lambda x: x**2,
    "negation": lambda x: -x,
    "function": dt.sin,
    "two arguments": lambda x: dt.hypot(x, 1.0),
    "where": lambda x: dt.where(True, x, 0.0) * 1.0,
    "numpy": lambda x: np.float64(2.0) * x,
    "ufunc": np.sin,
    "abs": abs,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_var_used_after_its_gradient_raises(use):
    for x in keep(dt.gradient, 3.0):
        with pytest.raises(RuntimeError, match=r"ended|escaped|outliv") as info:
            use(x)
        assert isinstance(info.value, dt.DualtapeError)
        assert type(info.value).__name__ == "EscapedTracerError"


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_dual_used_after_its_derivative_raises_or_is_constant(use):
    for x in keep(dt.derivative, 3.0):
        out = attempt(lambda: use(x))
        if out is not ESCAPED:
            assert dt.stop_gradient(out) == pytest.approx(dt.stop_gradient(use(x.value)))


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("later", [dt.derivative, dt.gradient])
@pytest.mark.parametrize("operator", [dt.derivative, dt.gradient])
def test_a_leaked_value_in_a_later_differentiation_is_dead(operator, later, use):
    for leaked in keep(operator, 3.0):
        slope = attempt(lambda: later(lambda t: t * use(leaked), 2.0))
        if slope is not ESCAPED:
            # A constant: its own perturbation, which is dead, contributes nothing.
            assert dt.stop_gradient(slope) == pytest.approx(use(leaked.value))
            assert not isinstance(slope, dt.Var)


def test_the_primal_of_a_leaked_value_stays_readable():
    for x in keep(dt.gradient, 3.0):
        assert x.value in (3.0, 9.0)
        assert repr(x)


def test_returned_from_an_inner_function_by_a_nonlocal():
    seen = None

    def outer(x):
        def inner(y):
            nonlocal seen
            seen = y * x
            return seen * 1.0

        slope = dt.gradient(inner, 2.0)  # x
        return slope + seen

    for operator in (dt.derivative, dt.gradient):
        assert attempt(lambda: operator(outer, 3.0)) in (ESCAPED, 1.0 + 2.0)


def test_global_state_across_two_gradients():
    cache = {}

    def f(x, key):
        if key not in cache:
            cache[key] = dt.sin(x)
        return cache[key] * x

    assert dt.gradient(f, 1.0, "k", argnums=0) == pytest.approx(math.sin(1.0) + math.cos(1.0), rel=1e-15)
    with pytest.raises(RuntimeError):
        dt.gradient(f, 1.0, "k", argnums=0)


def test_a_leaked_value_as_the_result():
    leaked = keep(dt.gradient, 3.0)[1]
    for operator in (dt.derivative, dt.gradient):
        assert attempt(lambda: operator(lambda t: leaked, 1.0)) in (ESCAPED, 0.0)


def test_a_leaked_value_as_an_input():
    for kind in (dt.derivative, dt.gradient):
        leaked = keep(kind, 3.0)[1]
        for operator in (dt.derivative, dt.gradient):
            slope = attempt(lambda: operator(lambda t: t * t, leaked))
            assert slope is ESCAPED or dt.stop_gradient(slope) == 18.0


def test_a_generator_resumed_after_its_differentiation():
    def running(x):
        total = x
        while True:
            yield total
            total = total * x

    generators = []

    def f(x):
        generator = running(x)
        generators.append(generator)
        return next(generator) + next(generator)

    assert dt.gradient(f, 3.0) == 7.0
    with pytest.raises(RuntimeError):
        next(generators[0])


def test_leaked_values_do_not_disturb_the_next_tape():
    # The pool gives the same memory to the next tape: a leaked handle must not reach into it.
    leaked = keep(dt.gradient, 3.0)

    def f(x):
        y = x
        for _ in range(100):
            y = y * 1.5
        for old in leaked:
            with pytest.raises(RuntimeError):
                old + y
            with pytest.raises(RuntimeError):
                y * old
        return y

    assert dt.gradient(f, 1.0) == pytest.approx(1.5**100)


def test_thousands_of_leaked_values_are_freed():
    leaked = []
    for i in range(2000):
        dt.gradient(lambda x: leaked.append(x * x) or x * x, float(i))
    gc.collect()
    with pytest.raises(RuntimeError):
        leaked[7] * 1.0
    leaked.clear()


def test_exceptions_that_carry_traced_values():
    class Carries(Exception):
        pass

    def f(x):
        raise Carries(x * 2)

    for operator in (dt.derivative, dt.gradient):
        with pytest.raises(Carries) as info:
            operator(f, 1.5)
        value = info.value.args[0]
        assert value.value == 3.0
        if operator is dt.gradient:
            with pytest.raises(RuntimeError):
                value * 1.0


def test_a_default_argument_that_remembers():
    def f(x, memory=[]):
        memory.append(x)
        return x * sum(memory)

    assert dt.gradient(f, 2.0) == 4.0
    with pytest.raises(RuntimeError):
        dt.gradient(f, 2.0)


def test_a_lambda_kept_from_a_gradient():
    closures = []
    dt.gradient(lambda x: closures.append(lambda y: x * y) or x, 2.0)
    with pytest.raises(RuntimeError):
        closures[0](3.0)
    with pytest.raises(RuntimeError):
        dt.gradient(closures[0], 3.0)


def test_the_aux_value_is_plain_and_does_not_escape():
    _, aux = dt.gradient(lambda x: (x * x, [x * 2]), 3.0, has_aux=True)
    assert aux == [6.0] and type(aux[0]) is float


def test_decisions_of_leaked_values():
    # Comparisons and conversions read the primal; where they are recorded, the tape has gone.
    for x in keep(dt.gradient, 3.0):
        for decide in (bool, int, lambda x: x > 1.0, lambda x: x == 3.0, round):
            assert attempt(lambda: decide(x)) in (ESCAPED, decide(x.value))
