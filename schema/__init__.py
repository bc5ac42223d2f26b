"""The GraphQL words (接口): what clients may ask, in types that say where each field comes from.

Promises: a field without a declared capability stops the build; every error leaves with a stable
code; limits are decided before anything runs. Refuses: SQL, keys, sockets, HTTP.
"""
