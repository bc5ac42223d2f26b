"""Every role (角色) and what it bundles: one literal table, no wildcard, no conversations."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from domain.kernel.capabilities import Capability


class Role(StrEnum):
    """A bundle of capabilities that is granted at a union."""

    FEDERATION_ADMIN = "federation_admin"
    """市总管理员"""
    DEPARTMENT_CADRE = "department_cadre"
    """市总部门干部"""
    ZONE_CADRE = "zone_cadre"
    """镇(区)总工会干部"""
    LINE_CADRE = "line_cadre"
    """产业·条线工会干部"""
    CHAIR = "chair"
    """基层工会主席"""
    UNION_ASSISTANT = "union_assistant"
    """协理员"""
    COLLECTOR = "collector"
    """信息采集员"""
    COUNSELLOR = "counsellor"
    """心理咨询师"""
    LAWYER = "lawyer"
    """律师"""
    AUDITOR = "auditor"
    """审计员"""
    LEADER = "leader"
    """领导"""


ROLES: Mapping[Role, frozenset[Capability]] = {
    Role.FEDERATION_ADMIN: frozenset(
        {
            Capability.ORG_READ,
            Capability.ORG_WRITE,
            Capability.MEMBER_READ,
            Capability.MEMBER_COLLECT,
            Capability.GRANT_WRITE,
            Capability.NOTICE_PUBLISH,
            Capability.NOTICE_RECEIVE,
        }
    ),
    Role.DEPARTMENT_CADRE: frozenset(
        {Capability.ORG_READ, Capability.MEMBER_READ, Capability.NOTICE_PUBLISH}
    ),
    Role.ZONE_CADRE: frozenset(
        {
            Capability.ORG_READ,
            Capability.ORG_WRITE,
            Capability.MEMBER_READ,
            Capability.MEMBER_COLLECT,
            Capability.GRANT_WRITE,
            Capability.NOTICE_PUBLISH,
            Capability.NOTICE_RECEIVE,
        }
    ),
    Role.LINE_CADRE: frozenset(
        {
            Capability.ORG_READ,
            Capability.MEMBER_READ,
            Capability.NOTICE_PUBLISH,
            Capability.NOTICE_RECEIVE,
        }
    ),
    Role.CHAIR: frozenset(
        {
            Capability.ORG_READ,
            Capability.MEMBER_READ,
            Capability.MEMBER_COLLECT,
            Capability.NOTICE_RECEIVE,
        }
    ),
    Role.UNION_ASSISTANT: frozenset(
        {Capability.ORG_READ, Capability.MEMBER_READ, Capability.NOTICE_RECEIVE}
    ),
    Role.COLLECTOR: frozenset({Capability.ORG_READ, Capability.MEMBER_COLLECT}),
    Role.COUNSELLOR: frozenset({Capability.CONSULT}),
    Role.LAWYER: frozenset({Capability.CONSULT}),
    Role.AUDITOR: frozenset({Capability.ORG_READ, Capability.AUDIT_READ}),
    Role.LEADER: frozenset({Capability.ORG_READ}),
}

APPOINTED = frozenset({Capability.CONSULT, Capability.AUDIT_READ})
"""Capabilities of a desk: nobody holds them to pass on, the federation's admin appoints to them."""

PLEDGED = frozenset({Capability.MEMBER_COLLECT})
"""Capabilities that sleep until the current confidentiality pledge (保密承诺书) is signed."""
