"""The main job: estimates to three digits, standard errors and band against other routes, errors in the data."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import dualtape as dt
import lynx_hare

# The maximum of the likelihood, found independently with a solver at tight tolerance.
MAXIMUM = {
    "alpha": 0.5400,
    "beta": 0.02716,
    "gamma": 0.7966,
    "delta": 0.02370,
    "hare_0": 34.60,
    "lynx_0": 5.844,
    "sigma_hare": 0.2184,
    "sigma_lynx": 0.2201,
}
COMMENT = "# pelts\n"
HEADER = "year,lynx,hare\n"
ROWS = "1900,4.0,30.0\n1901,6.1,47.2\n1902,9.8,70.2\n1903,35.2,77.4\n"


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return lynx_hare.main(output=tmp_path_factory.mktemp("lynx_hare"), progress=False)


@pytest.fixture(scope="module")
def pelts():
    return lynx_hare.read_pelts(lynx_hare.DATA)


@pytest.fixture(scope="module")
def minus_log_l(pelts):
    return lynx_hare.negative_log_likelihood(pelts)


@pytest.fixture(scope="module")
def logs(result):
    return np.log(list(result["estimates"].values()))


def scipy_populations(parameters, times):
    """The curves by another solver, at a tolerance of 1e-12: rows of hares and lynx."""
    alpha, beta, gamma, delta, *start = parameters[:6]
    return solve_ivp(
        lambda t, z: [(alpha - beta * z[1]) * z[0], (delta * z[0] - gamma) * z[1]],
        (times[0], times[-1]),
        start,
        "DOP853",
        times,
        rtol=1e-12,
        atol=1e-12,
    ).y


def scipy_minus_log_l(parameters, pelts):
    """-log L with every constant, less the constants, from the densities themselves."""
    curves = scipy_populations(parameters, [year - pelts.years[0] for year in pelts.years])
    total = 0.0
    for counts, z, sigma in zip((pelts.hare, pelts.lynx), curves, parameters[6:], strict=True):
        counts = np.array(counts)
        density = np.exp(-0.5 * (np.log(counts / z) / sigma) ** 2) / (counts * sigma * math.sqrt(2.0 * math.pi))
        total -= np.sum(np.log(density))
        total -= np.sum(np.log(counts)) + 0.5 * len(counts) * math.log(2.0 * math.pi)
    return total


def test_data(pelts):
    assert pelts.years == [float(year) for year in range(1900, 1921)]
    assert (pelts.lynx[0], pelts.hare[0]) == (4.0, 30.0)
    assert (pelts.lynx[-1], pelts.hare[-1]) == (8.6, 24.7)
    assert "Source" in lynx_hare.DATA.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MAXIMUM)
def test_estimates_to_three_digits(result, name):
    assert result["estimates"][name] == pytest.approx(MAXIMUM[name], rel=2.5e-4)


def test_maximum(result):
    assert result["minus_log_l"] == pytest.approx(-42.74056, abs=1e-5)
    assert result["gradient"] < 1e-5
    assert result["iterations"] < 20


def test_likelihood_against_scipy(result, pelts):
    estimates = list(result["estimates"].values())
    assert scipy_minus_log_l(estimates, pelts) == pytest.approx(result["minus_log_l"], abs=1e-7)


def test_no_neighbour_is_better(result, logs, minus_log_l):
    rng = np.random.default_rng(2)
    for _ in range(20):
        assert minus_log_l((logs + 0.01 * rng.normal(size=8)).tolist()) > result["minus_log_l"]


def test_published_means_are_within_an_error_bar(result):
    for parameter in lynx_hare.PARAMETERS:
        distance = abs(result["estimates"][parameter.name] - parameter.published)
        assert distance < 1.1 * result["standard_errors"][parameter.name]


def test_standard_errors_in_the_parameters_themselves(result, logs, minus_log_l):
    """The Hessian in the natural parameters gives what the delta method gives from the logarithms."""
    hessian = dt.hessian(lambda p: minus_log_l([dt.log(value) for value in p]), np.exp(logs))
    natural = np.sqrt(np.diag(np.linalg.inv(hessian)))
    np.testing.assert_allclose(list(result["standard_errors"].values()), natural, rtol=1e-5)


def test_standard_errors_by_finite_differences(result, logs, pelts):
    """Second differences of the likelihood, by the other solver: no derivative of dualtape in it."""
    h = 1e-3
    shift = h * np.eye(8)

    def at(*steps):
        return scipy_minus_log_l(np.exp(logs + sum(steps)), pelts)

    hessian = np.empty((8, 8))
    for i in range(8):
        for j in range(i + 1):
            a, b = shift[i], shift[j]
            hessian[i, j] = hessian[j, i] = (at(a, b) - at(a, -b) - at(-a, b) + at(-a, -b)) / (4 * h * h)
    errors = np.exp(logs) * np.sqrt(np.diag(np.linalg.inv(hessian)))
    np.testing.assert_allclose(list(result["standard_errors"].values()), errors, rtol=1e-3)


def test_gradient_by_finite_differences(pelts, minus_log_l):
    """Away from the maximum, where it is not zero; five-point differences."""
    start = lynx_hare.starting_point(pelts)
    gradient = dt.gradient(minus_log_l, start)
    for i in range(8):
        shift = 1e-3 * np.eye(8)[i]
        f = [minus_log_l((start + k * shift).tolist()) for k in (-2, -1, 1, 2)]
        difference = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * 1e-3)
        assert gradient[i] == pytest.approx(difference, rel=1e-5, abs=1e-5)


def test_curves_and_band(pelts, logs, minus_log_l):
    covariance = lynx_hare.covariance_of_logs(minus_log_l, logs)
    fitted = lynx_hare.curves(logs, covariance, 1900.0, 1920.0)
    assert fitted.log_z.shape == fitted.deviation.shape == (2, 241)
    np.testing.assert_array_equal(fitted.years[::12], pelts.years)
    times = (fitted.years - 1900.0)[::24]
    np.testing.assert_allclose(np.exp(fitted.log_z[:, ::24]), scipy_populations(np.exp(logs), times), rtol=1e-6)
    # The delta method with central differences in place of the Jacobian.
    h = 1e-4
    jacobian = [
        (np.log(scipy_populations(np.exp(logs + step), times)) - np.log(scipy_populations(np.exp(logs - step), times)))
        / (2 * h)
        for step in h * np.eye(8)
    ]
    variance = np.einsum("ist,ij,jst->st", jacobian, covariance, jacobian)
    np.testing.assert_allclose(fitted.deviation[:, ::24], np.sqrt(variance), rtol=1e-4)
    # In the first year the curves are two of the parameters.
    np.testing.assert_allclose(fitted.deviation[:, 0] ** 2, np.diag(covariance)[4:6], rtol=1e-10)


def test_coverage(result):
    inside, total = result["coverage"]
    assert total == 42
    # Nine in ten of 42 is 38, give or take two.
    assert 34 <= inside <= 42


def test_cost_of_a_gradient(result):
    assert 0.5 < result["cost_ratio"] < 10.0


def test_pictures(result, check_pictures):
    check_pictures(result["files"])


def test_labels_of_the_figure(result):
    svg = result["files"][1].read_text(encoding="utf-8")
    # Text is drawn as outlines; matplotlib names each in a comment.
    for words in ("Pelts (thousands)", "Year", "Snowshoe hare", "Canadian lynx", "90 % band of the fit"):
        assert f"<!-- {words} -->" in svg


def test_from_elsewhere(pelts):
    """A start a third off in every parameter leads to the same maximum."""
    start = lynx_hare.starting_point(pelts) + 0.3 * np.array([1, -1, 1, -1, 1, -1, 1, 1])
    found = lynx_hare.maximise(lynx_hare.negative_log_likelihood(pelts), start, progress=False)
    assert found.fun == pytest.approx(-42.74056, abs=1e-5)


def test_a_step_on_which_the_solver_fails():
    """It counts as a bad step; the search goes on with a shorter one."""

    def cliff(x):
        if x[0] > 1.2:
            raise lynx_hare.IntegrationError("no further")
        return -4.0 * x[0] + x[0] ** 4

    found = lynx_hare.maximise(cliff, np.array([0.05]), progress=False)
    assert found.x[0] == pytest.approx(1.0, abs=1e-6)


def test_the_optimisers_failure_is_reported():
    with pytest.raises(RuntimeError, match="did not reach a maximum"):
        lynx_hare.maximise(lambda x: -x[0], np.array([0.0]), progress=False)


def test_a_saddle_is_no_maximum():
    with pytest.raises(RuntimeError, match="not positive definite"):
        lynx_hare.covariance_of_logs(lambda x: x[0] * x[1], np.array([0.0, 0.0]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no table"),
        (COMMENT, "holds no table"),
        (COMMENT + "year,hare\n1900,30.0\n", "line 2: expected the columns year,lynx,hare, not year,hare"),
        (HEADER + ROWS + "1904,59.4\n", "line 6: expected 3 fields, found 2"),
        (HEADER + ROWS + "1904,59.4,36.3,1\n", "line 6: expected 3 fields, found 4"),
        (COMMENT + HEADER + ROWS + "1904,many,36.3\n", r"line 7: .*'many'"),
        (HEADER + ROWS + "1904,-59.4,36.3\n", "line 6: -59.4 thousand lynx pelts: counts must be positive"),
        (HEADER + ROWS + "1904,59.4,0\n", "line 6: 0 thousand hare pelts: counts must be positive"),
        (HEADER + ROWS + "1904,nan,36.3\n", "line 6: nan thousand lynx pelts"),
        (HEADER + ROWS + "1904,59.4,inf\n", "line 6: inf thousand hare pelts"),
        (HEADER + ROWS + "1903,59.4,36.3\n", "line 6: the years must increase, and 1903 does not"),
        (HEADER + "nan,59.4,36.3\n", "line 2: the years must increase, and nan does not"),
        (HEADER + "1900,4.0,30.0\n", "1 years are too few"),
    ],
)
def test_bad_data(tmp_path, text, message):
    path = tmp_path / "pelts.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(lynx_hare.DataError, match=message) as error:
        lynx_hare.main(path, tmp_path)
    assert str(path) in str(error.value)


def test_columns_in_another_order(tmp_path, pelts):
    path = tmp_path / "pelts.csv"
    rows = zip(*pelts, strict=True)
    path.write_text("hare, year, lynx\n" + "".join(f"{h},{y},{l}\n\n" for y, h, l in rows), encoding="utf-8")
    assert lynx_hare.read_pelts(path) == pelts


def test_data_of_no_predator(tmp_path):
    path = tmp_path / "pelts.csv"
    path.write_text(HEADER + "1,1,1\n2,2,3\n3,3,9\n4,4,27\n5,5,50\n", encoding="utf-8")
    with pytest.raises(lynx_hare.DataError, match="not those of a predator and its prey"):
        lynx_hare.main(path, tmp_path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no_such_pelts"):
        lynx_hare.main(tmp_path / "no_such_pelts.csv", tmp_path)
    with pytest.raises(SystemExit, match=r"lynx_hare: .*no_such_pelts"):
        lynx_hare.command_line(["--data", str(tmp_path / "no_such_pelts.csv")])


def test_output_is_shown(tmp_path, capsys):
    lynx_hare.command_line(["--output", str(tmp_path / "new")])
    out, err = capsys.readouterr()
    for words in ("estimate", "std. error", "published", "0.5400", "0.02716", "0.7966", "0.02370", "34.60", "5.844"):
        assert words in out
    assert "one gradient costs" in out
    assert "maximum likelihood" in err
    assert "-log L = -42.740564" in err


def test_as_a_program(tmp_path):
    """`python examples/lynx_hare.py` from the repository root, with warnings as errors."""
    root = Path(lynx_hare.__file__).parents[1]
    places = [str(Path(dt.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-W", "error", "examples/lynx_hare.py", "--quiet", "--output", str(tmp_path)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert {path.name for path in tmp_path.iterdir()} == {"lynx_hare.png", "lynx_hare.svg"}


def test_help(capsys):
    with pytest.raises(SystemExit) as stop:
        lynx_hare.command_line(["--help"])
    assert stop.value.code == 0
    assert "--data" in capsys.readouterr().out
