"""Every way in which dualtape finds a first or a second derivative of a scalar function of one number.

Each entry is a function of (f, x). All of them must agree on every program, so tests loop over them.
"""

import dualtape as dt


def _tangent(out, i):
    """The i-th tangent of a Dual; of a plain number, which depends on nothing, zero."""
    return out.partials[i] if isinstance(out, dt.Dual) else 0.0


def _tape(f, x):
    tape = dt.Tape()
    variable = tape.variable(x)
    out = f(variable)
    return tape.gradient(out, [variable])[0] if isinstance(out, dt.Var) else 0.0


def _value(out):
    """The primal of a traced value."""
    return out.value if isinstance(out, (dt.Dual, dt.Var)) else out


# Float primals, the kernels' paths.
NATIVE = {
    "derivative": dt.derivative,
    "gradient": dt.gradient,
    "Dual": lambda f, x: _tangent(f(dt.Dual(x, 1.0)), 0),
    "Dual of five": lambda f, x: _tangent(f(dt.Dual(x, 7.0, -3.0, 1.0, 0.0, 0.5)), 2),
    "Tape": _tape,
    "value_and_gradient": lambda f, x: dt.value_and_gradient(f, x)[1],
    "jacobian forward": lambda f, x: dt.jacobian(lambda v: [f(v[0]), v[0]], [x], mode="forward")[0, 0],
    "jacobian reverse": lambda f, x: dt.jacobian(lambda v: [f(v[0]), v[0]], [x], mode="reverse")[0, 0],
    "pushforward": lambda f, x: dt.pushforward(f, x, 1.0)[1],
    "pullback": lambda f, x: dt.pullback(f, x)[1](1.0),
    "taylor": lambda f, x: dt.taylor(f, x, 1)[1],
}

# Primals that are themselves traced, the generic path.
BOXED = {
    "derivative at a Dual": lambda f, x: _value(dt.derivative(f, dt.Dual(x, 0.5))),
    "gradient at a Dual": lambda f, x: _value(dt.gradient(f, dt.Dual(x, 0.5, 0.25))),
    "derivative in derivative": lambda f, x: dt.pushforward(lambda y: dt.derivative(f, y), x, 1.0)[0],
    "gradient in derivative": lambda f, x: dt.pushforward(lambda y: dt.gradient(f, y), x, 1.0)[0],
    "derivative in gradient": lambda f, x: dt.value_and_gradient(lambda y: dt.derivative(f, y), x)[0],
    "gradient in gradient": lambda f, x: dt.value_and_gradient(lambda y: dt.gradient(f, y), x)[0],
}

FIRST = NATIVE | BOXED

SECOND = {
    "derivative of derivative": lambda f, x: dt.derivative(dt.derivative(f))(x),
    "derivative of gradient": lambda f, x: dt.derivative(dt.gradient(f))(x),
    "gradient of derivative": lambda f, x: dt.gradient(dt.derivative(f))(x),
    "gradient of gradient": lambda f, x: dt.gradient(dt.gradient(f))(x),
    "derivative at a Dual": lambda f, x: _tangent(dt.derivative(f, dt.Dual(x, 0.5, 1.0)), 1),
    "gradient at a Dual": lambda f, x: _tangent(dt.gradient(f, dt.Dual(x, 0.5, 1.0)), 1),
    "hessian": dt.hessian,
    "hvp": lambda f, x: dt.hvp(f, x, 1.0),
    "taylor": lambda f, x: dt.taylor(f, x, 2)[2],
    "jacobian of gradient": lambda f, x: dt.jacobian(dt.gradient(lambda v: f(v[0])), [x], mode="forward")[0, 0],
    "jacobian of jacobian": lambda f, x: dt.jacobian(
        lambda v: dt.jacobian(lambda w: [f(w[0])], v, mode="reverse")[0], [x], mode="reverse"
    )[0, 0],
}
