"""The enums of access (角色、权限) with their words."""

from __future__ import annotations

from domain.access.models import AccountKind, SessionKind
from domain.access.roles import Role
from domain.kernel.actor import Hierarchy
from domain.kernel.capabilities import Capability
from schema.declare import choice

RoleChoice = choice(
    Role,
    "A role (角色): a bundle of capabilities, granted at a union.",
    federation_admin="Administrator of the federation (市总管理员).",
    department_cadre="Cadre of a department (市总部门干部).",
    zone_cadre="Cadre of a town or zone federation (镇区干部).",
    line_cadre="Cadre of an industry or line federation (产业·条线干部).",
    chair="Chair of a union (工会主席).",
    union_assistant="Union assistant (协理员).",
    collector="Data collector (信息采集员).",
    counsellor="Counsellor (心理咨询师).",
    lawyer="Lawyer (律师).",
    auditor="Auditor (审计员).",
    leader="Leader (领导).",
)

_CAPABILITY_WORDS = {
    Capability.SELF: "What every signed-in account may do for itself (本人).",
    Capability.PUBLIC: "What anybody may see (公开).",
    Capability.ORG_READ: "See unions, employers and officers (查看组织).",
    Capability.ORG_WRITE: "Change unions, employers and seats (维护组织).",
    Capability.MEMBER_READ: "See members, masked (查看会员).",
    Capability.MEMBER_COLLECT: "Enter member data (信息采集); needs the signed pledge.",
    Capability.GRANT_WRITE: "Grant and revoke roles (授权).",
    Capability.NOTICE_PUBLISH: "Publish notices (发布通知).",
    Capability.NOTICE_RECEIVE: "Receive notices and give receipts (接收通知).",
    Capability.CONSULT: "Work an own window (咨询服务).",
    Capability.AUDIT_READ: "Read the audit trail (审计).",
}

CapabilityChoice = choice(
    Capability,
    "What a role can allow (权限).",
    **{each.name.lower(): _CAPABILITY_WORDS[each] for each in Capability},
)

HierarchyChoice = choice(
    Hierarchy,
    "One of the two hierarchies of the matrix (层级).",
    territory="By town and zone (镇区).",
    line="By industry and line (产业·条线).",
)

AccountKindChoice = choice(
    AccountKind,
    "Whose account it is (账号类别).",
    member="A member's (会员).",
    staff="A cadre's, consultant's or collector's (工作人员).",
)

SessionKindChoice = choice(
    SessionKind,
    "How a client holds its session (登录方式).",
    browser="By an HttpOnly cookie (浏览器).",
    app="By a short access token and a refresh token (应用).",
)
