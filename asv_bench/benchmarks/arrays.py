"""Programs on arrays: the cost of their derivatives over the cost of running them."""

import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

import dualtape as dt

from . import array_programs as programs
from .timing import microseconds, ratio, separate

# Prints by how many bytes the memory of the process peaks above where it stood before the call.
PEAK = """
from pathlib import Path
from benchmarks import arrays

def memory(entry):
    line = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith(entry))
    return 1024 * int(line.split()[1])

benchmark = arrays.MLP()
benchmark.setup()
Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
before = memory("VmRSS")
result = benchmark.{call}()
print(memory("VmHWM") - before)
"""


class Chains:
    """Chains of operations, their plain and their differentiated form.

    They have 1000 operations, so that what a differentiation takes beside them hardly counts. On the largest arrays
    they have 200, so that all results stay in the cache.
    """

    timeout = 120

    def choose(self, operation, size):
        """Set up the chain of an operation at a point of a given size."""
        name = operation.removeprefix("np.")
        self.length = 1000 if size <= 128 else 200
        self.chain = getattr(programs, name + "_chain")
        self.point = programs.matrix_point(size) if name == "matmul" else programs.chain_point(size)
        recorded = separate(self.chain)
        functions = (getattr(dt, operation),) if operation in ("tanh", "exp", "sin") else ()
        self.recorded = lambda x, y: recorded(x, y, self.length, *functions)

    def plain(self):
        return self.chain(*self.point, self.length)

    def derivative(self):
        return dt.value_and_gradient(self.recorded, *self.point)


class Elementwise(Chains):
    """Operations on vectors, by operators, by the functions of dualtape and by those of NumPy."""

    params = (("add", "mul", "div", "tanh", "exp", "sin", "np.tanh", "np.exp", "np.sin"), (4, 128, 1024))
    param_names = ("operation", "size")

    def setup(self, operation, size):
        self.choose(operation, size)

    def track_gradient(self, operation, size):
        """Time of value and gradient over the plain run."""
        return ratio(self.derivative, self.plain)

    def track_operation(self, operation, size):
        """Nanoseconds of one operation, run, recorded and swept."""
        return 1e3 * microseconds(self.derivative) / self.length

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
        return 1e3 * microseconds(self.derivative) / self.length

    track_gradient.unit = "ratio"
    track_operation.unit = "ns"


class Dtypes(Chains):
    """Operations on other dtypes; the product is one of 4x4 matrices."""

    params = (("add", "mul", "div", "exp", "tanh", "matmul"), ("float32", "complex128"), (4, 128, 1024))
    param_names = ("operation", "dtype", "size")

    def setup(self, operation, dtype, size):
        if operation == "matmul" and size != 4:
            raise NotImplementedError
        self.choose(operation, size)

    def per_operation(self, dtype):
        """Microseconds of one operation, run, recorded and swept, and of one that is only run."""
        point = [v.astype(dtype) for v in self.point]
        chain = self.recorded
        real = (lambda x, y: chain(x, y).real) if dtype == "complex128" else chain
        recorded = microseconds(lambda: dt.value_and_gradient(real, *point))
        return recorded / self.length, microseconds(lambda: self.chain(*point, self.length)) / self.length

    def track_over_plain(self, operation, dtype, size):
        """Microseconds of one operation, run, recorded and swept, beyond those of the plain one."""
        recorded, plain = self.per_operation(dtype)
        return recorded - plain

    def track_extra(self, operation, dtype, size):
        """Microseconds of one operation, run, recorded and swept, beyond those on float64."""
        return self.per_operation(dtype)[0] - self.per_operation("float64")[0]

    track_over_plain.unit = track_extra.unit = "us"


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


class GaussSeidel:
    """Ten Gauss-Seidel sweeps over 1000 points: 10^4 elements computed from their neighbours and replaced."""

    timeout = 120

    def setup(self):
        self.point = programs.stencil_point(1000), programs.det((1000,), 0, 0.01)
        self.recorded = separate(programs.gauss_seidel)

    def track_gradient(self):
        """Time of value and gradient over the plain run on arrays."""
        return ratio(
            lambda: dt.value_and_gradient(self.recorded, *self.point), lambda: programs.gauss_seidel(*self.point)
        )

    def track_element(self):
        """Nanoseconds for each element replaced: three reads, four operations, one write, swept."""
        return 1e3 * microseconds(lambda: dt.value_and_gradient(self.recorded, *self.point)) / 9980

    track_gradient.unit = "ratio"
    track_element.unit = "ns"


class Rosenbrock:
    """Rosenbrock's function on whole arrays."""

    params = (100, 10**5)
    param_names = ("n",)

    def setup(self, n):
        self.x = 1.0 + programs.det((n,), 0, 0.5)
        self.recorded = separate(programs.rosenbrock)

    def derivative(self):
        return dt.value_and_gradient(self.recorded, self.x)

    def track_gradient(self, n):
        """Time of value and gradient over the plain run."""
        return ratio(self.derivative, lambda: programs.rosenbrock(self.x))

    def track_over_hand_written(self, n):
        """Time of value and gradient over those written by hand."""
        return ratio(self.derivative, lambda: programs.rosenbrock_by_hand(self.x))

    track_gradient.unit = track_over_hand_written.unit = "ratio"


class MLP:
    """A network 784-512-512-10, batch 256: against the gradient written by hand, and against the plain loss."""

    timeout = 120

    def setup(self):
        self.weights = programs.mlp_weights()
        self.data = programs.mlp_data()
        self.recorded = separate(programs.mlp_loss)

    def by_hand(self):
        """The gradient written by hand; its buffers are made at the first call."""
        if not hasattr(self, "buffers"):
            self.buffers = programs.MLPByHand()
        return self.buffers(self.weights, *self.data)

    def derivative(self):
        return dt.value_and_gradient(self.recorded, self.weights, *self.data, argnums=0)

    def track_over_hand_written(self):
        """Time of value and gradient over those written by hand."""
        return ratio(self.derivative, self.by_hand)

    def track_gradient(self):
        """Time of value and gradient over the plain loss."""
        return ratio(self.derivative, lambda: programs.mlp_loss(self.weights, *self.data))

    def peak(self, call):
        """Bytes by which the memory of a fresh process peaks in one call; NaN where the system does not tell."""
        if not Path("/proc/self/clear_refs").exists():
            return float("nan")
        path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
        environment = dict(os.environ, PYTHONPATH=path, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
        command = [sys.executable, "-c", PEAK.format(call=call)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return int(done.stdout)

    def track_peak_memory(self):
        """Peak memory of the first value and gradient over that of the first by hand, buffers and result included."""
        return statistics.median(self.peak("derivative") / self.peak("by_hand") for _ in range(3))

    track_over_hand_written.unit = track_gradient.unit = track_peak_memory.unit = "ratio"


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
