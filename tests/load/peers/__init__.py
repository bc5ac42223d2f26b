"""Peers: small servers on other people's libraries, doing the same work without our guarantees.

Each is a program that listens where PORT says and keeps its rows where PEER_DATABASE_URL says.
Those in ``node/`` are on Node.js: ``tests/load/node_peers.py`` installs and starts them.
"""
