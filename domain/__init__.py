"""The federation itself (总工会业务): its registry, its unions' business, its services to members.

Knows no GraphQL, no sockets and no HTTP. Floors, imports go downwards only:
0 ``kernel`` · 1 ``vault`` · 2 ``org``, ``audit``, ``access``, ``members`` (in this order) ·
3 features, which never import each other · 4 ``reactions``.
"""
