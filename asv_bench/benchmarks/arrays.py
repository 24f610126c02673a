"""Programs on arrays: the cost of their derivatives over the cost of running them."""

import numpy as np

import dualtape as dt

from . import array_programs as programs
from .timing import microseconds, ratio, separate


class Chains:
    """Chains of 100 operations; their plain and their differentiated form."""

    timeout = 120

    def choose(self, operation, size):
        """Set up the chain of an operation at a point of a given size."""
        name = operation.removeprefix("np.")
        self.chain = getattr(programs, name + "_chain")
        self.point = programs.matrix_point(size) if name == "matmul" else programs.chain_point(size)
        recorded = separate(self.chain)
        if operation in ("tanh", "exp"):
            function = getattr(dt, operation)
            self.recorded = lambda x, y: recorded(x, y, function)
        else:
            self.recorded = recorded

    def plain(self):
        return self.chain(*self.point)

    def derivative(self):
        return dt.value_and_gradient(self.recorded, *self.point)


class Elementwise(Chains):
    """Operations on vectors, by operators, by the functions of dualtape and by those of NumPy."""

    params = (("add", "mul", "tanh", "exp", "np.tanh", "np.exp"), (4, 128, 1024))
    param_names = ("operation", "size")

    def setup(self, operation, size):
        self.choose(operation, size)

    def track_gradient(self, operation, size):
        """Time of value and gradient over the plain run."""
        return ratio(self.derivative, self.plain)

    def track_operation(self, operation, size):
        """Nanoseconds of one operation, run, recorded and swept."""
        return 1e3 * microseconds(self.derivative) / programs.CHAIN

    track_gradient.unit = "ratio"
    track_operation.unit = "ns"


class MatrixProduct(Chains):
    """Products of small matrices, by the operator @."""

    params = (4,)
    param_names = ("size",)

    def setup(self, size):
        self.choose("matmul", size)

    def track_gradient(self, size):
        """Time of value and gradient over the plain run."""
        return ratio(self.derivative, self.plain)

    def track_operation(self, size):
        """Nanoseconds of one product, run, recorded and swept."""
        return 1e3 * microseconds(self.derivative) / programs.CHAIN

    track_gradient.unit = "ratio"
    track_operation.unit = "ns"


class Dtypes(Chains):
    """What an operation on other dtypes takes beyond one on float64."""

    params = (("add", "mul", "tanh"), ("float32", "complex128"))
    param_names = ("operation", "dtype")
    size = 128

    def setup(self, operation, dtype):
        self.choose(operation, self.size)

    def per_operation(self, dtype):
        point = [v.astype(dtype) for v in self.point]
        chain = self.recorded
        real = (lambda x, y: chain(x, y).real) if dtype == "complex128" else chain
        return microseconds(lambda: dt.value_and_gradient(real, *point)) / programs.CHAIN

    def track_extra(self, operation, dtype):
        """Microseconds of one operation, run, recorded and swept, beyond those on float64."""
        return self.per_operation(dtype) - self.per_operation("float64")

    track_extra.unit = "us"


class Elements:
    """Elements read and written one by one."""

    timeout = 120
    params = (10**5,)
    param_names = ("n",)

    def setup(self, n):
        self.x = programs.det((n,), 0, 1.0)

    def nanoseconds(self, f, *args, **kwargs):
        """Nanoseconds of value and gradient for each element."""
        return 1e3 * microseconds(lambda: dt.value_and_gradient(f, *args, **kwargs)) / len(self.x)

    def track_read(self, n):
        """Nanoseconds of one read; the loop and its addition, measured apart, are taken off."""
        adding = self.nanoseconds(separate(programs.add_repeatedly), 1.0, n=n)
        return self.nanoseconds(separate(programs.read_elements), self.x) - adding

    def track_write(self, n):
        """Nanoseconds of one write of a traced number, with the loop around it."""
        return self.nanoseconds(separate(programs.write_elements), self.x, 1.0)

    def track_read_and_write(self, n):
        """Nanoseconds of `y[i] = x[i]`, with the loop around it."""
        return self.nanoseconds(separate(programs.copy_elements), self.x)

    def track_gradient(self, n):
        """Time of value and gradient of that loop over the plain run."""
        recorded = separate(programs.copy_elements)
        return ratio(lambda: dt.value_and_gradient(recorded, self.x), lambda: programs.copy_elements(self.x))

    track_read.unit = track_write.unit = track_read_and_write.unit = "ns"
    track_gradient.unit = "ratio"


