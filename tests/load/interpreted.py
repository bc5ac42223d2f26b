"""``unionhall serve`` with every plan off: the same server, answering by graphql-core alone."""

from __future__ import annotations

from gateway import cli
from schema.engine import SchemaEngine

if __name__ == "__main__":
    defaults = SchemaEngine.__init__.__kwdefaults__
    assert defaults is not None
    defaults["is_compiling"] = False
    cli.app(["serve"])
