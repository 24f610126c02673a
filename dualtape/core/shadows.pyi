from typing import Any

from typing_extensions import disjoint_base

@disjoint_base
class Shadows:
    def __reduce__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __setstate__(self, *args: Any, **kwargs: Any) -> Any: ...
