"""Who one is, signing in and out, devices, the pledge, grants (登录与授权) in GraphQL."""

from __future__ import annotations

from typing import Annotated, ClassVar
from uuid import UUID

import strawberry

from domain.access import pledges
from domain.access import service as access
from domain.access.models import AccountKind, SessionKind
from domain.access.roles import Role
from domain.kernel.actor import Actor, Reach
from domain.kernel.capabilities import Capability
from domain.kernel.errors import Forbidden, NotFound
from domain.org import service as org
from schema.access_types import (
    ChangePasswordInput,
    EndSessionInput,
    Grant,
    GrantPayload,
    GrantRoleInput,
    HeldRole,
    Pledge,
    RefreshSessionInput,
    RevokeGrantInput,
    Session,
    SessionPayload,
    SessionsPayload,
    SignInInput,
    SignOutPayload,
    SignPledgeInput,
    SignPledgePayload,
    Viewer,
    id_of_grant,
    id_of_session,
)
from schema.context import Context, Info
from schema.declare import Row, of_row, verb
from schema.nodes import global_id, row_id, split_global_id
from schema.org import Union


class CookieImpossible(Forbidden):
    """A browser session was asked for where no response can carry its cookie (a socket, or a page
    of an unknown origin). Nothing has been tried."""

    code: ClassVar[str] = "access.cookie_impossible"


@strawberry.type
class AccessQuery:
    """Reads of the own account."""

    @verb(Capability.PUBLIC, "Who is signed in (当前用户); null for nobody.")
    async def viewer(self, info: Info) -> Viewer | None:
        actor = info.context.actor
        return None if actor.account_id is None else await _viewer(actor)

    @verb(Capability.SELF, "The own live sessions (登录设备), newest first; ten at the most.")
    async def sessions(self, info: Info) -> list[Session]:
        rows = await access.list_sessions(info.context.actor, info.context.works.clock.now())
        return [of_row(Session, row) for row in rows]

    @verb(Capability.SELF, "The current confidentiality pledge (保密承诺书).")
    async def pledge(self, info: Info) -> Pledge:
        return await _pledge(info.context.actor)

    @verb(
        Capability.SELF,
        "Roles of an account (授权) that one may know: all one's own, of others those within"
        " one's own granting.",
    )
    async def grants(
        self,
        info: Info,
        account_id: Annotated[
            strawberry.ID, strawberry.argument(description="The account's global id.")
        ],
    ) -> list[Grant]:
        rows = await access.list_grants(
            info.context.actor, _account(account_id), info.context.works.clock.now()
        )
        return [of_row(Grant, row) for row in rows]


