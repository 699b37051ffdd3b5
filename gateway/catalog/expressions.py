"""The CEL library without its command line.

The package imports that line, and with it three libraries for terminals: ten megabytes of each gateway, and a fifth of a second
of each start, that nobody here uses. A module without anything in it stands in their place.
"""

import sys
from types import ModuleType

sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))

import cel  # noqa: E402 - behind what it shall not import

__all__ = ["cel"]
