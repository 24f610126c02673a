"""The array programs of the benchmarks: their values and gradients are right, whatever they cost."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import dualtape as dt

PROGRAMS = Path(__file__).resolve().parents[1] / "asv_bench" / "benchmarks" / "array_programs.py"


@pytest.fixture(scope="module")
def programs():
    spec = importlib.util.spec_from_file_location("array_programs", PROGRAMS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def norms(gradients):
    return [[np.linalg.norm(g) for g in layer] for layer in gradients]


# Layers and batch; the loss; for each layer the norms of the gradients in Wx, Wh and b. By complex step.
LSTM = [
    (1, 1, 0.40480549868633, [(0.158532668683, 0.159364792246, 0.732757683952)]),
    (1, 3, 1.08378590696027, [(0.414668626023, 0.401896692814, 2.265677388809)]),
    (
        3,
        1,
        0.06443252526320,
        [
            (0.000829329305, 0.000914699583, 0.0044722658),
            (0.011551937086, 0.010312077114, 0.057194065906),
            (0.160083442772, 0.147494650176, 0.691497123398),
        ],
    ),
]


def lstm(programs, layers, batch):
    weights, x = programs.lstm_weights(layers), programs.lstm_input(batch)
    return dt.value_and_gradient(programs.lstm_loss, weights, x, layers=layers)


@pytest.mark.parametrize(("layers", "batch", "loss", "expected"), LSTM)
def test_lstm(programs, layers, batch, loss, expected):
    value, (weights, _) = lstm(programs, layers, batch)
    assert value == pytest.approx(loss, rel=1e-12)
    assert_allclose([row[:3] for row in norms(weights)], expected, rtol=0, atol=1e-12)


def test_lstm_first_states(programs):
    _, (weights, _) = lstm(programs, 1, 1)
    assert_allclose(norms(weights)[0][3:], [0.026660072445, 0.063431856447], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("layers", "batch", "column"),
    [
        (1, 1, [0.020699812843, 0.008119297663, -0.011926062344, -0.021006655632]),
        (3, 3, [1.474007380616e-4, 1.343362677070e-4, -2.236347654e-6, -1.367528752953e-4]),
    ],
)
def test_lstm_input(programs, layers, batch, column):
    _, (_, x) = lstm(programs, layers, batch)
    assert_allclose(x[:, 0], column, rtol=0, atol=1e-12)


def test_lstm_backward_pass_can_be_repeated(programs):
    weights, x = programs.lstm_weights(2), programs.lstm_input(5)
    _, back = dt.pullback(programs.lstm_loss, weights, x, layers=2)
    first, again = back(1.0), back(1.0)
    for a, b in zip([*first[0][0], *first[0][1], first[1]], [*again[0][0], *again[0][1], again[1]]):
        assert np.array_equal(a, b)


SIZES, BATCH = (7, 6, 5, 3), 4


@pytest.fixture
def mlp(programs):
    """Weights, inputs and targets of a small network."""
    return programs.mlp_weights(SIZES), *programs.mlp_data(BATCH, SIZES[0], SIZES[-1])


def test_hand_written_mlp_by_complex_step(programs, mlp):
    weights, x, targets = mlp
    value, gradients = programs.MLPByHand(SIZES, BATCH)(weights, x, targets)
    assert value == pytest.approx(programs.mlp_loss(weights, x, targets), rel=1e-14)
    rng = np.random.default_rng(3)
    for _ in range(5):
        direction = [(rng.normal(size=W.shape), rng.normal(size=b.shape)) for W, b in weights]
        moved = [(W + 1e-30j * dW, b + 1e-30j * db) for (W, b), (dW, db) in zip(weights, direction)]
        slope = programs.mlp_loss(moved, x, targets).imag / 1e-30
        dot = sum(np.vdot(g, d) for pair, step in zip(gradients, direction) for g, d in zip(pair, step))
        assert dot == pytest.approx(slope, rel=1e-12)


@pytest.mark.parametrize(
    ("sizes", "batch"), [(SIZES, BATCH), pytest.param((784, 512, 512, 10), 256, marks=pytest.mark.slow)]
)
def test_mlp_is_the_hand_written_one(programs, sizes, batch):
    weights, data = programs.mlp_weights(sizes), programs.mlp_data(batch, sizes[0], sizes[-1])
    by_hand = programs.MLPByHand(sizes, batch)
    by_hand(weights, *data)
    expected, expected_gradients = by_hand(weights, *data)  # the buffers are used again
    value, gradients = dt.value_and_gradient(programs.mlp_loss, weights, *data, argnums=0)
    assert value == pytest.approx(expected, rel=1e-13)
    for pair, expected_pair in zip(gradients, expected_gradients):
        for g, e in zip(pair, expected_pair):
            assert_allclose(g, e, rtol=1e-11, atol=1e-14)


def test_small_mlp_has_about_500_parameters(programs):
    sizes = programs.SMALL_SIZES
    p, data = programs.small_mlp_point(), programs.mlp_data(16, sizes[0], sizes[-1])
    assert p.shape == (498,)
    _, gradient = dt.value_and_gradient(programs.small_mlp_loss, p, *data, argnums=0)
    direction = np.cos(np.arange(498.0))
    slope = programs.small_mlp_loss(p + 1e-30j * direction, *data).imag / 1e-30
    assert gradient @ direction == pytest.approx(slope, rel=1e-11)
    cuts = np.cumsum([(m + 1) * n for m, n in zip(sizes, sizes[1:])])[:-1]
    weights = [(v[:-n].reshape(-1, n), v[-n:]) for v, n in zip(np.split(p, cuts), sizes[1:])]
    _, by_hand = programs.MLPByHand(sizes, 16)(weights, *data)
    assert_allclose(gradient, np.concatenate([g.ravel() for pair in by_hand for g in pair]), rtol=1e-10, atol=1e-15)


def test_stencil(programs):
    """A step is a symmetric matrix but for the two ends, which stay."""
    n, steps = 12, 7
    u = programs.stencil_point(n)
    step = np.eye(n)
    for i in range(1, n - 1):
        step[i, i - 1 : i + 2] += 0.1 * np.array([1.0, -2.0, 1.0])
    all_steps = np.linalg.matrix_power(step, steps)
    value, gradient = dt.value_and_gradient(programs.stencil, u, steps=steps)
    assert value == pytest.approx(np.sum((all_steps @ u) ** 2), rel=1e-13)
    assert_allclose(gradient, 2.0 * all_steps.T @ all_steps @ u, rtol=1e-12, atol=1e-13)


def test_elements(programs):
    x = programs.det((9,), 0, 1.0)
    ones = np.ones(9)
    value, gradient = dt.value_and_gradient(programs.read_elements, x)
    assert value == pytest.approx(x.sum()) and np.array_equal(gradient, ones)
    value, gradient = dt.value_and_gradient(programs.copy_elements, x)
    assert value == pytest.approx(x.sum()) and np.array_equal(gradient, ones)
    value, (dx, ds) = dt.value_and_gradient(programs.write_elements, x, 2.0)
    assert value == 18.0 and np.array_equal(dx, 0.0 * ones) and ds == 9.0
    assert dt.value_and_gradient(programs.add_repeatedly, 2.0, n=9) == (18.0, 9.0)


def test_rosenbrock(programs):
    x = 1.0 + programs.det((9,), 0, 0.5)
    value, gradient = programs.rosenbrock_by_hand(x)
    assert value == pytest.approx(programs.rosenbrock(x), rel=1e-13)
    assert_allclose(gradient, [programs.rosenbrock(x + 1e-30j * e).imag / 1e-30 for e in np.eye(9)], rtol=1e-11)
    assert_allclose(dt.gradient(programs.rosenbrock, x), gradient, rtol=1e-11)


def test_gauss_seidel(programs):
    """A sweep solves with the lower triangle, the ends kept."""
    n, sweeps = 7, 4
    u, f = programs.stencil_point(n), programs.det((n,), 0, 0.1)
    lower, upper, source = np.eye(n), np.zeros((n, n)), np.zeros((n, n))
    for i in range(1, n - 1):
        lower[i, i - 1], upper[i, i + 1], source[i, i] = -0.5, 0.5, 0.5
    upper[0, 0] = upper[-1, -1] = 1.0
    in_u, in_f = np.eye(n), np.zeros((n, n))
    for _ in range(sweeps):
        in_u, in_f = np.linalg.solve(lower, upper @ in_u), np.linalg.solve(lower, upper @ in_f + source)
    end = in_u @ u + in_f @ f
    value, (du, df) = dt.value_and_gradient(programs.gauss_seidel, u, f, sweeps=sweeps)
    assert value == pytest.approx(end @ end, rel=1e-13)
    assert_allclose(du, 2.0 * in_u.T @ end, rtol=1e-11, atol=1e-14)
    assert_allclose(df, 2.0 * in_f.T @ end, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("chain", ["add", "mul", "div", "tanh", "exp", "sin", "matmul"])
def test_chains(programs, chain):
    f = getattr(programs, chain + "_chain")
    x, y = programs.matrix_point() if chain == "matmul" else programs.chain_point(6)
    value, (dx, dy) = dt.value_and_gradient(f, x, y, length=100)
    assert value == pytest.approx(f(x, y, 100), rel=1e-13)
    ex, ey = np.cos(np.arange(float(x.size))).reshape(x.shape), np.sin(np.arange(float(y.size))).reshape(y.shape)
    slope = f(x + 1e-30j * ex, y + 1e-30j * ey, 100).imag / 1e-30
    assert np.vdot(dx, ex) + np.vdot(dy, ey) == pytest.approx(slope, rel=1e-11)


def test_field(programs):
    x, A, B = programs.field_point(6)
    jacobian = dt.jacobian(lambda x: programs.field(x, A, B), x)
    columns = [programs.field(x + 1e-30j * e, A, B).imag / 1e-30 for e in np.eye(6)]
    assert_allclose(jacobian, np.transpose(columns), rtol=1e-12, atol=1e-15)
