"""The enums of consultations (心理咨询, 法律援助) in GraphQL, with what each value means."""

from __future__ import annotations

from domain.consultations.models import (
    CaseState,
    HandoverState,
    Role,
    Service,
    Topic,
    Urgency,
    WindowState,
)
from schema.declare import choice

__all__ = ("CaseState", "HandoverState", "Role", "Service", "Topic", "Urgency", "WindowState")

choice(
    Service,
    "What is sought (服务).",
    called="ConsultationService",
    counselling="Counselling (心理咨询).",
    legal_aid="Legal aid by the union (法律援助).",
)
choice(
    WindowState,
    "What a consultant says of the own window (窗口状态).",
    present="There now (在岗).",
    busy="There, but not free (忙碌).",
    away="Not there; requests wait (离开).",
)
choice(
    CaseState,
    "Where a case stands (个案状态).",
    requested="Waiting in the queue (求助中).",
    running="Accepted by a consultant (进行中).",
    closed="Ended; the member may re-open it (已结束).",
)
choice(
    Role,
    "As whom somebody takes part (身份).",
    called="ConsultationRole",
    member="Who seeks help (求助会员).",
    consultant="Counsellor or lawyer (咨询师或律师).",
)
choice(
    Urgency,
    "How soon an answer is needed, by the member's own word (紧急程度); nobody is overtaken.",
    ordinary="As usual (一般).",
    urgent="A time limit or a danger is near (紧急).",
)
choice(
    Topic,
    "What it is about, coarsely (主题). Each service has its own.",
    called="ConsultationTopic",
    work_stress="Stress at work (工作压力); counselling.",
    relationships="Relations with others (人际关系); counselling.",
    family="Family (婚姻家庭); both services.",
    parenting="Parents and children (亲子教育); counselling.",
    labour_contract="Labour contract (劳动合同); legal aid.",
    wages="Wages (工资报酬); legal aid.",
    work_injury="Work injury (工伤); legal aid.",
    social_insurance="Social insurance (社会保险); legal aid.",
    dismissal="Dismissal and severance (解除与补偿); legal aid.",
    other="Something else (其他); both services.",
)
choice(
    HandoverState,
    "Where a hand-over stands (转介状态).",
    asked="The member has not answered yet (待会员同意).",
    consented="Done (已转介).",
    refused="Not done: refused, taken back, or the case ended (未转介).",
)
