"""Finding launches again: what is asked for, where to look for it, where a page ends. Decisions only."""
