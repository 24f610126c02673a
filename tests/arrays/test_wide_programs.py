"""Wider random programs in every mode, against complex steps and differences on plain NumPy.

``DUALTAPE_PROGRAMS`` sets how many. A program that fails is shrunk and printed as Python.
"""

import os
import warnings

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import COMPLEX, PLAIN, close, stand_in
from arrays.wide_programs import DIFFERENCES, WideProgram, clear, curvature, directions, dot, generate, slope

PROGRAMS = int(os.environ.get("DUALTAPE_PROGRAMS", "300"))
CHUNK = 25


# --- the checks -----------------------------------------------------------------------------------------------------


def same(found, expected, dtype, what):
    """Values are NumPy's, and so are shapes and dtypes."""
    close(found, expected, 1e-5 if dtype is np.float32 else 1e-12, what)
    if isinstance(expected, np.ndarray):
        assert np.ndim(expected) == 0 or found.dtype == expected.dtype, (
            f"{what}: dtype of {found!r:.80} for {expected.dtype}"
        )


def tolerance(program, sharp, loose):
    return {float: sharp, complex: loose, np.float32: 2e-3}[program.dtype]


def near(found, expected, rtol, scale, what):
    found = np.asarray(found)
    assert np.all(np.abs(found - expected) <= rtol * (1.0 + scale)), (
        f"{what}: {found!r} for {expected!r}, scale {scale:.3g}"
    )


def structure(program, values):
    return values[0] if len(values) == 1 else dict(zip(program.inputs, values))


def of_structure(program, f):
    """F of several arguments as one of their structure."""
    return f if len(program.inputs) == 1 else lambda args: f(*args.values())


def check_values(program):
    """Every result is plain NumPy's, whatever traces it."""
    run, values = program.compiled(), program.values()
    with np.errstate(all="ignore"):
        expected = run(*program.values(), np, stand_in(program.dtype))
    traced = stand_in(program.dtype, dt)

    def compare(args):
        seen = run(*(args.values() if isinstance(args, dict) else (args,)), np, traced)
        for name, value in expected.items():
            same(seen[name], value, program.dtype, f"value of {name}")
        return next(iter(seen.values()))

    x = structure(program, values)
    ones = structure(program, [np.ones_like(v) for v in values])
    dt.pullback(compare, x)
    dt.pushforward(compare, x, ones)
    dt.pushforward(lambda y: dt.pullback(compare, y)[0], x, ones)
    unchanged(program, values)


def unchanged(program, values):
    for v, w in zip(values, program.values()):
        np.testing.assert_array_equal(v, w, err_msg="the caller's array was changed")


def check_first(program):
    """Reverse and forward mode, along two directions."""
    values, traced = program.values(), stand_in(program.dtype, dt)
    f = program.total(traced)
    g = (lambda *args: f(*args).real) if program.dtype is complex else f
    rtol = tolerance(program, 1e-10, 1e-7)
    argnums = {"argnums": tuple(range(len(values)))}
    results = {"gradient": dt.gradient(g, *values, **argnums)}
    x = structure(program, values)
    results["pullback"] = dt.pullback(of_structure(program, g), x)[1](1.0)
    results["pullback"] = list(results["pullback"].values()) if len(values) > 1 else [results["pullback"]]
    for d in directions(program):
        d = [u.astype(v.dtype) for u, v in zip(d, values)]
        expected = slope(program, d)
        scale = sum(np.sum(np.abs(a) * np.abs(b)) for a, b in zip(results["gradient"], d))
        for name, found in results.items():
            for a, v in zip(found, values):
                assert a.dtype == v.dtype and a.shape == v.shape, f"{name}: {a.dtype} {a.shape}"
            near(dot(found, d), expected, rtol, scale, name)
        found = dt.pushforward(of_structure(program, f), x, structure(program, d))[1]
        near(np.real(found), expected, rtol, scale, "pushforward")
    unchanged(program, values)


def check_second(program):
    """Hessians times a direction, in all nestings."""
    if program.dtype is not float:
        return
    values, traced = program.values(), stand_in(program.dtype, dt)
    f = of_structure(program, program.total(traced))
    u, v = directions(program)
    expected = curvature(program, u, v)
    x, us, vs = structure(program, values), structure(program, u), structure(program, v)
    several = len(values) > 1
    pairs = lambda g: list(g.values()) if several else [g]
    inner = lambda a, b: sum(np.sum(p * q) for p, q in zip(pairs(a), pairs(b)))
    found = {"hvp": dt.hvp(f, x, vs), "forward over reverse": dt.pushforward(lambda y: dt.gradient(f, y), x, vs)[1]}
    found["reverse over reverse"] = dt.gradient(lambda y: inner(dt.gradient(f, y), vs), x)
    found["reverse over forward"] = dt.gradient(lambda y: dt.pushforward(f, y, vs)[1], x)
    if not several and values[0].size <= 40:
        found["hessian"] = np.tensordot(dt.hessian(f, x), v[0], values[0].ndim)
    scale = sum(np.sum(np.abs(a) * np.abs(b)) for a, b in zip(pairs(found["hvp"]), u))
    for name, h in found.items():
        near(inner(h, us), expected, 2e-7, scale + abs(expected), name)
        for a, b in zip(pairs(h), pairs(found["hvp"])):
            near(a, b, 1e-9, np.max(np.abs(b), initial=0.0), f"{name} against hvp")
    unchanged(program, values)


