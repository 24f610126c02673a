"""The adaptive solver against closed forms and SciPy, on floats and differentiated."""

import ast
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import dormand_prince
import dualtape as dt
from dormand_prince import IntegrationError, solve


def decay(t, y):
    return [-1.5 * y[0]]


def blow_up(t, y):
    """y = 1 / (1 - t) from y(0) = 1: a pole at t = 1."""
    return [y[0] * y[0]]


def predator_prey(p):
    a, b, d, c = p

    def rates(t, state):
        x, y = state
        return [a * x - b * x * y, c * x * y - d * y]

    return rates


def test_exponential():
    times = [0.0, 0.1, 1.0, 2.0]
    solution = solve(decay, [3.0], times, rtol=1e-11, atol=1e-13)
    assert [y[0] for y in solution.states] == pytest.approx([3.0 * math.exp(-1.5 * t) for t in times], rel=1e-10)


def test_oscillator_over_many_periods():
    end = 20 * math.pi
    (x, v) = solve(lambda t, y: (y[1], -y[0]), (1.0, 0.0), [0.0, end], rtol=1e-10, atol=1e-12).states[-1]
    assert x == pytest.approx(1.0, abs=1e-8)
    assert v == pytest.approx(0.0, abs=1e-8)


def test_time_dependent_right_hand_side():
    solution = solve(lambda t, y: [math.cos(t)], [0.0], [0.0, 1.0, 2.0], rtol=1e-11, atol=1e-12)
    assert [y[0] for y in solution.states] == pytest.approx([0.0, math.sin(1.0), math.sin(2.0)], abs=1e-11)


def test_times_need_not_start_at_zero():
    solution = solve(lambda t, y: [2.0 * t], [25.0], [-5.0, 0.0, 3.0], rtol=1e-9)
    assert [y[0] for y in solution.states] == pytest.approx([25.0, 0.0, 9.0], abs=1e-7)


def test_constant_solution():
    """An error estimate of exactly zero."""
    solution = solve(lambda t, y: [0.0, 0.0], [1.0, -2.0], [0.0, 1.0, 100.0])
    assert solution.states == [[1.0, -2.0]] * 3


def test_against_scipy():
    times = [0.0, 0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0]
    rates = predator_prey((1.5, 1.0, 3.0, 1.0))
    ours = np.array(solve(rates, [1.0, 1.0], times, rtol=1e-11, atol=1e-13).states)
    theirs = solve_ivp(rates, (0.0, 10.0), [1.0, 1.0], "DOP853", times, rtol=1e-13, atol=1e-14).y.T
    np.testing.assert_allclose(ours, theirs, rtol=2e-9)
    # By collocation, at a tolerance of 1e-13.
    np.testing.assert_allclose(ours[-1], [1.02634476757509, 0.90969107813604], rtol=2e-9)


def test_steps_end_on_the_output_times():
    """f is called at every output time itself, not at a neighbour of it."""
    times = [0.0, 0.1, 0.3, 1.7, 2.0]
    called = set()
    solve(lambda t, y: (called.add(t), decay(t, y))[1], [1.0], times)
    assert called.issuperset(times)
    assert max(called) == 2.0


def test_an_output_time_more_changes_little():
    rates = predator_prey((1.5, 1.0, 3.0, 1.0))
    few = solve(rates, [1.0, 1.0], [0.0, 10.0], rtol=1e-9, atol=1e-9).states[-1]
    many = solve(rates, [1.0, 1.0], [k / 7 for k in range(70)] + [10.0], rtol=1e-9, atol=1e-9).states[-1]
    assert few == pytest.approx(many, rel=1e-6)


def test_the_last_stage_is_the_next_first():
    """Two evaluations to start with, then six for each step, not seven."""
    solution = solve(predator_prey((1.5, 1.0, 3.0, 1.0)), [1.0, 1.0], [0.0, 4.0, 10.0])
    assert solution.evaluations == 2 + 6 * (solution.accepted + solution.rejected)


def test_a_sudden_change_is_met_with_rejected_steps():
    def pulse(t, y):
        return [math.exp(-(((t - 5.0) / 0.01) ** 2)) / (0.01 * math.sqrt(math.pi))]

    # Nothing happens before the pulse, so the times must not let a step leap over it.
    solution = solve(pulse, [0.0], [0.0, 5.0, 10.0], rtol=1e-8, atol=1e-10)
    assert solution.rejected > 0
    assert solution.states[1][0] == pytest.approx(0.5, abs=1e-6)
    assert solution.states[2][0] == pytest.approx(1.0, abs=1e-6)


def test_error_falls_with_the_tolerance():
    rows = dormand_prince.main()
    errors = [error for _, error, _ in rows]
    assert errors == sorted(errors, reverse=True)
    # The global error of this problem is some ten times the local tolerance.
    assert all(error < 40 * rtol for rtol, error, _ in rows)
    (_, coarse, few), (_, fine, many) = rows[2], rows[5]
    assert math.log(coarse / fine) / math.log(many / few) > 4.5  # fifth order


def test_cost_is_that_of_scipys_pair():
    """The same pair under much the same control: within a third of SciPy's number of evaluations."""
    rates = predator_prey((1.5, 1.0, 3.0, 1.0))
    ours = solve(rates, [1.0, 1.0], [0.0, 10.0], rtol=1e-8, atol=1e-8)
    theirs = solve_ivp(rates, (0.0, 10.0), [1.0, 1.0], "RK45", rtol=1e-8, atol=1e-8)
    assert ours.evaluations < 1.33 * theirs.nfev


