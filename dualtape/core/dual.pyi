from collections.abc import Sequence
from typing import Any

from typing_extensions import disjoint_base

from dualtape.core.traced import Traced

@disjoint_base
class Dual(Traced):
    def __new__(cls, value: Any, *partials: Any) -> Dual: ...
    @property
    def value(self) -> Any: ...
    @property
    def partials(self) -> tuple[Any, ...]: ...

@disjoint_base
class BoxedDual(Dual): ...

def make_dual(level: int, value: Any, partials: Sequence[Any]) -> Dual: ...
