"""Programs made of scalar loops: the cost of their derivatives over the cost of running them."""

import numpy as np

import dualtape as dt

from . import programs
from .timing import ratio, separate


class Lorenz:
    """Lorenz, RK4, 1000 steps, plain Python floats; derivatives in 3 initial values and 3 parameters."""

    timeout = 120

    def setup(self):
        self.point = programs.LORENZ_POINT
        self.lorenz = separate(programs.lorenz)

    def plain(self):
        return programs.lorenz(*self.point)

    def reverse(self):
        return dt.gradient(self.lorenz, *self.point)

    def forward(self, tangents):
        if tangents == 1:
            x, *rest = self.point
            return dt.derivative(lambda x: self.lorenz(x, *rest), x)
        return dt.jacobian(lambda v: self.lorenz(*v), np.array(self.point), mode="forward")


class LorenzReverse(Lorenz):
    """Reverse mode: record and sweep."""

    def track_gradient(self):
        """Time of the gradient over the plain run."""
        return ratio(self.reverse, self.plain)

    track_gradient.unit = "ratio"


class LorenzForward(Lorenz):
    """Forward mode with one tangent, and with all six at once."""

    params = (1, 6)
    param_names = ("tangents",)

    def setup(self, tangents):
        super().setup()

    def track_derivative(self, tangents):
        """Time of the derivative over the plain run."""
        return ratio(lambda: self.forward(tangents), self.plain)

    track_derivative.unit = "ratio"


class Rosenbrock:
    """Rosenbrock's function in a scalar loop over the elements of an array."""

    timeout = 120

    def setup(self, n=100):
        self.point = programs.rosenbrock_point(n)
        self.floats = self.point.tolist()
        self.rosenbrock = separate(programs.rosenbrock)
        self.direction = np.cos(np.arange(float(n)))

    def plain(self):
        return programs.rosenbrock(self.floats)

    def gradient(self):
        return dt.gradient(self.rosenbrock, self.point)

    def hessian(self):
        return dt.hessian(self.rosenbrock, self.point)

    def hvp(self):
        return dt.hvp(self.rosenbrock, self.point, self.direction)


class RosenbrockReverse(Rosenbrock):
    """First order."""

    params = (100, 1000)
    param_names = ("n",)

    def track_gradient(self, n):
        """Time of the gradient over the plain run."""
        return ratio(self.gradient, self.plain)

    track_gradient.unit = "ratio"


class RosenbrockSecond(Rosenbrock):
    """Second order: tangent over adjoint."""

    def track_hessian(self):
        """Time of the Hessian, n = 100, over 100 gradients."""
        return ratio(self.hessian, self.gradient) / len(self.point)

    def track_hvp(self):
        """Time of a Hessian-vector product over one gradient."""
        return ratio(self.hvp, self.gradient)

    def track_hvp_over_plain(self):
        """Time of a Hessian-vector product over the plain run."""
        return ratio(self.hvp, self.plain)

    track_hessian.unit = track_hvp.unit = track_hvp_over_plain.unit = "ratio"


class TaylorSine:
    """A short program, 41 operations, where the fixed cost of a differentiation shows."""

    params = ("derivative", "gradient")
    param_names = ("operator",)

    def setup(self, operator):
        self.operator = getattr(dt, operator)
        self.sine = separate(programs.taylor_sine)

    def track_first_derivative(self, operator):
        """Time of the derivative at 1.0 over the plain run."""
        return ratio(lambda: self.operator(self.sine, 1.0), lambda: programs.taylor_sine(1.0))

    track_first_derivative.unit = "ratio"
