"""Compiled operations: a document's selections become reads and one pass from rows to JSON.

Promises: the answer is graphql-core's to the byte, errors and nulls included; what a field needs is
checked before a row is read; a slice gets all this by its declarations. Refuses: to know a slice,
and to guess: what a plan does not cover runs on graphql-core, and is counted. See docs/engine.md.
"""
