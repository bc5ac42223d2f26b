"""Notices (通知): a cadre tells a part of the matrix something and watches the receipts (回执).

Promises: who was addressed is fixed at publishing; every version and every receipt is kept as
insert-only evidence with time and person; one fact a union, never one a person or a receipt; the
board (回执汇总) equals the receipts and moves at most twice a second. Refuses: to address anybody
outside the publisher's scope (管辖范围), to let anybody but a current officer of a recipient union
give a receipt, to tell strangers that a notice exists.
"""
