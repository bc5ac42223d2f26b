"""Frozen logical names of everything sealed or blindly indexed.

They are part of the bytes that a seal authenticates: renaming one here makes its texts unreadable
for ever. They do not follow the ORM's names; a class or column may be renamed, these may not.
A new sealed column gets a line here.
"""

from __future__ import annotations

from collections.abc import Mapping

NAME_BYTES = 16
"""Names are padded to 16: five Chinese characters and all shorter ones look alike."""
NUMBER_BYTES = 32
"""Identity numbers, phones, bank cards: one length for all kinds."""
ADDRESS_BYTES = 32
TEXT_BYTES = 64
"""Reasons, notes and messages: 64 hides "yes" from "no" at the price of 32 bytes on average."""

SEALED: Mapping[tuple[str, str], int] = {
    # (logical table, logical column): padded to a multiple of so many bytes
    ("member", "name"): NAME_BYTES,
    ("member", "id_number"): NUMBER_BYTES,
    ("member", "phone"): NUMBER_BYTES,
    ("member", "address"): ADDRESS_BYTES,
    ("member", "birth_on"): NAME_BYTES,
    ("member", "bank_card"): NUMBER_BYTES,
    ("member", "note"): TEXT_BYTES,
    ("consultation", "topic"): TEXT_BYTES,
    ("consultation", "note"): TEXT_BYTES,
    ("consultation_request", "topic"): TEXT_BYTES,
    ("consultation_request", "body"): TEXT_BYTES,
    ("consultation_message", "body"): TEXT_BYTES,
    ("audit_entry", "reason"): TEXT_BYTES,
}

INDEXED: Mapping[str, int] = {
    # logical column: version of its index key
    "member.id_number": 1,
    "member.phone": 1,
    "account.id_number": 1,
    "account.phone": 1,
}
