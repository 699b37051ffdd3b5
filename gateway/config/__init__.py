"""What the file says: strict YAML in, the model with the place of everything out. Pure."""

from gateway.config.config import Config, read
from gateway.config.document import Document, Path, parse
from gateway.config.model import Parameter, Rule, Schema, TaskSpec

__all__ = ["Config", "Document", "Parameter", "Path", "Rule", "Schema", "TaskSpec", "parse", "read"]
