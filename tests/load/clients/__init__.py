"""Load clients: programs on a core of their own, cheap enough not to measure themselves."""
