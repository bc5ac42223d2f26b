"""The live layer (实时层): sockets, subscriptions, resume, presence. Knows no ASGI.

Promises: durable events reach a subscription exactly once per (epoch, offset), in the stream's
order, as long as the right to read them lasts; after a reconnect exactly what was missed, or an
honest ``RT_UNRECOVERABLE``, never a part. A right that ends stops delivery at once. Ephemeral
whispers (typing, presence) come at most once. A hint may be lost, doubled, late or wrong and
nothing breaks: the log is the truth. Everything held is bounded (``realtime.bounds``).

Refuses: to wait for a slow client, to buffer for one that does not read, to translate GraphQL.
"""
