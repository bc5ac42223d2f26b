"""Every capability there is (权限), by name. Roles bundle them in ``domain.access.roles``.

There is no wildcard. No capability reads a conversation: only taking part in it does.
"""

from __future__ import annotations

from enum import StrEnum


class Capability(StrEnum):
    """What a grant can allow at a union and everything below it in one hierarchy."""

    SELF = "self"
    """Whatever a signed-in account may do for itself; needs no grant."""
    PUBLIC = "public"
    """Whatever anybody may see without signing in."""
    ORG_READ = "org.read"
    ORG_WRITE = "org.write"
    MEMBER_READ = "member.read"
    MEMBER_COLLECT = "member.collect"
    """Enter member data (信息采集); needs the current confidentiality pledge (保密承诺书)."""
    GRANT_WRITE = "grant.write"
    NOTICE_PUBLISH = "notice.publish"
    NOTICE_RECEIVE = "notice.receive"
    """Receive notices as a current officer of a union and give receipts for it (回执)."""
    CONSULT = "consult"
    """Work an own window as a counsellor or lawyer (心理咨询师, 律师)."""
    AUDIT_READ = "audit.read"
