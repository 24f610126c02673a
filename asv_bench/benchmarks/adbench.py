"""ADBench's objectives: the time of a gradient or a Jacobian over that of the objective."""

import numpy as np

import dualtape as dt

from . import adbench_objectives as objectives
from .timing import ratio, separate


class Objective:
    """A plain objective and its differentiated form, set up by `choose`."""

    timeout = 300

    def over_objective(self):
        return ratio(self.derivative, self.plain)


class GMM(Objective):
    """Gradient in weights, means and covariances."""

    params = ((2, 10, 32), (5, 50), (1000,))
    param_names = ("d", "K", "n")

    def setup(self, d, K, n):
        point = objectives.gmm_point(d, K, n)
        f = separate(objectives.gmm)
        self.plain = lambda: objectives.gmm(*point)
        self.derivative = lambda: dt.value_and_gradient(f, *point, argnums=(0, 1, 2))

    def track_derivative(self, d, K, n):
        """Time of the gradient or the Jacobian over the plain run."""
        return self.over_objective()

    track_derivative.unit = "ratio"


class BA(Objective):
    """The blocks of the Jacobian, of all observations at once or of one after the other."""

    params = (("at once", "one by one"), (1000,))
    param_names = ("observations", "n")

    def setup(self, observations, n):
        P, features = objectives.ba_point(n)
        f = separate(objectives.ba_residual)
        rows = np.zeros((2, 2, n))
        rows[0, 0] = rows[1, 1] = 1.0

        def blocks():
            _, back = dt.pullback(lambda P: f(P, features), P)
            return [back(row) for row in rows], -2.0 * P[14]

        pairs = [(P[:, k].copy(), features[:, k].copy()) for k in range(n)]
        if observations == "at once":
            self.plain = lambda: (objectives.ba_residual(P, features), objectives.ba_weight_error(P[14]))
            self.derivative = blocks
        else:
            self.plain = lambda: [objectives.ba_residual(*pair) for pair in pairs]
            self.derivative = lambda: [dt.jacobian(f, p, feature=feature, mode="reverse") for p, feature in pairs]

    def track_derivative(self, observations, n):
        """Time of the gradient or the Jacobian over the plain run."""
        return self.over_objective()

    track_derivative.unit = "ratio"


class Hand(Objective):
    """The Jacobian in the 26 numbers of a pose, and in the coordinates of points as well."""

    params = (("simple", "complicated"), (100,))
    param_names = ("objective", "points")

    def setup(self, objective, points):
        us, theta, model = objectives.hand_point(points)
        rows = np.zeros((3, points, 3))
        for k in range(3):
            rows[k, :, k] = 1.0
        if objective == "simple":
            f = separate(objectives.hand)
            self.plain = lambda: objectives.hand(theta, model)
            self.derivative = lambda: dt.jacobian(f, theta, model=model)
            return
        f = separate(objectives.hand_complicated)

        def both():
            dense = dt.jacobian(lambda theta: f(us, theta, model), theta)
            _, back = dt.pullback(lambda us: f(us, theta, model), us)
            return dense, [back(row) for row in rows]

        self.plain = lambda: objectives.hand_complicated(us, theta, model)
        self.derivative = both

    def track_derivative(self, objective, points):
        """Time of the gradient or the Jacobian over the plain run."""
        return self.over_objective()

    track_derivative.unit = "ratio"


class LSTM(Objective):
    """Gradient in all weights and first states."""

    params = ((2, 4), (14, 128, 1024))
    param_names = ("layers", "characters")

    def setup(self, layers, characters):
        *point, text = objectives.lstm_point(layers, characters)
        f = separate(objectives.lstm)
        self.plain = lambda: objectives.lstm(*point, text)
        self.derivative = lambda: dt.value_and_gradient(f, *point, text, argnums=(0, 1, 2))

    def track_derivative(self, layers, characters):
        """Time of the gradient or the Jacobian over the plain run."""
        return self.over_objective()

    track_derivative.unit = "ratio"
