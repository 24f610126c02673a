"""The array programs that the benchmarks differentiate: ordinary NumPy that knows nothing of dualtape."""

from itertools import pairwise

import numpy as np


def det(shape, offset, scale):
    """An array of scale * sin(offset + 1), scale * sin(offset + 2), ... in row-major order."""
    size = int(np.prod(shape))
    return scale * np.sin(offset + np.arange(1.0, size + 1.0)).reshape(shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_cell(weights, h, c, x):
    """One step of a layer: the new state. The gates lie in the order input, forget, candidate, output."""
    Wx, Wh, b = weights
    n = len(b) // 4
    gates = Wx @ x + Wh @ h + b
    i = sigmoid(gates[:n])
    f = sigmoid(gates[n : 2 * n])
    g = np.tanh(gates[2 * n : 3 * n])
    o = sigmoid(gates[3 * n :])
    c = f * c + i * g
    return o * np.tanh(c), c


def lstm_loss(weights, x, layers, steps=4):
    """The sum of what a stack of LSTM layers gives after `steps` applications to its own output.

    `weights` has (Wx, Wh, b, h0, c0) for each layer, `x` one column for each member of the batch. Biases and first
    states are columns, which NumPy repeats over the batch.
    """
    state = [(h, c) for _, _, _, h, c in weights[:layers]]
    for _ in range(steps):
        for l in range(layers):
            h, c = lstm_cell(weights[l][:3], *state[l], x)
            state[l] = h, c
            x = h
    return np.sum(x)


def lstm_weights(layers, n=4):
    """The weights of `layers` layers with n features, the same at every run."""
    return [
        (
            det((4 * n, n), 100 * l, 0.5),
            det((4 * n, n), 100 * l + 30, 0.5),
            det((4 * n, 1), 100 * l + 60, 0.5),
            np.zeros((n, 1)),
            np.zeros((n, 1)),
        )
        for l in range(layers)
    ]


def lstm_input(batch, n=4):
    return det((n, batch), 7, 1.0)


def mlp_loss(weights, x, targets):
    """The mean cross-entropy of a network with tanh layers and a softmax at the end; a row for each example."""
    for W, b in weights[:-1]:
        x = np.tanh(x @ W + b)
    W, b = weights[-1]
    z = x @ W + b
    z = z - np.max(z, axis=1, keepdims=True)
    log_p = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    return -np.sum(targets * log_p) / len(targets)


def mlp_weights(sizes=(784, 512, 512, 10), seed=0):
    rng = np.random.default_rng(seed)
    weights = []
    for m, n in pairwise(sizes):
        bound = np.sqrt(6.0 / (m + n))
        weights.append((rng.uniform(-bound, bound, (m, n)), rng.uniform(-0.1, 0.1, n)))
    return weights


def mlp_data(batch=256, inputs=784, classes=10, seed=1):
    """Inputs, and targets as rows with a single one."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.0, 1.0, (batch, inputs)), np.eye(classes)[rng.integers(0, classes, batch)]


class MLPByHand:
    """Value and gradient of `mlp_loss` as one would write them for speed: every array is allocated once.

    The gradients are the same arrays at every call.
    """

    def __init__(self, sizes=(784, 512, 512, 10), batch=256):
        self.ones = np.ones(batch)
        self.outputs = [np.empty((batch, n)) for n in sizes[1:]]
        self.errors = [np.empty((batch, n)) for n in sizes[1:]]
        self.columns = [np.empty((batch, 1)) for _ in range(2)]
        self.gradients = [(np.empty((m, n)), np.empty(n)) for m, n in pairwise(sizes)]

    def __call__(self, weights, x, targets):
        """(value, gradients), the latter with the structure of the weights."""
        inputs = [x, *self.outputs[:-1]]
        for (W, b), a, y in zip(weights[:-1], inputs, self.outputs, strict=False):
            np.matmul(a, W, out=y)
            np.add(y, b, out=y)
            np.tanh(y, out=y)
        W, b = weights[-1]
        z, error = self.outputs[-1], self.errors[-1]
        top, total = self.columns
        np.matmul(inputs[-1], W, out=z)
        np.add(z, b, out=z)
        np.max(z, axis=1, keepdims=True, out=top)
        np.subtract(z, top, out=z)
        np.exp(z, out=error)
        np.sum(error, axis=1, keepdims=True, out=total)
        np.divide(error, total, out=error)
        np.log(total, out=total)
        np.subtract(z, total, out=z)
        n = len(targets)
        value = -np.vdot(targets, z) / n
        np.subtract(error, targets, out=error)
        np.divide(error, n, out=error)
        for l in reversed(range(len(weights))):
            dW, db = self.gradients[l]
            np.matmul(inputs[l].T, self.errors[l], out=dW)
            np.matmul(self.ones, self.errors[l], out=db)
            if l:
                # tanh' = 1 - tanh², in the place of tanh, which is no longer needed.
                np.matmul(self.errors[l], weights[l][0].T, out=self.errors[l - 1])
                slope = self.outputs[l - 1]
                np.multiply(slope, slope, out=slope)
                np.subtract(1.0, slope, out=slope)
                np.multiply(self.errors[l - 1], slope, out=self.errors[l - 1])
        return value, self.gradients


SMALL_SIZES = (10, 20, 12, 2)


def small_mlp_loss(p, x, targets, sizes=SMALL_SIZES):
    """`mlp_loss` of a network whose 498 parameters are one vector."""
    weights, start = [], 0
    for m, n in pairwise(sizes):
        W = p[start : start + m * n].reshape(m, n)
        start += m * n
        weights.append((W, p[start : start + n]))
        start += n
    return mlp_loss(weights, x, targets)


def small_mlp_point(sizes=SMALL_SIZES):
    return det((sum((m + 1) * n for m, n in pairwise(sizes)),), 0, 0.3)


def stencil(u, steps=1000):
    """Sum of squares after `steps` explicit steps of the heat equation, in place."""
    u = u.copy()
    for _ in range(steps):
        u[1:-1] += 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.sum(u * u)


def stencil_point(n=10**4):
    return np.sin(np.linspace(0.0, 20.0, n)) + 0.1 * np.cos(np.arange(float(n)))


def rosenbrock(x):
    """Rosenbrock's function on whole arrays."""
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rosenbrock_by_hand(x):
    """(value, gradient) of `rosenbrock`."""
    a, b = x[1:] - x[:-1] ** 2, 1.0 - x[:-1]
    gradient = np.zeros_like(x)
    gradient[1:] = 200.0 * a
    gradient[:-1] -= 400.0 * a * x[:-1] + 2.0 * b
    return 100.0 * (a @ a) + b @ b, gradient


def gauss_seidel(u, f, sweeps=10):
    """Sum of squares after some sweeps for -u'' = f, each element replaced as soon as it is known."""
    u = u.copy()
    for _ in range(sweeps):
        for i in range(1, len(u) - 1):
            u[i] = 0.5 * (u[i - 1] + u[i + 1] + f[i])
    return np.sum(u * u)


def read_elements(x):
    """The elements added up one by one."""
    total = 0.0
    for i in range(len(x)):
        total = total + x[i]
    return total


def add_repeatedly(s, n):
    """What `read_elements` does but for the reads."""
    total = 0.0
    for _ in range(n):
        total = total + s
    return total


def write_elements(x, s):
    """A number written to all elements of a copy, one by one."""
    y = x.copy()
    for i in range(len(x)):
        y[i] = s
    return np.sum(y)


def copy_elements(x):
    """Each element read and written."""
    y = np.zeros_like(x)
    for i in range(len(x)):
        y[i] = x[i]
    return np.sum(y)


CHAIN = 1000


def add_chain(x, y, length=CHAIN):
    for _ in range(length):
        x = x + y
    return np.sum(x)


def mul_chain(x, y, length=CHAIN):
    for _ in range(length):
        x = x * y
    return np.sum(x)


def div_chain(x, y, length=CHAIN):
    for _ in range(length):
        x = x / y
    return np.sum(x)


def tanh_chain(x, y, length=CHAIN, tanh=np.tanh):
    for _ in range(length):
        x = tanh(x)
    return np.sum(x)


def sin_chain(x, y, length=CHAIN, sin=np.sin):
    for _ in range(length):
        x = sin(x)
    return np.sum(x)


def exp_chain(x, y, length=CHAIN, exp=np.exp):
    """Half of the operations are negations: exp alone would overflow after four."""
    for _ in range(length // 2):
        x = exp(-x)
    return np.sum(x)


def matmul_chain(x, y, length=CHAIN):
    for _ in range(length):
        x = x @ y
    return np.sum(x)


def chain_point(n):
    """Two vectors; powers of the second stay near 1."""
    return det((n,), 0, 0.5), 1.0 + det((n,), 10, 0.01)


def matrix_point(n=4):
    """Two matrices, the second orthogonal, so that its powers stay bounded."""
    return det((n, n), 0, 1.0), np.linalg.qr(det((n, n), 50, 1.0))[0]


def field(x, A, B):
    """A map of R^n to itself: two layers."""
    return np.tanh(B @ np.tanh(A @ x) + x)


def field_point(n=50):
    """A point, and the two matrices of `field`."""
    return det((n,), 0, 1.0), det((n, n), 100, 0.2), det((n, n), 3000, 0.2)
