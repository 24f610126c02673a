from collections.abc import Sequence
from typing import Any

import numpy as np
from typing_extensions import disjoint_base

from dualtape.core.tape import Tape

@disjoint_base
class Lanes:
    def __reduce__(self) -> Any: ...
    def __setstate__(self, object: Any, /) -> Any: ...

def tangents(
    tape: Tape, inputs: Sequence[Any], outputs: Sequence[Any], directions: np.ndarray | None
) -> np.ndarray | None: ...
def cotangents(
    tape: Tape, inputs: Sequence[Any], outputs: Sequence[Any], weights: np.ndarray | None
) -> np.ndarray | None: ...
def second(tape: Tape, inputs: Sequence[Any], output: Any, directions: np.ndarray | None) -> np.ndarray | None: ...
