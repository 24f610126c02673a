"""dualtape.scipy as a whole: lazy, and SciPy itself for plain arguments."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.special

import dualtape as dt


def test_modules_are_imported_when_they_are_used():
    program = (
        "import sys, dualtape as dt;"
        "assert not any(m.startswith('scipy') for m in sys.modules);"
        "assert dt.gradient(dt.scipy.special.logsumexp, 1.0) == 1.0;"
        "assert 'scipy.special' in sys.modules and 'scipy.stats' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(dt.__file__).parents[1])


def test_names():
    assert set(dt.scipy.__all__) <= set(dir(dt.scipy))
    for name in dt.scipy.__all__:
        module = getattr(dt.scipy, name)
        assert all(getattr(module, f).__doc__ or f.islower() for f in module.__all__)
    with pytest.raises(AttributeError, match="optimize"):
        dt.scipy.optimize
    assert dt.scipy.special.erf is scipy.special.erf


def test_arrays_made_by_dualtape_are_welcome():
    x = dt.array([0.0, 1.0])
    np.testing.assert_allclose(dt.stop_gradient(dt.scipy.special.softmax(x)), scipy.special.softmax([0.0, 1.0]))
    low = dt.scipy.linalg.cholesky(dt.array([[4.0, 2.0], [2.0, 5.0]]), lower=True)
    np.testing.assert_allclose(dt.stop_gradient(low), [[2.0, 0.0], [1.0, 2.0]])
