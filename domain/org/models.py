"""Tables of the organisation (组织). Accounts are named by plain ids: they live a floor above."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from domain.kernel.fields import AssignedIntField, PathField
from domain.kernel.ids import new_id

NAME_CHARS_MAX = 120
"""The longest registered names of employers and unions stay below 80 characters."""


class Level(StrEnum):
    """Where a union stands (层级)."""

    FEDERATION = "federation"
    """市总工会: the root of both hierarchies."""
    ZONE = "zone"
    """镇(区)总工会."""
    LINE = "line"
    """产业·条线工会."""
    GRASSROOTS = "grassroots"
    """基层工会."""


class UnionKind(StrEnum):
    """The form that a union takes (组织形式), Trade Union Law §11."""

    SINGLE = "single"
    """单独基层工会, and the federations themselves."""
    JOINT = "joint"
    """联合基层工会: several employers together."""
    ASSOCIATION = "association"
    """工会联合会 of a village, zone or trade."""
    WORK_COMMITTEE = "work_committee"
    """工会工作委员会: sent by the upper union, no legal person."""
    ORGANISER = "organiser"
    """组织员: fewer than 25 members, one elected person."""


class LegalPersonStatus(StrEnum):
    """Whether the union is a legal person (工会法人资格)."""

    NONE = "none"
    APPLIED = "applied"
    REGISTERED = "registered"
    CANCELLED = "cancelled"


class Ownership(StrEnum):
    """Who owns an employer (所有制)."""

    STATE = "state"
    COLLECTIVE = "collective"
    PRIVATE = "private"
    FOREIGN = "foreign"
    """外商投资; ``investor_country`` says whose (德资 = DE)."""
    HONG_KONG_MACAU_TAIWAN = "hk_macau_tw"
    PUBLIC_INSTITUTION = "public_institution"
    """机关·事业单位."""
    OTHER = "other"


class Post(StrEnum):
    """What a seat is for (职务)."""

    CHAIR = "chair"
    VICE_CHAIR = "vice_chair"
    CADRE = "cadre"
    ASSISTANT = "assistant"
    """工会协理员."""
    COMMITTEE_MEMBER = "committee_member"


class Union(Model):
    """A node of the matrix (工会). Its paths are kept by ``domain.org.service`` only."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    seq = fields.BigIntField(unique=True)
    """Makes this union's path segment; from ``org_union_seq``, never used again."""
    name = fields.CharField(max_length=NAME_CHARS_MAX)
    level = fields.CharEnumField(Level, max_length=16)
    kind = fields.CharEnumField(UnionKind, max_length=16)
    territory_parent: fields.ForeignKeyNullableRelation[Union] = fields.ForeignKeyField(
        "unionhall.Union",
        related_name="territory_children",
        null=True,
        on_delete=fields.OnDelete.RESTRICT,
    )
    line_parent: fields.ForeignKeyNullableRelation[Union] = fields.ForeignKeyField(
        "unionhall.Union",
        related_name="line_children",
        null=True,
        on_delete=fields.OnDelete.RESTRICT,
    )
    territory_path = PathField(unique=True)
    line_path = PathField(null=True, unique=True)
    """NULL: under no line."""
    employer: fields.ForeignKeyNullableRelation[Employer] = fields.ForeignKeyField(
        "unionhall.Employer", related_name="unions", null=True, on_delete=fields.OnDelete.RESTRICT
    )
    legal_person = fields.CharEnumField(
        LegalPersonStatus, max_length=16, default=LegalPersonStatus.NONE
    )
    uscc = fields.CharField(max_length=18, null=True, unique=True)
    """Unified social credit code (统一社会信用代码) of the union as a legal person."""
    founded_on = fields.DateField(null=True)
    dissolved_on = fields.DateField(null=True)
    term_from_on = fields.DateField(null=True)
    """First day of the running term (届)."""
    term_to_on = fields.DateField(null=True)
    """Last day of the running term; the election (换届选举) is due by it."""
    reported_members = fields.IntField(null=True)
    """Members as the union reports them: the denominator of coverage (采集率)."""

    class Meta:
        table = "org_union"
        indexes = (("territory_parent_id", "id"), ("line_parent_id", "id"), ("employer_id",))


class Department(Model):
    """A department of the city federation (市总业务部门): owns functions, is no node."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    name = fields.CharField(max_length=NAME_CHARS_MAX, unique=True)
    functions = fields.CharField(max_length=400)
    """What it answers for, in the federation's own words."""
    rank = fields.IntField()
    """Place in lists."""

    class Meta:
        table = "org_department"


class Employer(Model):
    """An employer (用人单位) with the numbers that statistics ask for."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    name = fields.CharField(max_length=NAME_CHARS_MAX)
    uscc = fields.CharField(max_length=18, unique=True)
    ownership = fields.CharEnumField(Ownership, max_length=24)
    investor_country = fields.CharField(max_length=2, null=True)
    """ISO 3166-1 alpha-2."""
    zone_id = fields.UUIDField()
    """The zone federation (镇区总工会) in whose territory it lies. Its foreign key stands in
    ``org.sql``: unions name employers and employers a union, and the ORM makes no such pair."""
    head_count = fields.IntField()
    """Employees in labour relation."""
    contracts_signed = fields.IntField()
    """Employees with a valid written contract: the numerator of the signing rate (签订率)."""
    counted_on = fields.DateField()
    """The day for which the two numbers hold."""

    class Meta:
        table = "org_employer"
        indexes = (("zone_id", "id"), ("investor_country", "id"))


class Seat(Model):
    """Somebody holds a post in a union: from ``from_on``, up to but without ``to_on``."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    union: fields.ForeignKeyRelation[Union] = fields.ForeignKeyField(
        "unionhall.Union", related_name="seats", on_delete=fields.OnDelete.RESTRICT
    )
    account_id = fields.UUIDField()
    post = fields.CharEnumField(Post, max_length=24)
    from_on = fields.DateField()
    to_on = fields.DateField(null=True)
    """The first day on which it is no longer held; NULL: until further notice."""

    class Meta:
        table = "org_seat"
        indexes = (("union_id", "from_on"), ("account_id", "from_on"))


class SampleMarker(Model):
    """This federation is a sample (示例数据): one row, made before any of its rows."""

    id = AssignedIntField(primary_key=True)
    members_wanted = fields.IntField()
    members_done = fields.IntField(default=0)
    """How far the filling came: an interrupted one goes on from here."""
    is_finished = fields.BooleanField(default=False)

    class Meta:
        table = "org_sample_marker"
