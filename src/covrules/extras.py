"""What only those need who work on populations: imported when used, and named with the extra that installs it."""

from importlib import import_module
from typing import Any


def needed(module: str, extra: str) -> Any:
    """Return a module that an extra of covrules installs; raises ImportError saying which."""
    try:
        return import_module(module)
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        package = module.partition(".")[0]
        raise ImportError(f"this needs {package}: pip install 'covrules[{extra}]'", name=package) from None
