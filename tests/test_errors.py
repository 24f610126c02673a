"""Every error is a DualtapeError and a built-in one, names the user's line, and says what to do."""

import inspect
import math

import numpy as np
import pytest

import dualtape as dt
from dualtape import errors

BUILTINS = {
    "EscapedTracerError": RuntimeError,
    "ConversionError": TypeError,
    "NoRuleError": TypeError,
    "InputError": TypeError,
    "TapeMemoryError": MemoryError,
}


@pytest.mark.parametrize(("name", "builtin"), BUILTINS.items())
def test_classes(name, builtin):
    error = getattr(errors, name)
    assert issubclass(error, dt.DualtapeError) and issubclass(error, builtin)
    assert getattr(dt, name) is error
    assert inspect.getdoc(error)


def test_every_error_of_the_module_has_a_builtin_base():
    for name in errors.__all__:
        error = getattr(errors, name)
        assert issubclass(error, dt.DualtapeError)
        if error is not dt.DualtapeError:
            assert error.__mro__[1:] != (dt.DualtapeError, Exception, BaseException, object)


def leaked():
    out = []
    dt.gradient(lambda x: out.append(x * 1.0) or x, 1.0)
    return out[0]


# For each mistake: the built-in error, and words that the message must have (any of a tuple).
MISTAKES = {
    "float of a Var": (lambda: dt.gradient(lambda x: float(x), 1.0), TypeError, ("stop_gradient", "lift")),
    "float of a Dual": (lambda: dt.derivative(lambda x: float(x), 1.0), TypeError, ("stop_gradient", "lift")),
    "math.exp": (lambda: dt.gradient(math.exp, 1.0), TypeError, ("dt.", "dualtape.")),
    "complex": (lambda: dt.gradient(lambda x: complex(x), 1.0), TypeError, ("stop_gradient", "lift")),
    "np.asarray": (lambda: dt.gradient(np.asarray, 1.0), TypeError, ("object",)),
    "hash": (lambda: dt.gradient(lambda x: {x: 1}, 1.0), TypeError, ("hash",)),
    "a boolean": (lambda: dt.gradient(lambda x: x, True), TypeError, ("bool",)),
    "no scalar": (lambda: dt.gradient(lambda x: [x, x], 1.0), TypeError, ("jacobian",)),
    "no number": (lambda: dt.gradient(lambda x: None, 1.0), TypeError, ("None", "return")),
    "not callable": (lambda: dt.gradient(3.0, 1.0), TypeError, ("function",)),
    "a vector for derivative": (
        lambda: dt.derivative(lambda x: x, [1.0]),
        TypeError,
        ("number", "scalar", "gradient"),
    ),
    "an escaped value": (lambda: leaked() + 1.0, RuntimeError, ("ended", "outlive")),
    "a ufunc without a rule": (lambda: dt.gradient(lambda x: np.nextafter(x, 2.0), 1.0), TypeError, ("nextafter",)),
    "complex output of a float": (lambda: dt.gradient(lambda x: 1j * x, 1.0), TypeError, ("complex", "z.real")),
    "complex output": (lambda: dt.gradient(lambda z: z * z, 1j), TypeError, ("complex", "real")),
}


@pytest.mark.parametrize(("mistake", "builtin", "words"), MISTAKES.values(), ids=MISTAKES)
def test_messages_tell(mistake, builtin, words):
    with pytest.raises(builtin) as info:
        mistake()
    assert isinstance(info.value, dt.DualtapeError)
    message = str(info.value)
    assert any(word in message for word in words), message
    assert len(message) > 30


@pytest.mark.parametrize("name", ["float of a Var", "float of a Dual", "an escaped value", "hash", "math.exp"])
def test_the_users_line_is_named(name):
    mistake = MISTAKES[name][0]
    with pytest.raises(dt.DualtapeError) as info:
        mistake()
    assert "test_errors.py" in str(info.value)


FAILING = {
    "derivative": lambda f: dt.derivative(f, 1.0),
    "gradient": lambda f: dt.gradient(f, 1.0),
    "value_and_gradient": lambda f: dt.value_and_gradient(f, 1.0),
    "jacobian forward": lambda f: dt.jacobian(f, 1.0, mode="forward"),
    "jacobian reverse": lambda f: dt.jacobian(f, 1.0, mode="reverse"),
    "jacobian": lambda f: dt.jacobian(f, 1.0),
    "hessian": lambda f: dt.hessian(f, 1.0),
    "hvp": lambda f: dt.hvp(f, 1.0, 1.0),
    "pushforward": lambda f: dt.pushforward(f, 1.0, 1.0),
    "pullback": lambda f: dt.pullback(f, 1.0),
    "taylor": lambda f: dt.taylor(f, 1.0, 3),
    "nested": lambda f: dt.gradient(lambda y: dt.derivative(lambda x: f(x) * y, 1.0), 1.0),
}


@pytest.mark.parametrize("operator", FAILING.values(), ids=FAILING)
@pytest.mark.parametrize(
    "error", [ValueError("mine"), KeyError("k"), StopIteration(3), SystemExit(2), KeyboardInterrupt()]
)
def test_the_functions_own_exceptions_come_through_unchanged(operator, error):
    def f(x):
        y = x * x + dt.sin(x)
        raise error
        return y

    with pytest.raises(type(error)) as info:
        operator(f)
    assert info.value is error
    assert error.__cause__ is None
    error.__traceback__ = None


@pytest.mark.parametrize("operator", FAILING.values(), ids=FAILING)
def test_a_type_error_inside_f_is_not_mistaken_for_our_own(operator):
    with pytest.raises(TypeError, match="unsupported operand") as info:
        operator(lambda x: x * x + 1.0 + "text")
    assert not isinstance(info.value, dt.DualtapeError)


@pytest.mark.parametrize("operator", FAILING.values(), ids=FAILING)
def test_what_cannot_be_called_is_refused(operator):
    with pytest.raises(TypeError, match=r"function|not callable"):
        operator(None)


def test_wrong_argument_counts_are_pythons_own_errors():
    with pytest.raises(TypeError, match="positional argument"):
        dt.gradient(lambda x: x, 1.0, 2.0)
    with pytest.raises(TypeError, match="unexpected keyword"):
        dt.gradient(lambda x: x, 1.0, other=2.0)
    with pytest.raises(TypeError):
        dt.gradient()
    with pytest.raises(TypeError):
        dt.derivative()