def check_second_of_others(program):
    """Hessians times a direction of complex programs, against differences of gradients; of float32, against float64."""
    if program.dtype is float:
        return
    values, traced = program.values(), stand_in(program.dtype, dt)
    total = program.total(traced)
    f = (lambda *args: total(*args).real) if program.dtype is complex else total
    several = tuple(range(len(values)))
    gradient = lambda *args: dt.gradient(f, *args, argnums=several)
    v = [u.astype(a.dtype) for u, a in zip(directions(program)[1], values)]
    if program.dtype is complex:
        at = lambda k: gradient(*[a + k * 1e-3 * u for a, u in zip(values, v)])
        parts = [[c * (p - m) / 1e-3 for p, m in zip(at(k), at(-k))] for k, c in DIFFERENCES]
        expected = [sum(p) for p in zip(*parts)]
    else:
        double = WideProgram({n: a.astype(float) for n, a in program.inputs.items()}, float, program.instructions)
        double.unused = program.unused
        doubled = [dict(zip(program.inputs, [u.astype(float) for u in us])) for us in (values, v)]
        expected = list(dt.hvp(lambda args: double.total(dt)(*args.values()), *doubled).values())
    scale = max(np.max(np.abs(e), initial=0.0) for e in expected)
    if not scale < 1e5:
        return
    found = {
        "forward over reverse": dt.pushforward(gradient, tuple(values), tuple(v))[1],
        "reverse over reverse": dt.gradient(lambda *args: dot(gradient(*args), v), *values, argnums=several),
    }
    for name, h in found.items():
        for k in several:
            assert h[k].dtype == values[k].dtype, f"{name}: {h[k].dtype}"
            near(h[k], expected[k], tolerance(program, 0, 1e-5), scale, f"{name}, argument {k}")


def check_jacobian(program):
    """Jacobians by lanes of the first results' entries, both ways."""
    if program.dtype is not float or len(program.inputs) > 1 or program.values()[0].size > 40:
        return
    run, x = program.compiled(), program.values()[0]

    def results(creator):
        def f(x):
            out = run(x, np, creator)
            parts = [np.reshape(a, -1)[:30] for a in list(out.values())[::-1] if np.ndim(a)]
            return np.concatenate(parts)[:60]

        return f

    if not any(np.ndim(a) for a in run(x.copy(), np, PLAIN).values()):
        return
    d = directions(program)[0][0]
    expected = np.imag(results(COMPLEX)(x + 1e-30j * d)) / 1e-30
    for mode in ("forward", "reverse", "auto"):
        found = dt.jacobian(results(dt), x, mode=mode)
        scale = np.tensordot(np.abs(found), np.abs(d), d.ndim)
        near(np.tensordot(found, d, d.ndim), expected, 1e-11, scale, f"jacobian {mode}")
    unchanged(program, [x])


def check_mixed(program):
    """One input differentiated inside, the other outside: values of both levels meet in one program."""
    if program.dtype is not float or len(program.inputs) < 2:
        return
    f = program.total(stand_in(float, dt))
    x, y = program.values()
    (u, _), (_, v) = directions(program)
    expected = curvature(program, [u, np.zeros_like(y)], [np.zeros_like(x), v])
    slope_in_y = lambda x: np.sum(dt.gradient(lambda y: f(x.copy(), y), y) * v)
    found = {
        "reverse over reverse": np.sum(dt.gradient(slope_in_y, x) * u),
        "forward over reverse": dt.pushforward(slope_in_y, x, u)[1],
        "reverse over forward": np.sum(dt.gradient(lambda x: dt.pushforward(lambda y: f(x.copy(), y), y, v)[1], x) * u),
        "forward over forward": dt.pushforward(lambda x: dt.pushforward(lambda y: f(x.copy(), y), y, v)[1], x, u)[1],
    }
    for name, h in found.items():
        near(h, expected, 2e-7, abs(expected), f"mixed, {name}")
    unchanged(program, [x, y])


CHECKS = [check_values, check_first, check_second, check_second_of_others, check_jacobian, check_mixed]


def failure(check, program):
    """The exception of a check, or None."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            check(program)
    except Exception as error:
        return error
    return None


def report(seed, program, check):
    """What to say of a failure: the smallest program that fails like it."""
    error = failure(check, program)
    if error is None:
        return None
    kind = type(error)
    smallest = program.shrunk(lambda p: clear(p) and type(failure(check, p)) is kind)
    again = failure(check, smallest) or error
    what = f"seed {seed} {check.__name__} {np.dtype(program.dtype)}: {kind.__name__}: {str(again)[:1500]}"
    return f"{what}\n{smallest.source()}"


@pytest.mark.parametrize("start", range(0, PROGRAMS, CHUNK))
def test_wide_programs(start):
    for seed in range(start, min(start + CHUNK, PROGRAMS)):
        program = generate(seed)
        for check in CHECKS:
            if failure(check, program):
                pytest.fail(report(seed, program, check))
