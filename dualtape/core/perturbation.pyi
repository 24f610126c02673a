from collections.abc import Callable
from typing import Any

from dualtape.core.dual import Dual

def split(level: int, out: Any) -> tuple[Any, tuple[Any, ...] | None]: ...
def derivative_of_float(f: Callable[[Dual], Any], x: float) -> tuple[Any, Any, bool]: ...
