"""Consultations (心理咨询, 法律援助): a member and one consultant, in private, live.

Promises: exactly the two people of a case can read it or learn that it exists; the queue is served
oldest first and keeps every request while everybody is away; an acknowledged message is committed,
numbered without a gap, and the same client key is the same message; nothing changes hands without
the member's consent, and who was handed over is cut off with that commit.
Refuses: a supervisor's, chair's or administrator's look inside (there is no capability for it),
attachments for now, and naming a member in the queue.

``service`` has the windows and the course of a case, ``handovers`` passing it on, ``messages`` the
conversation (the hot path); reads are in ``queries``, the consent texts in ``consents``.
"""
