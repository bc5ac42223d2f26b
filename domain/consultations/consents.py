"""The consent texts (知情同意书) that a member reads and accepts before the first message.

A text once published is never edited: a change is a new version, and new requests need the new one.
Their points are those of domain rules §3.10: purpose, limits of secrecy, emergency, record, minors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain.consultations.models import Service


@dataclass(frozen=True, slots=True)
class ConsentText:
    """One version of one service's text, in Chinese (which is binding) and English."""

    service: Service
    version: int
    zh_cn: str
    english: str


def consent_text(service: Service) -> ConsentText:
    """The version in force."""
    return _IN_FORCE[service]


_COUNSELLING = ConsentText(
    Service.COUNSELLING,
    1,
    zh_cn="""\
心理咨询知情同意书（第 1 版）

一、目的。咨询师与您交流，帮助您理解和应对工作、生活中的困扰。心理咨询不是治疗：咨询师不作精神障碍的诊断，\
也不进行心理治疗；如有需要，会建议您到医疗机构就诊（《精神卫生法》第二十三条）。
二、保密及其限度。谈话内容只有您和您的咨询师能看到。工会主席、单位、上级工会和系统管理员都看不到内容，\
也看不到您是否来过。只有在您或他人的生命安全面临紧迫危险、未成年人受到侵害，或者法律明确要求时，\
咨询师才会在必要的最小范围内告知有关人员，并尽可能先告诉您。
三、紧急情况。本服务不是急救，也可能无人即时在线。若您有伤害自己或他人的念头，\
请立即拨打 120 或 110，或拨打全国统一心理援助热线 12356。
四、记录。文字以加密方式保存在服务端，服务端按您与咨询师的会话权限解密，并非“端到端”加密。\
未经您书面同意不录音、不录像。更换咨询师须经您同意；您可以选择是否让新的咨询师看到以前的内容。
五、未成年人。未满十八周岁者应由监护人知情；未满十四周岁者须由监护人同意并代为求助。
六、自愿。您可以随时结束咨询，也可以以后重新开始。
""",
    english="""\
Consent to counselling (version 1)

1. Purpose. A counsellor talks with you to help you understand and cope with troubles at work \
and in life. Counselling is no treatment: the counsellor makes no diagnosis of mental \
disorders and gives no psychotherapy, and will advise you to see a medical institution where \
that is needed (Mental Health Law, article 23).
2. Secrecy and its limits. Only you and your counsellor can read what is said. Your chair, \
your employer, higher unions and administrators can see neither the content nor whether you \
have come. Only where a life is in urgent danger, a minor is being harmed, or the law \
expressly demands it, will the counsellor tell those concerned as little as is needed, and \
tell you first where possible.
3. Emergency. This service is no first aid, and at times nobody is there. If you think of \
harming yourself or others, call 120 or 110 at once, or the national psychological help line \
12356.
4. Record. The text is kept encrypted on the server, which opens it for you and your \
counsellor; this is not end-to-end encryption. Nothing is recorded in sound or picture without \
your written consent. Your counsellor changes only with your consent, and you choose whether \
the new one may see what was said before.
5. Minors. A guardian should know of it for anybody under 18; for a child under 14 a guardian \
consents and asks on the child's behalf.
6. Free will. You may end it at any time, and take it up again later.
""",
)

_LEGAL_AID = ConsentText(
    Service.LEGAL_AID,
    1,
    zh_cn="""\
工会法律援助知情同意书（第 1 版）

一、目的。律师为您提供法律咨询、代拟文书、协商调解等帮助。这是工会法律援助，是对政府法律援助的补充，\
不代替您向法律援助机构提出申请的权利。咨询意见以您所述情况为准，不保证结果。
二、保密及其限度。谈话内容只有您和您的律师能看到。工会主席、单位、上级工会和系统管理员都看不到内容，\
也看不到您是否来过。律师对知悉的个人隐私和商业秘密负有保密义务（《法律援助法》第二十一条）。\
只有在他人的生命安全面临紧迫危险，或者法律明确要求时，才会在必要的最小范围内告知有关机关。
三、紧急情况。仲裁、诉讼和工伤认定都有期限。若期限临近或需要保全证据、财产，请在求助时注明“紧急”，\
并同时向有关机构提出申请。人身安全受到威胁时请拨打 110。
四、记录。文字以加密方式保存在服务端，服务端按您与律师的会话权限解密，并非“端到端”加密。\
更换律师须经您同意；您可以选择是否让新的律师看到以前的内容。律师不得向您收取任何财物（《法律援助法》第二十条）。
五、未成年人。未满十八周岁者应由监护人知情或代为求助。
六、自愿。您可以随时结束，也可以以后重新开始。
""",
    english="""\
Consent to union legal aid (version 1)

1. Purpose. A lawyer helps you with advice, drafting, negotiation and mediation. This is legal \
aid by the union, a supplement to the government's; it does not replace your right to apply to \
a legal aid institution. Advice rests on what you tell, and no result is promised.
2. Secrecy and its limits. Only you and your lawyer can read what is said. Your chair, your \
employer, higher unions and administrators can see neither the content nor whether you have \
come. The lawyer is bound to keep your privacy and trade secrets (Legal Aid Law, article 21). \
Only where a life is in urgent danger, or the law expressly demands it, are the authorities \
told as little as is needed.
3. Emergency. Arbitration, litigation and the recognition of a work injury have time limits. \
If one is near, or evidence or property must be preserved, mark the request as urgent and \
apply to the institution in charge as well. When your safety is threatened, call 110.
4. Record. The text is kept encrypted on the server, which opens it for you and your lawyer; \
this is not end-to-end encryption. Your lawyer changes only with your consent, and you choose \
whether the new one may see what was said before. The lawyer may take neither money nor gifts \
from you (Legal Aid Law, article 20).
5. Minors. For anybody under 18 a guardian should know of it, or ask on their behalf.
6. Free will. You may end it at any time, and take it up again later.
""",
)

_IN_FORCE: Mapping[Service, ConsentText] = {
    text.service: text for text in (_COUNSELLING, _LEGAL_AID)
}
