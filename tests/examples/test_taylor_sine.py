"""The Taylor sine: the derivative of what the program did, printed once."""

import math
from fractions import Fraction

import pytest

import dualtape as dt
import taylor_sine

# x, the last power added, and s, s', s'' of the truncated series (mpmath, 40 digits).
ORACLE = [
    (0.5, 7, 0.47942553323412698, 0.87758246527777778, -0.47942708333333333),
    (1.0, 11, 0.84147098464806798, 0.54030230379188713, -0.84147100970017637),
    (2.0, 15, 0.90929742646144763, -0.41614683963890313, -0.90929745151967374),
    (math.pi / 3, 11, 0.86602540349348277, 0.49999999639094324, -0.86602544509978119),
    (3.0, 17, 0.14112001741324261, -0.98999243749414648, -0.14111965434119452),
]
# The partial sums reach 4.5 at x = 3, and each of the additions rounds.
ROUNDING = 1.5e-15


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return taylor_sine.main(tmp_path_factory.mktemp("taylor_sine"))


def row_at(result, x):
    return next(row for row in result["rows"] if row["x"] == x)


@pytest.mark.parametrize(("x", "last", "value", "first", "second"), ORACLE)
def test_table(result, x, last, value, first, second):
    row = row_at(result, x)
    assert row["powers"] == list(range(1, last + 1, 2))
    assert row["value"] == pytest.approx(value, abs=ROUNDING)
    assert row["forward"] == pytest.approx(first, abs=ROUNDING)
    assert row["reverse"] == pytest.approx(first, abs=ROUNDING)
    assert row["second"] == pytest.approx(second, abs=ROUNDING)
    assert row["second_reverse"] == pytest.approx(second, abs=ROUNDING)


def test_the_number_of_the_paper(result):
    row = row_at(result, 1.0)
    assert row["reverse"] == 0.5403023037918872
    # Forward mode adds the same terms in the other order: two units in the last place.
    assert row["forward"] == pytest.approx(0.5403023037918872, abs=2.3e-16)
    assert math.cos(1.0) - row["reverse"] == pytest.approx(1 / math.factorial(12), rel=1e-2)


def test_the_oracle_itself():
    """The polynomial's derivatives in exact arithmetic."""
    for x, last, value, first, second in ORACLE:
        exact = [Fraction(0)] * 3
        for i in range(1, last + 1, 2):
            sign = (-1) ** (i // 2)
            for order in range(3):
                if i >= order:
                    exact[order] += sign * Fraction(x) ** (i - order) / math.factorial(i - order)
        assert [float(sum_) for sum_ in exact] == pytest.approx([value, first, second], abs=2e-16)


@pytest.mark.parametrize("x", [0.0, 1e-9])
def test_control_flow_has_the_last_word(x):
    """The program returns before it adds a term: the derivative is that of 0.0."""
    assert taylor_sine.powers(x) == []
    assert taylor_sine.sine(x) == 0.0
    assert dt.derivative(taylor_sine.sine, x) == 0.0
    assert dt.gradient(taylor_sine.sine, x) == 0.0


PRINTED = "1\n3\n5\n7\n9\n11\n"


@pytest.mark.parametrize("operator", [dt.derivative, dt.gradient, dt.value_and_gradient, dt.hessian])
def test_prints_once(operator, capsys):
    operator(taylor_sine.sine, 1.0)
    assert capsys.readouterr().out == PRINTED


def test_sweeps_do_not_print(capsys):
    _, back = dt.pullback(taylor_sine.sine, 1.0)
    assert capsys.readouterr().out == PRINTED
    assert back(2.0) == 2.0 * back(1.0)
    assert capsys.readouterr().out == ""


def test_nested_differentiation_prints_once(capsys):
    dt.derivative(dt.derivative(taylor_sine.sine))(1.0)
    assert capsys.readouterr().out == PRINTED


def test_main_prints_once_and_tabulates(tmp_path, capsys):
    taylor_sine.main(tmp_path)
    out = capsys.readouterr().out
    assert out.count(PRINTED) == 1
    assert "derivative 0.5403023037918872, cos(1) = 0.5403023058681398" in out


def test_pictures(result, check_pictures):
    check_pictures(result["files"])


def test_command_line(tmp_path, capsys):
    taylor_sine.command_line(["--output", str(tmp_path / "new" / "folder")])
    assert (tmp_path / "new" / "folder" / "taylor_sine.svg").exists()
    with pytest.raises(SystemExit) as stop:
        taylor_sine.command_line(["--help"])
    assert stop.value.code == 0
    assert "--output" in capsys.readouterr().out
