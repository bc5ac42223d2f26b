"""Accounts, sign-in, sessions, grants, pledges: who somebody is and what that allows now.

Promises: an answer to "who is this?" is one statement and never older than the database; ending a
session or a grant is a fact in the account's own stream, so that open sockets learn of it; no
answer and no time spent tells an account from none.
Refuses: wildcard roles, roles that read conversations, granting what one doesn't hold, tokens that
could be read out of the database.
"""
