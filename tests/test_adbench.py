"""ADBench's objectives: values against other implementations, derivatives by complex step."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp, multigammaln
from scipy.stats import multivariate_normal

import dualtape as dt

OBJECTIVES = Path(__file__).resolve().parents[1] / "asv_bench" / "benchmarks" / "adbench_objectives.py"


@pytest.fixture(scope="module")
def ad():
    spec = importlib.util.spec_from_file_location("adbench_objectives", OBJECTIVES)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def complex_step(f, x):
    """The Jacobian with the input's axes last."""
    columns = []
    for k in range(x.size):
        moved = x.astype(complex)
        moved.flat[k] += 1e-30j
        columns.append(np.imag(f(moved)) / 1e-30)
    return np.moveaxis(np.array(columns), 0, -1).reshape(np.shape(columns[0]) + x.shape)


@pytest.mark.parametrize(("gamma", "m"), [(1.0, 0), (1.5, 2)])
def test_gmm_value(ad, gamma, m):
    d, K = 3, 4
    alphas, means, icf, x = ad.gmm_point(d, K, 5)
    densities, prior = [], 0.0
    for k in range(K):
        Q = np.diag(np.exp(icf[k, :d]))
        rest = iter(icf[k, d:])
        for j in range(d):
            for i in range(j + 1, d):
                Q[i, j] = next(rest)
        densities.append(multivariate_normal(means[k], np.linalg.inv(Q.T @ Q)).logpdf(x))
        prior += 0.5 * gamma**2 * np.sum(Q**2) - m * np.log(np.linalg.det(Q))
        prior -= (d + m + 1) * d * np.log(gamma / np.sqrt(2)) - multigammaln(0.5 * (d + m + 1), d)
    mixture = logsumexp(np.array(densities) + (alphas - logsumexp(alphas))[:, None], axis=0)
    assert ad.gmm(alphas, means, icf, x, gamma, m) == pytest.approx(mixture.sum() + prior, rel=1e-12)


def check_gradient(f, args, plain):
    value, gradients = dt.value_and_gradient(f, *args, *plain, argnums=tuple(range(len(args))))
    assert value == pytest.approx(f(*args, *plain), rel=1e-14)
    for k, gradient in enumerate(gradients):
        step = complex_step(lambda v, k=k: f(*args[:k], v, *args[k + 1 :], *plain), args[k])
        assert_allclose(gradient, step, rtol=1e-10, atol=1e-12)


def test_gmm_gradient(ad):
    *args, x = ad.gmm_point(3, 4, 5)
    check_gradient(ad.gmm, args, [x])


def test_lstm_gradient(ad):
    *args, text = ad.lstm_point(2, 6, width=5)
    check_gradient(ad.lstm, args, [text])


def test_rotations(ad):
    """Orthogonal, of the right axis and angle."""
    v = np.array([0.3, -0.5, 0.7])
    R = ad.rotation_of_vector(v)
    assert_allclose(R @ R.T, np.eye(3), atol=1e-15)
    assert_allclose(R @ v, v, rtol=1e-14)
    assert np.trace(R) == pytest.approx(1.0 + 2.0 * np.cos(np.linalg.norm(v)))
    A = ad.rotation_of_angles(0.1, 0.2, 0.3)
    assert_allclose(A @ A.T, np.eye(3), atol=1e-15)


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_ba(ad, mode):
    P, features = ad.ba_point(4)
    p, feature = P[:, 1], features[:, 1]
    rotated = ad.rotation_of_vector(p[:3]) @ (p[11:14] - p[3:6])
    flat = rotated[:2] / rotated[2]
    r = flat @ flat
    expected = p[14] * (p[6] * (1 + p[9] * r + p[10] * r**2) * flat + p[7:9] - feature)
    assert_allclose(ad.ba_residual(p, feature), expected, rtol=1e-12)
    assert_allclose(ad.ba_residual(P, features)[:, 1], expected, rtol=1e-12)
    step = complex_step(lambda q: ad.ba_residual(q, feature), p)
    assert_allclose(dt.jacobian(ad.ba_residual, p, feature=feature, mode=mode), step, rtol=1e-10, atol=1e-13)
    # At the rotation zero, where the other branch is taken, the Jacobian is the limit of those beside it.
    p[:3] = 1e-7
    beside = complex_step(lambda q: ad.ba_residual(q, feature), p)
    p[:3] = 0.0
    assert_allclose(dt.jacobian(ad.ba_residual, p, feature=feature, mode=mode), beside, rtol=1e-5, atol=1e-5)


def test_ba_blocks(ad):
    """Each observation has a block of its own: two sweeps find all of them."""
    P, features = ad.ba_point(4)
    _, back = dt.pullback(lambda P: ad.ba_residual(P, features), P)
    for row in range(2):
        cotangent = np.zeros((2, 4))
        cotangent[row] = 1.0
        one = complex_step(lambda q: ad.ba_residual(q, features[:, 1]), P[:, 1])[row]
        assert_allclose(back(cotangent)[:, 1], one, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_hand(ad, mode):
    us, theta, model = ad.hand_point(points=3, vertices=6)
    jacobian = dt.jacobian(ad.hand, theta, model=model, mode=mode)
    assert_allclose(jacobian, complex_step(lambda t: ad.hand(t, model), theta), rtol=1e-10, atol=1e-13)
    jacobian = dt.jacobian(lambda u: ad.hand_complicated(u, theta, model), us, mode=mode)
    assert_allclose(jacobian, complex_step(lambda u: ad.hand_complicated(u, theta, model), us), rtol=1e-10, atol=1e-13)


def test_hand_at_rest(ad):
    """Without angles the vertices are where the model has them."""
    _, _, model = ad.hand_point(points=3, vertices=6)
    assert_allclose(ad.hand_vertices(np.zeros(26), model), model["positions"][:, :3], atol=1e-12)
