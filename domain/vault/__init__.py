"""The vault: keys, sealed text, blind indexes, password hashes; no other room knows cryptography.

Promises: a key hierarchy (多层面密钥) of root, purpose, district and record; sealed text opens only
in the row and column it was sealed for, and a broken seal is an alarm, never an empty text; a
missing or wrong root key stops the start.
Refuses: to make a root key without being told to, to try several keys until one fits, to show a
key in a repr, a log or an error. It cannot wipe keys from Python's memory, and does not claim to.
"""