class Stencil:
    """The heat equation on 10^4 points, 1000 steps in place."""

    timeout = 120

    def setup(self):
        self.point = programs.stencil_point()
        self.recorded = separate(programs.stencil)

    def plain(self):
        return programs.stencil(self.point)

    def track_gradient(self):
        """Time of value and gradient over the plain run."""
        return ratio(lambda: dt.value_and_gradient(self.recorded, self.point), self.plain)

    track_gradient.unit = "ratio"


class MLP:
    """A network 784-512-512-10, batch 256: against the gradient written by hand, and against the plain loss."""

    timeout = 120

    def setup(self):
        self.weights = programs.mlp_weights()
        self.data = programs.mlp_data()
        self.recorded = separate(programs.mlp_loss)
        self.by_hand = programs.MLPByHand()

    def derivative(self):
        return dt.value_and_gradient(self.recorded, self.weights, *self.data, argnums=0)

    def track_over_hand_written(self):
        """Time of value and gradient over those written by hand."""
        return ratio(self.derivative, lambda: self.by_hand(self.weights, *self.data))

    def track_gradient(self):
        """Time of value and gradient over the plain loss."""
        return ratio(self.derivative, lambda: programs.mlp_loss(self.weights, *self.data))

    track_over_hand_written.unit = track_gradient.unit = "ratio"


class LSTM:
    """Stacks of LSTM layers with 4 features, 4 steps: hundreds of operations on very small arrays."""

    timeout = 120
    params = ((1, 2, 3), (1, 8))
    param_names = ("layers", "batch")

    def setup(self, layers, batch):
        self.point = programs.lstm_weights(layers), programs.lstm_input(batch)
        self.layers = layers
        self.recorded = separate(programs.lstm_loss)

    def track_gradient(self, layers, batch):
        """Time of value and gradient over the plain run."""
        return ratio(
            lambda: dt.value_and_gradient(self.recorded, *self.point, layers=self.layers),
            lambda: programs.lstm_loss(*self.point, self.layers),
        )

    def track_sweep(self, layers, batch):
        """Microseconds of the backward pass."""
        _, back = dt.pullback(self.recorded, *self.point, layers=self.layers)
        return microseconds(lambda: back(1.0))

    track_gradient.unit = "ratio"
    track_sweep.unit = "us"


class Jacobian:
    """The Jacobian of a map of R^50 to itself."""

    timeout = 120
    n = 50

    def setup(self):
        x, A, B = programs.field_point(self.n)
        self.x = x
        self.field = lambda x: programs.field(x, A, B)
        self.total = lambda x: np.sum(programs.field(x, A, B))

    def track_jacobian(self):
        """Time of the Jacobian over 50/8 gradients of the sum of the map's outputs."""
        gradient = lambda: dt.gradient(self.total, self.x)
        return ratio(lambda: dt.jacobian(self.field, self.x), gradient) / (self.n / 8)

    track_jacobian.unit = "ratio"


class Hessian:
    """The Hessian of a network's loss in its 498 parameters."""

    timeout = 600

    def setup(self):
        sizes = programs.SMALL_SIZES
        data = programs.mlp_data(16, sizes[0], sizes[-1])
        self.p = programs.small_mlp_point()
        self.loss = lambda p: programs.small_mlp_loss(p, *data)

    def gradient(self):
        return dt.gradient(self.loss, self.p)

    def track_hessian(self):
        """Time of the Hessian over a gradient for each 8 parameters."""
        return ratio(lambda: dt.hessian(self.loss, self.p), self.gradient) / (len(self.p) / 8)

    def track_hvp(self):
        """Time of a Hessian-vector product over a gradient."""
        return ratio(lambda: dt.hvp(self.loss, self.p, np.ones(len(self.p))), self.gradient)

    track_hessian.unit = track_hvp.unit = "ratio"
