"""Who asks, and what they may do: callers, their keys, their rights. Pure."""
