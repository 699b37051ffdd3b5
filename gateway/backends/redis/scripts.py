"""The Lua scripts of the ledger, each with the pieces that it shares with others in front."""

from importlib.resources import files


def load_script(*names: str) -> str:
    """Join scripts of this package into one."""
    return "\n".join(files(__package__).joinpath(f"{name}.lua").read_text(encoding="utf-8") for name in names)
