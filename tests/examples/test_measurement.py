"""Numbers with an uncertainty through dualtape: values, error bars and correlations."""

import numpy as np
import pytest

pytest.importorskip("uncertainties")

import measurement

ORACLE = {
    "value": (2.111111111111111, 0.03666666666666667),
    "gradient": (3.6666666666666665, 0.02),
    "derivative": (3.6666666666666665, 0.02),
    "second": (2.0, 0.0),
    "wave": (2.2373281197977843, 0.2893778073168339),
    "d_da": (1.08, 0.13661039491927401),
    "d_db": (1.68, 0.06967352438336963),
}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return measurement.main(tmp_path_factory.mktemp("measurement"))


@pytest.mark.parametrize("name", ORACLE)
def test_numbers(result, name):
    assert result[name] == pytest.approx(ORACLE[name], rel=1e-13, abs=1e-15)


def test_covariance(result):
    np.testing.assert_allclose(result["covariance"], [[0.0186624, 0.0005184], [0.0005184, 0.0048544]], rtol=1e-12)


def test_correlation_is_kept(result):
    """The two uses of x are one error: 2 * 0.01, not sqrt(2) * 0.01."""
    assert result["independent"] == pytest.approx(0.0141421356, rel=1e-8)
    assert result["gradient"][1] == pytest.approx(np.sqrt(2.0) * result["independent"], rel=1e-12)


def test_sampled_derivatives_agree(result):
    mean, deviation = result["sampled"]
    assert mean == pytest.approx(result["gradient"][0], abs=4 * 0.02 / np.sqrt(measurement.SAMPLES))
    assert deviation == pytest.approx(result["gradient"][1], rel=4 / np.sqrt(2 * measurement.SAMPLES))


def test_pictures(result, check_pictures):
    check_pictures(result["files"])


def test_command_line(tmp_path, capsys):
    measurement.command_line(["--output", str(tmp_path / "new")])
    assert "3.666667+/-0.020000" in capsys.readouterr().out
    assert (tmp_path / "new" / "measurement.png").exists()
    with pytest.raises(SystemExit) as stop:
        measurement.command_line(["--help"])
    assert stop.value.code == 0
    assert "--output" in capsys.readouterr().out
