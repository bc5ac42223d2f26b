"""The ground floor: who acts (Actor), one unit of work (Work), streams of facts, errors, pages.

Promises: a Work is one actor, one instant, one transaction; facts are appended densely, in commit
order, as its last statements. Refuses: to know any slice, any transport, any key.
"""
