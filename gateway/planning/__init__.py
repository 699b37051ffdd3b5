"""What changes between two versions of the file, and for whom it breaks. Pure."""

from gateway.planning.change import Change
from gateway.planning.comparing import compare

__all__ = ["Change", "compare"]
