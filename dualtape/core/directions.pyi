from collections.abc import Sequence
from typing import Any

import numpy as np

from dualtape.core.tape import Tape

def tangents(
    tape: Tape, inputs: Sequence[Any], outputs: Sequence[Any], directions: np.ndarray | None
) -> np.ndarray | None: ...
def cotangents(
    tape: Tape, inputs: Sequence[Any], outputs: Sequence[Any], weights: np.ndarray | None
) -> np.ndarray | None: ...
def second(tape: Tape, inputs: Sequence[Any], output: Any, directions: np.ndarray | None) -> np.ndarray | None: ...
