"""dualtape: exact, fast derivatives of ordinary Python programs.

``dt.derivative`` (forward mode) and ``dt.gradient`` (reverse mode) differentiate any Python callable; all operators
nest and mix to any depth.
"""

from dualtape import arrays, errors, scipy, testing
from dualtape._version import __version__
from dualtape.arrays.creation import array, empty, full, ones, zeros
from dualtape.boxed.array import BoxedArray
from dualtape.core.array import Array, DualArray, VarArray
from dualtape.core.dual import Dual
from dualtape.core.pool import release_memory
from dualtape.core.strict import strict_nan
from dualtape.core.tape import Tape, Var
from dualtape.errors import (
    ConversionError,
    DerivativeMismatchError,
    DualtapeError,
    EscapedTracerError,
    InputError,
    LostDerivativeWarning,
    NoRuleError,
    OptionError,
    TapeMemoryError,
)
from dualtape.forward import derivative, pushforward
from dualtape.functions import FUNCTIONS
from dualtape.higher import hessian, hvp, jacobian
from dualtape.reverse import gradient, pullback, stop_gradient, value_and_gradient
from dualtape.taylor import taylor
from dualtape.testing import check_derivatives

# sin, exp, where ...: which functions there are, the rule table decides.
globals().update(FUNCTIONS)

__all__ = [
    "Array",
    "BoxedArray",
    "ConversionError",
    "DerivativeMismatchError",
    "Dual",
    "DualArray",
    "DualtapeError",
    "EscapedTracerError",
    "InputError",
    "LostDerivativeWarning",
    "NoRuleError",
    "OptionError",
    "Tape",
    "TapeMemoryError",
    "Var",
    "VarArray",
    "__version__",
    "array",
    "arrays",
    "check_derivatives",
    "derivative",
    "empty",
    "errors",
    "full",
    "gradient",
    "hessian",
    "hvp",
    "jacobian",
    "ones",
    "pullback",
    "pushforward",
    "release_memory",
    "scipy",
    "stop_gradient",
    "strict_nan",
    "taylor",
    "testing",
    "value_and_gradient",
    "zeros",
    *FUNCTIONS,
]
