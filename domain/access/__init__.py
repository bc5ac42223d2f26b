"""Accounts, sign-in, sessions, grants, pledges: who somebody is and what that allows now.

Promises: an answer to "who is this?" is one statement, with the instant at which a date changes it;
whatever else changes it is a fact in the account's own stream, so that whoever remembers an answer
learns of it; no answer and no time spent tells an account from none.
Refuses: wildcard roles, roles that read conversations, granting what one doesn't hold, tokens that
could be read out of the database.
"""