@strawberry.type
class AccessMutation:
    """Signing in and out, passwords, pledge, grants."""

    @verb(Capability.PUBLIC, "Sign in by phone or identity number (登录).")
    async def sign_in(
        self,
        info: Info,
        input: Annotated[SignInInput, strawberry.argument(description="Who wants in.")],
    ) -> SessionPayload:
        context = info.context
        is_cookie = input.held_as is SessionKind.BROWSER
        if is_cookie and context.edge.cookies is None:
            raise CookieImpossible
        client = _client(context, input.held_as, input.device)
        made = await access.sign_in(context.works, input.identifier, input.password, client=client)
        if is_cookie and context.edge.cookies is not None:
            life = made.expires_at - context.works.clock.now()
            context.edge.cookies.set_session(
                made.token.text, expires_in_s=int(life.total_seconds())
            )
        return _session_payload(made, is_cookie=is_cookie)

    @verb(Capability.PUBLIC, "Exchange a refresh token for new ones (续期); each is good once.")
    async def refresh_session(
        self,
        info: Info,
        input: Annotated[RefreshSessionInput, strawberry.argument(description="The token.")],
    ) -> SessionPayload:
        client = _client(info.context, SessionKind.APP, input.device)
        made = await access.refresh_session(info.context.works, input.refresh_token, client=client)
        return _session_payload(made, is_cookie=False)

    @verb(Capability.PUBLIC, "End the session that asks (退出登录); without one nothing happens.")
    async def sign_out(self, info: Info) -> SignOutPayload:
        async with info.context.work() as w:
            await access.sign_out(w)
        _clear_cookie(info.context)
        return SignOutPayload(ended_count=int(info.context.actor.session_id is not None))

    @verb(Capability.SELF, "End all own sessions (退出所有设备), this one too.")
    async def sign_out_everywhere(self, info: Info) -> SignOutPayload:
        async with info.context.work() as w:
            count = await access.sign_out_everywhere(w)
        _clear_cookie(info.context)
        return SignOutPayload(ended_count=count)

    @verb(Capability.SELF, "End one of the own sessions (移除设备).")
    async def end_session(
        self,
        info: Info,
        input: Annotated[EndSessionInput, strawberry.argument(description="Which one.")],
    ) -> SessionsPayload:
        async with info.context.work() as w:
            await access.end_session(w, row_id(input.session_id, Session))
        return await _sessions_payload(info.context)

    @verb(Capability.SELF, "Change the own password (修改密码); all other sessions end.")
    async def change_password(
        self,
        info: Info,
        input: Annotated[ChangePasswordInput, strawberry.argument(description="Old and new.")],
    ) -> SessionsPayload:
        context = info.context
        await access.change_password(
            context.works, context.actor, current=input.current, new=input.new
        )
        return await _sessions_payload(context)

    @verb(Capability.SELF, "Sign the confidentiality pledge (签署保密承诺书). Idempotent.")
    async def sign_pledge(
        self,
        info: Info,
        input: Annotated[SignPledgeInput, strawberry.argument(description="Which version.")],
    ) -> SignPledgePayload:
        async with info.context.work() as w:
            await access.sign_pledge(w, input.version)
        return SignPledgePayload(pledge=await _pledge(info.context.actor))

    @verb(Capability.GRANT_WRITE, "Grant a role at a union (授权). Idempotent.")
    async def grant_role(
        self,
        info: Info,
        input: Annotated[GrantRoleInput, strawberry.argument(description="What to whom.")],
    ) -> GrantPayload:
        new = access.NewGrant(
            _account(input.account_id),
            input.role,
            row_id(input.union_id, Union),
            input.hierarchy,
            input.valid_from,
            input.valid_to,
        )
        async with info.context.work() as w:
            granted = await access.grant_role(w, new)
        return GrantPayload(grant_id=id_of_grant(granted))

    @verb(Capability.SELF, "Take a grant back (撤销授权), or lay down one's own.")
    async def revoke_grant(
        self,
        info: Info,
        input: Annotated[RevokeGrantInput, strawberry.argument(description="Which one.")],
    ) -> GrantPayload:
        grant_id = row_id(input.grant_id, Grant)
        async with info.context.work() as w:
            await access.revoke_grant(w, grant_id)
        return GrantPayload(grant_id=id_of_grant(grant_id))


async def _viewer(actor: Actor) -> Viewer:
    account = await access.get_account(actor)
    offices = await org.unions_by_id(actor, sorted(actor.offices)) if actor.offices else {}
    held = {capability for reach in actor.reaches for capability in reach.capabilities}
    return Viewer(
        account_id=global_id("Account", account["id"]),
        kind=AccountKind(account["kind"]),
        session_id=id_of_session(actor.session_id) if actor.session_id else None,
        member_id=global_id("Member", actor.member_id) if actor.member_id else None,
        consultant_id=global_id("Consultant", actor.consultant_id) if actor.consultant_id else None,
        offices=[of_row(Union, offices[id_]) for id_ in sorted(offices)],
        roles=[_held(reach) for reach in actor.reaches],
        capabilities=sorted(held),
        has_signed_pledge=await access.has_signed_pledge(actor),
    )


def _held(reach: Reach) -> HeldRole:
    row = {
        "role": Role(reach.role),
        "hierarchy": reach.hierarchy,
        "union_id": reach.union_id,
        "capabilities": sorted(reach.capabilities),
    }
    return of_row(HeldRole, row)


async def _pledge(actor: Actor) -> Pledge:
    return Pledge(
        version=pledges.VERSION,
        text=pledges.TEXT,
        text_sha256=pledges.TEXT_SHA256,
        is_signed=await access.has_signed_pledge(actor),
    )


async def _sessions_payload(context: Context) -> SessionsPayload:
    rows: list[Row] = list(await access.list_sessions(context.actor, context.works.clock.now()))
    return SessionsPayload(sessions=[of_row(Session, row) for row in rows])


def _session_payload(made: access.SignedIn, *, is_cookie: bool) -> SessionPayload:
    refresh = made.refresh_token
    return SessionPayload(
        session_id=id_of_session(made.session_id),
        # A script of the page must not get what the HttpOnly cookie keeps from it.
        access_token=None if is_cookie else made.token.text,
        access_token_expires_at=made.token_expires_at,
        refresh_token=refresh.text if refresh else None,
        expires_at=made.expires_at,
    )


def _client(context: Context, kind: SessionKind, device: str | None) -> access.Client:
    return access.Client(kind, context.edge.client_key, context.edge.user_agent, device)


def _clear_cookie(context: Context) -> None:
    if context.edge.cookies is not None:
        context.edge.cookies.clear()


def _account(text: str) -> UUID:
    """The account's id in its global id. Raises NotFound."""
    name, id_ = split_global_id(text)
    if name != "Account":
        raise NotFound
    return id_
