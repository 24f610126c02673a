"""The four objectives of ADBench and points for them: ordinary NumPy that knows nothing of dualtape.

Šrajer, Kukelova and Fitzgibbon 2018, "A benchmark of selected algorithmic differentiation tools on some problems in
computer vision and machine learning", with the LSTM of their later suite. The data are random, the same at every run.
Nothing is assigned in place, so that libraries that cannot do so run the same programs.
"""

from math import lgamma, log, pi, sqrt

import numpy as np


def log_sum_exp(x):
    top = np.max(x, axis=-1, keepdims=True)
    return np.log(np.sum(np.exp(x - top), axis=-1)) + top[..., 0]


def lower_triangle(d):
    """For each entry of a d x d matrix its place among d diagonal entries, the columns below them, and a zero."""
    i, j = np.arange(d)[:, None], np.arange(d)
    return np.where(i > j, d + j * (2 * d - j - 1) // 2 + i - j - 1, d * (d + 1) // 2)


def log_gamma_distribution(a, p):
    """The logarithm of the multivariate gamma function."""
    return 0.25 * p * (p - 1) * log(pi) + sum(lgamma(a - 0.5 * j) for j in range(p))


def gmm(alphas, means, icf, x, gamma=1.0, m=0):
    """Log likelihood of a mixture of K Gaussians with ADBench's Wishart prior, the sign of which is theirs.

    A row of `icf` holds the logarithms of the diagonal of the inverse covariance's factor, then its columns below.
    """
    n, d = x.shape
    K = len(alphas)
    log_diagonal, below = icf[:, :d], icf[:, d:]
    diagonal = np.exp(log_diagonal)
    padded = np.concatenate([icf, np.zeros((K, 1))], axis=1)
    L = padded[:, lower_triangle(d).ravel()].reshape(K, d, d)
    centred = x[None, :, :] - means[:, None, :]
    Qx = diagonal[:, None, :] * centred + centred @ np.swapaxes(L, 1, 2)
    log_dets = np.sum(log_diagonal, axis=1)
    inner = (alphas + log_dets)[:, None] - 0.5 * np.sum(Qx**2, axis=2)
    likelihood = np.sum(log_sum_exp(inner.T)) - n * log_sum_exp(alphas) - 0.5 * n * d * log(2 * pi)
    freedom = d + m + 1
    prior = 0.5 * gamma**2 * (np.sum(diagonal**2) + np.sum(below**2)) - m * np.sum(log_dets)
    constant = freedom * d * log(gamma / sqrt(2)) - log_gamma_distribution(0.5 * freedom, d)
    return likelihood + prior - K * constant


def gmm_point(d, K, n, seed=0):
    rng = np.random.default_rng(seed)
    icf = rng.normal(size=(K, d * (d + 1) // 2))
    return rng.normal(size=K), rng.uniform(size=(K, d)), 0.3 * icf, rng.normal(size=(n, d))


def cross(a, b):
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def ba_residual(p, feature):
    """Weighted error of one observation; p holds rotation, centre, focal length, x0, distortion (11), X (3), weight.

    The columns of a matrix p are as many observations, none of which may have the rotation zero.
    """
    rotation, X = p[:3], p[11:14] - p[3:6]
    square = np.sum(rotation**2, axis=0)
    if np.all(square != 0.0):
        theta = np.sqrt(square)
        w = rotation / theta
        cosine = np.cos(theta)
        seen = X * cosine + cross(w, X) * np.sin(theta) + w * (np.sum(w * X, axis=0) * (1.0 - cosine))
    else:
        seen = X + cross(rotation, X)
    flat = seen[:2] / seen[2]
    r = np.sum(flat**2, axis=0)
    return p[14] * (flat * (1.0 + p[9] * r + p[10] * r * r) * p[6] + p[7:9] - feature)


def ba_weight_error(w):
    return 1.0 - w**2


def ba_point(n, cameras=20, points=200, seed=0):
    """A column of 15 parameters and one of 2 features for each of n observations."""
    rng = np.random.default_rng(seed)
    each = np.concatenate([rng.normal(size=(6, cameras)), 1.0 + 0.1 * rng.normal(size=(1, cameras))])
    each = np.concatenate([each, 0.1 * rng.normal(size=(4, cameras))])
    X = rng.normal(size=(3, points)) + np.array([[0.0], [0.0], [9.0]])
    camera, point = rng.integers(cameras, size=n), rng.integers(points, size=n)
    return np.concatenate([each[:, camera], X[:, point], rng.uniform(size=(1, n))]), rng.normal(size=(2, n))


def rotation_of_angles(x, z, y):
    """Rz Ry Rx."""
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    o, i = 0.0 * cx, 0.0 * cx + 1.0
    rx = np.stack([i, o, o, o, cx, -sx, o, sx, cx]).reshape(3, 3)
    ry = np.stack([cy, o, -sy, o, i, o, sy, o, cy]).reshape(3, 3)
    rz = np.stack([cz, -sz, o, sz, cz, o, o, o, i]).reshape(3, 3)
    return rz @ ry @ rx


def rotation_of_vector(v):
    """The rotation about v by its length; the identity where it is next to nothing."""
    n = np.sqrt(np.sum(v**2))
    if abs(n) < 1e-4:
        return np.eye(3)
    w = v / n
    x, y, z = w[0], w[1], w[2]
    o = 0.0 * x
    skew = np.stack([o, -z, y, z, o, -x, -y, x, o]).reshape(3, 3)
    outer = w[:, None] * w[None, :]
    return np.cos(n) * (np.eye(3) - outer) + outer + np.sin(n) * skew


def hand_vertices(theta, model):
    """The skinned vertices of a hand in a pose of 26 numbers: rotation, translation, four angles for each finger."""
    zero = 0.0 * theta[0]
    angles = [(zero, zero)] * 2  # the forearm and the wrist stay
    for finger in range(5):
        at = 6 + 4 * finger
        angles += [(theta[at], theta[at + 1]), (theta[at + 2], zero), (theta[at + 3], zero), (zero, zero)]
    absolutes, transforms = [], []
    for bone, (x, z) in enumerate(angles):
        base = model["relatives"][bone]
        turn = base[:3, :3] @ rotation_of_angles(x, z, zero)
        relative = np.concatenate([np.concatenate([turn, base[:3, 3:]], axis=1), np.eye(4)[3:]])
        parent = model["parents"][bone]
        absolutes.append(relative if parent < 0 else absolutes[parent] @ relative)
        transforms.append(absolutes[bone] @ model["inverses"][bone])
    placed = np.stack(transforms)[:, :3] @ model["positions"].T
    skinned = np.sum(placed * model["weights"].T[:, None, :], axis=0)
    return (rotation_of_vector(theta[:3]) @ skinned).T + theta[3:6]


def hand(theta, model):
    """Distances of points from the vertices that belong to them, a row for each point."""
    return model["points"] - hand_vertices(theta, model)[model["nearest"]]


def hand_complicated(us, theta, model):
    """Distances of points from the points with coordinates `us`, a row each, in their triangles."""
    corners = hand_vertices(theta, model)[model["triangles"]]
    u, v = us[:, :1], us[:, 1:]
    return model["points"] - (u * corners[:, 0] + v * corners[:, 1] + (1.0 - u - v) * corners[:, 2])


def hand_point(points=100, vertices=200, seed=0):
    """Coordinates in triangles, a pose, and a hand of 22 bones."""
    rng = np.random.default_rng(seed)
    parents = [-1, 0] + [1 if k == 0 else 4 * finger + k + 1 for finger in range(5) for k in range(4)]
    relatives, absolutes = [], []
    for parent in parents:
        relative = np.eye(4)
        relative[:3, :3] = rotation_of_vector(0.3 * rng.normal(size=3))
        relative[:3, 3] = rng.normal(size=3)
        relatives.append(relative)
        absolutes.append(relative if parent < 0 else absolutes[parent] @ relative)
    weights = rng.uniform(size=(vertices, len(parents))) ** 8
    model = {
        "parents": parents,
        "relatives": np.array(relatives),
        "inverses": np.linalg.inv(absolutes),
        "positions": np.concatenate([rng.normal(size=(vertices, 3)), np.ones((vertices, 1))], axis=1),
        "weights": weights / np.sum(weights, axis=1, keepdims=True),
        "points": rng.normal(size=(points, 3)),
        "nearest": rng.integers(vertices, size=points),
        "triangles": rng.integers(vertices, size=(points, 3)),
    }
    return rng.uniform(size=(points, 2)), 0.5 * rng.normal(size=26), model


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def lstm(main, extra, state, text):
    """Mean cross-entropy of a character model; `main` and `state` have two rows for each layer, `text` one a step.

    The weights are diagonal, so that a layer has four gates of a product and a sum each. The 2 in the logarithm is
    ADBench's.
    """
    width = text.shape[1]
    layers = len(main) // 2
    h, c = [state[2 * l] for l in range(layers)], [state[2 * l + 1] for l in range(layers)]
    total = 0.0
    for t in range(len(text) - 1):
        x = text[t] * extra[0]
        for l in range(layers):
            gates = np.concatenate([x, h[l], x, h[l]]) * main[2 * l] + main[2 * l + 1]
            forget, keep = sigmoid(gates[:width]), sigmoid(gates[width : 2 * width])
            out, change = sigmoid(gates[2 * width : 3 * width]), np.tanh(gates[3 * width :])
            c[l] = c[l] * forget + keep * change
            x = h[l] = out * np.tanh(c[l])
        y = x * extra[1] + extra[2]
        total = total + np.sum(text[t + 1] * (y - np.log(np.sum(np.exp(y)) + 2.0)))
    return -total / ((len(text) - 1) * width)


def lstm_point(layers, characters, width=14, seed=0):
    """Weights, and a random text with a row of bits for each character."""
    rng = np.random.default_rng(seed)
    text = rng.integers(2, size=(characters, width)).astype(float)
    shapes = ((2 * layers, 4 * width), (3, width), (2 * layers, width))
    return *(rng.uniform(size=shape) for shape in shapes), text
