"""The gateway: the one room that knows all others (HTTP, sockets, command line, settings).

Promises: whatever arrives is answered within bounds, with a stable code and without a traceback;
the environment is read once. Refuses: to decide anything of the federation's; it only asks.
"""
