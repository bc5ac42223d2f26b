"""The audit trail (审计): who did what to whom, when and why. Append-only, chained, in the caller's
own transaction.

Promises: an entry commits with what it tells of, or neither does; within a chain no number is
missing and no entry can be altered, moved or taken out without ``verify`` naming the first bad one.
Refuses: values (ids and field names only; reasons are sealed), changes, deletions.

One chain for each acting account: a Work has one actor, so it locks one chain, and no two people
wait for each other; one hot row for the whole federation would make all writers queue. What a chain
alone can't show is the loss of its newest entries together with its head: ``list_heads`` gives what
has to be kept elsewhere (another volume, another office, paper) to show that too.
"""
