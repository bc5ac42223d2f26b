"""Consultations (心理咨询, 法律援助): a member and one consultant, in private, live.

Promises: exactly the two people of a case can read it or learn that it exists; the queue is served
oldest first and keeps every request while everybody is away; an acknowledged message is committed,
numbered without a gap, and the same client key is the same message; nothing changes hands without
the member's consent, and who was handed over is cut off with that commit.
Refuses: a supervisor's, chair's or administrator's look inside (there is no capability for it),
attachments for now, and naming a member in the queue.

Beside the four files of every slice (a file stays below 300 lines): ``service`` has the member's
side of a case, ``queue`` the consultant's, ``handovers`` passing it on, ``messages`` the
conversation (the hot path), ``windows`` who serves; reads are in ``queries`` over ``listings``,
``sealing`` binds a text to its place, ``consents`` holds what a member agrees to.
"""
