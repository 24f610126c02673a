from collections.abc import Callable
from typing import Any

from typing_extensions import disjoint_base

@disjoint_base
class Row:
    index: int
    rule: Any
    def __init__(self, index: int) -> None: ...

def builtin(index: int, doc: str) -> Callable[..., Any]: ...
