"""The peers on Node.js: installed when wanted, left out with the reason when they cannot be had.

A quick run leaves them out unless ``--only`` names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from tests.load.control import event
from tests.load.peers.ground import POOL
from tests.load.peers.members import KEY
from tests.load.progress import tell
from tests.load.servers import PORTS, Program
from tests.load.workload import Pace
from tests.support.npm import Unavailable, alone_in, find_node, install

FOLDER = Path(__file__).parent / "peers" / "node"
NODE_MAJOR_MIN = 20
GRAPHQL_WS, MERCURIUS = "node_graphql_ws", "mercurius"
QUICK_REASON = "a quick run has no time for it, unless --only names it"
LEFT_OUT_KEYS = {
    "left_out": "peers on Node.js that were wanted and could not be had, or for which a quick run"
    " has no time, each with the reason; the ratios to them are null"
}


@dataclass(frozen=True, slots=True)
class NodePeers:
    """Those of one run."""

    programs: list[Program] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """By name, why."""


def node_peers(pace: Pace, scripts: Mapping[str, str], **environment: str) -> NodePeers:
    """The wanted ones among ``scripts`` (by name: the file in FOLDER), ready to be started."""
    if pace.is_quick and not pace.only:
        return NodePeers(left_out=dict.fromkeys(scripts, QUICK_REASON))
    wanted = [name for name in scripts if not pace.only or name in pace.only]
    if not wanted:
        return NodePeers()
    tell(f"preparing {', '.join(wanted)}")
    try:
        node = _installed()
    except Unavailable as missing:
        tell(f"without {', '.join(wanted)}: {missing}")
        return NodePeers(left_out=dict.fromkeys(wanted, str(missing)))
    return NodePeers([_program(node, name, scripts[name], environment) for name in wanted])


def _installed() -> str:
    node = find_node(NODE_MAJOR_MIN)
    with alone_in(FOLDER):
        install(FOLDER)
    return node


def _program(node: str, name: str, script: str, environment: dict[str, str]) -> Program:
    """What the Python peers know by importing it, these are told."""
    told = {
        "NODE_ENV": "production",
        "PEER_KEY": KEY.decode(),
        "PEER_EVENT": orjson.dumps(event(0)).decode(),
        "PEER_POOL": str(POOL),
    }
    return Program(name, [node, str(FOLDER / f"{script}.mjs")], PORTS | told | environment)
