"""The figures of programs on arrays, the second table of `report.py`."""

import numpy as np

from benchmarks import array_programs as programs
from benchmarks import arrays

OPERATIONS = {"add": "+", "mul": "*", "div": "/", "tanh": "`dt.tanh`", "exp": "`dt.exp`", "sin": "`dt.sin`"}


def measured(benchmark, method, *parameters):
    """The value of one `track_` method of a benchmark class."""
    instance = benchmark()
    if hasattr(instance, "setup"):
        instance.setup(*parameters)
    return getattr(instance, method)(*parameters)


def overhead_per_adjoint():
    """Nanoseconds of the backward pass for each adjoint at batch 0: the mean of Table 1."""
    import table1

    library = table1.Dualtape()
    each = [1e9 * table1.overhead(library, layers, 0.2)[1] / row[0] for layers, row in table1.PAPER.items()]
    return float(np.mean(each))


def rows(quick):
    """Yield (work, figure to reach, value, format)."""
    goals = {4: "0.35", 128: "0.8", 1024: "3"}
    for operation, sign in OPERATIONS.items():
        for size in (4,) if quick else (4, 128, 1024):
            value = measured(arrays.Elementwise, "track_gradient", operation, size)
            yield (
                f"{sign} on {size} doubles, recorded and swept",
                goals[size] if operation in ("add", "mul") or size == 4 else "",
                value,
                ".2f",
            )
    value = measured(arrays.MatrixProduct, "track_gradient", 4)
    yield "4x4 matrix product, recorded and swept", "0.35", value, ".2f"
    yield "overhead of the backward pass of stacked LSTMs, an adjoint", "60 ns", overhead_per_adjoint(), ".0f ns"
    for layers in (1, 3):
        value = measured(arrays.LSTM, "track_gradient", layers, 1)
        yield f"gradient of {layers} LSTM layer{'s' * (layers > 1)}, 4 features, batch 1", "", value, ".2f"
    mlp = "MLP 784-512-512-10, batch 256: value and gradient over the best NumPy by hand"
    yield mlp, "1.15", measured(arrays.MLP, "track_over_hand_written"), ".2f"
    yield "the same, peak memory", "", measured(arrays.MLP, "track_peak_memory"), ".2f"
    value = measured(arrays.Stencil, "track_gradient")
    yield "gradient of 1000 steps of a stencil in place, 10^4 points", "4", value, ".2f"
    n = 10**5
    for what in ("read", "write", "read_and_write"):
        value = measured(arrays.Elements, f"track_{what}", n)
        yield (
            f"one element of 10^5: {what.replace('_', ' ')}, swept",
            "80 ns" if what != "read_and_write" else "",
            value,
            ".0f ns",
        )
    value = measured(arrays.GaussSeidel, "track_gradient")
    yield "gradient of Gauss-Seidel in place, element by element", "", value, ".2f"
    for n in (100, 10**5):
        value = measured(arrays.Rosenbrock, "track_gradient", n)
        yield f"gradient of Rosenbrock on whole arrays, n = {n}", "", value, ".2f"
    value = measured(arrays.Jacobian, "track_jacobian")
    yield "Jacobian of a map from R^50 to R^50, over 50/8 gradients", "1.5", value, ".2f"
    parameters = len(programs.small_mlp_point())
    value = measured(arrays.Hessian, "track_hessian")
    yield f"Hessian of an MLP in {parameters} parameters, over {parameters}/8 gradients", "1.5", value, ".2f"
    for dtype in ("float32", "complex128"):
        for operation in ("add", "mul", "tanh"):
            value = measured(arrays.Dtypes, "track_over_plain", operation, dtype, 128)
            yield f"{OPERATIONS[operation]} on 128 {dtype}, beyond NumPy", "1.5", value, ".2f µs"
