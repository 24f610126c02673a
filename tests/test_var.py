"""Var and Tape: one recorded program, differentiated as often as asked."""

import copy
import math
import pickle

import numpy as np
import pytest

import dualtape as dt


def test_value_and_gradient_of_a_product():
    tape = dt.Tape()
    x, y = tape.variable(3.0), tape.variable(4.0)
    z = x * y + dt.sin(x)
    assert z.value == 12.0 + math.sin(3.0)
    assert type(z.value) is float
    assert tape.gradient(z, [x, y]) == [4.0 + math.cos(3.0), 3.0]


def test_gradient_may_be_asked_again_for_any_output():
    tape = dt.Tape()
    x = tape.variable(2.0)
    y = x * x
    z = y * x
    assert tape.gradient(z, [x, y]) == [12.0, 2.0]
    assert tape.gradient(y, [x]) == [4.0]
    assert tape.gradient(z, [x]) == [12.0]
    assert tape.gradient(x, [x]) == [1.0]
    assert tape.gradient(x, [y]) == [0.0]
    w = z + 1.0
    assert tape.gradient(w, [x]) == [12.0]


def test_len_and_nbytes_count_the_program():
    tape = dt.Tape()
    x = tape.variable(1.0)
    start = len(tape)
    for _ in range(1000):
        x = x * 1.5 + 1.0
    assert len(tape) - start in (2000, 2001)
    # 24 bytes for each operation at most, a block's rest aside.
    assert 0 < tape.nbytes


def test_memory_for_each_operation_is_at_most_24_bytes():
    tape = dt.Tape()
    x = y = tape.variable(1.0)
    for _ in range(500_000):
        x = x * y
        x = x + 1e-9
    assert tape.nbytes <= 24 * len(tape) + 2**21


def test_integers_are_promoted_and_booleans_refused():
    tape = dt.Tape()
    assert tape.variable(3).value == 3.0 and type(tape.variable(3).value) is float
    assert type(tape.variable(np.int64(3)).value) is float
    with pytest.raises(TypeError):
        tape.variable(True)
    with pytest.raises(TypeError):
        tape.variable("1.0")


def test_variables_of_two_tapes_do_not_mix_silently():
    first, second = dt.Tape(), dt.Tape()
    x, y = first.variable(2.0), second.variable(3.0)
    try:
        z = x * y
    except dt.DualtapeError:
        return
    # The newer tape is the inner one: its gradient is the older tape's variable.
    (slope,) = second.gradient(z, [y])
    assert slope.value == 2.0
    assert first.gradient(slope, [x]) == [1.0]


def test_a_variable_of_another_tape_is_refused_as_output_or_input():
    first, second = dt.Tape(), dt.Tape()
    x, y = first.variable(2.0), second.variable(3.0)
    with pytest.raises((TypeError, ValueError, RuntimeError)) as info:
        first.gradient(x, [y])
    assert isinstance(info.value, dt.DualtapeError)
    with pytest.raises((TypeError, ValueError, RuntimeError)) as info:
        first.gradient(y, [x])
    assert isinstance(info.value, dt.DualtapeError)


def test_a_variable_keeps_its_tape_alive():
    def make():
        tape = dt.Tape()
        return tape.variable(2.0)

    x = make()
    y = x
    for _ in range(100):
        y = y * x
    assert y.value == 2.0**101


def test_vars_do_not_pickle():
    x = dt.Tape().variable(1.0)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match=r"(?i)pickle") as info:
            pickle.dumps(x, protocol)
        assert isinstance(info.value, dt.DualtapeError)


def test_tapes_do_not_pickle_or_copy_silently():
    tape = dt.Tape()
    tape.variable(1.0)
    for use in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            use(tape)


def test_a_copy_is_the_same_variable():
    tape = dt.Tape()
    x = tape.variable(3.0)
    for y in (copy.copy(x), copy.deepcopy(x), copy.deepcopy([x])[0]):
        assert tape.gradient(y * y, [x]) == [6.0]


def test_vars_are_immutable():
    x = dt.Tape().variable(1.0)
    for name in ("value", "other"):
        with pytest.raises(AttributeError):
            setattr(x, name, 2.0)


def test_vars_are_not_made_by_hand():
    with pytest.raises(TypeError):
        dt.Var(1.0)
    with pytest.raises(TypeError):
        dt.Var()
    with pytest.raises(TypeError):
        dt.Var.__new__(dt.Var)
    with pytest.raises(TypeError):
        type("Mine", (dt.Var,), {}).__new__(dt.Var)


def test_a_constant_output_has_zero_gradient_or_is_refused():
    tape = dt.Tape()
    x = tape.variable(1.0)
    try:
        slopes = tape.gradient(5.0, [x])
    except TypeError:
        return
    assert slopes == [0.0]


def test_operations_between_sweeps_see_the_same_primals():
    tape = dt.Tape()
    x = tape.variable(0.5)
    y = x
    for i in range(50):
        y = dt.sin(y) + x
        (slope,) = tape.gradient(y, [x])
        step = 1e-6
        assert slope == pytest.approx(_quotient(i + 1, 0.5, step), rel=1e-6)


def _quotient(n, x, step):
    def f(x):
        y = x
        for _ in range(n):
            y = math.sin(y) + x
        return y

    return (f(x + step) - f(x - step)) / (2 * step)


def test_repr_names_the_class_and_the_value():
    assert "Var" in repr(dt.Tape().variable(1.5)) and "1.5" in repr(dt.Tape().variable(1.5))
    assert "Tape" in repr(dt.Tape())