def test_one_time_is_the_initial_state():
    assert solve(decay, [1.0], [0.0]).states == [[1.0]]


def test_singularity():
    with pytest.raises(IntegrationError, match=r"step size fell to .* at t = (1\.0000|0\.9999).*singularity"):
        solve(blow_up, [1.0], [0.0, 2.0])


def test_up_to_a_singularity():
    assert solve(blow_up, [1.0], [0.0, 0.99], rtol=1e-10).states[-1][0] == pytest.approx(100.0, rel=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_derivative_that_is_not_finite(bad):
    with pytest.raises(IntegrationError, match="not finite"):
        solve(lambda t, y: [1.0 if t < 0.5 else bad], [0.0], [0.0, 1.0])


def test_derivative_that_is_not_finite_at_the_start():
    with pytest.raises(IntegrationError):
        solve(lambda t, y: [math.nan], [0.0], [0.0, 1.0])


def test_too_many_steps():
    """Stiff: the state decays at once, and an explicit method must creep on."""
    with pytest.raises(IntegrationError, match=r"200 steps took the solution only to t = .* of 1:.*stiff"):
        solve(lambda t, y: [-1e5 * (y[0] - math.cos(t))], [0.0], [0.0, 1.0], max_steps=200)


def test_errors_of_f_come_through():
    def rates(t, y):
        raise LookupError("no such rate")

    with pytest.raises(LookupError, match="no such rate"):
        solve(rates, [1.0], [0.0, 1.0])


@pytest.mark.parametrize(
    ("times", "options", "message"),
    [
        ([], {}, "empty"),
        ([0.0, 0.0], {}, "increase"),
        ([0.0, -1.0], {}, "increase"),
        ([0.0, math.nan], {}, "increase"),
        ([0.0, 1.0], {"rtol": 0.0}, "positive"),
        ([0.0, 1.0], {"atol": -1.0}, "positive"),
    ],
)
def test_bad_arguments(times, options, message):
    with pytest.raises(ValueError, match=message):
        solve(decay, [1.0], times, **options)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="1 derivatives for a state of 2"):
        solve(decay, [1.0, 2.0], [0.0, 1.0])


def test_it_knows_nothing_of_dualtape():
    tree = ast.parse(Path(dormand_prince.__file__).read_text(encoding="utf-8"))
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None), *[alias.name for alias in node.names]]
    }
    assert imported == {None, "argparse", "itertools", "pairwise", "typing", "NamedTuple"}


# Differentiated: the same code, with traced numbers in it.


def logistic(p):
    r, k, u0 = p
    return solve(lambda t, u: [r * u[0] * (1.0 - u[0] / k)], [u0], [0.0, 2.0], rtol=1e-10, atol=1e-12).states[-1][0]


@pytest.mark.parametrize("operator", [dt.gradient, dt.jacobian])
def test_gradient_of_the_logistic_curve(operator):
    exact = [0.9477473692045159, 0.3355449455258565, 1.858328174910816]
    assert logistic([1.1, 2.0, 0.3]) == pytest.approx(1.228588343524958, rel=1e-10)
    assert list(operator(logistic, [1.1, 2.0, 0.3])) == pytest.approx(exact, rel=1e-8)


def test_second_derivative_of_a_decay():
    """u = 3 exp(-p t): the second derivative in p is t**2 u."""

    def u(p):
        return solve(lambda t, y: [-p * y[0]], [3.0], [0.0, 2.0], rtol=1e-11, atol=1e-13).states[-1][0]

    exact = 4.0 * 3.0 * math.exp(-3.0)
    assert dt.hessian(u, 1.5) == pytest.approx(exact, rel=1e-7)
    assert dt.derivative(dt.derivative(u))(1.5) == pytest.approx(exact, rel=1e-7)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_sensitivities_of_predator_and_prey(mode):
    def end(p):
        return solve(predator_prey(p), [1.0, 1.0], [0.0, 10.0], rtol=1e-10, atol=1e-12).states[-1]

    exact = [
        [2.160557523563, 0.188568777078, 0.563182794168, 0.939651287153],
        [-6.256770517221, -0.697977588989, -1.709017680598, -2.74397915592],
    ]
    np.testing.assert_allclose(dt.jacobian(end, [1.5, 1.0, 3.0, 1.0], mode=mode), exact, rtol=1e-6)


def test_the_derivative_converges_with_the_tolerance():
    def end(u0, rtol):
        return solve(blow_up, [u0], [0.0, 0.9], rtol=rtol, atol=rtol).states[-1][0]

    # u = u0 / (1 - u0 t), so du/du0 = 1 / (1 - u0 t)**2.
    errors = [abs(dt.derivative(lambda u0, rtol=rtol: end(u0, rtol), 1.0) - 100.0) for rtol in (1e-4, 1e-7, 1e-10)]
    assert errors[0] > 50 * errors[1] > 2500 * errors[2]


def test_a_failing_solve_inside_a_gradient():
    """The solver's own error comes through, and the next gradient is right."""
    with pytest.raises(IntegrationError, match="singularity"):
        dt.gradient(lambda u0: solve(blow_up, [u0], [0.0, 2.0]).states[-1][0], 1.0)
    assert dt.gradient(lambda u0: solve(decay, [u0], [0.0, 2.0]).states[-1][0], 1.0) == pytest.approx(
        math.exp(-3.0), rel=1e-5
    )


def test_command_line(capsys):
    dormand_prince.command_line([])
    assert "evaluations" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        dormand_prince.command_line(["--help"])
    assert stop.value.code == 0
    assert "Dormand-Prince" in capsys.readouterr().out
