from typing import Any

from typing_extensions import disjoint_base

@disjoint_base
class Lanes:
    def __reduce__(self) -> Any: ...
    def __setstate__(self, object: Any, /) -> Any: ...
