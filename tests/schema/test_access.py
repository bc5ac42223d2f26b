"""Signing in and out, devices, pledge and grants through the schema."""

from __future__ import annotations

from typing import Any

import pytest

from domain.access import pledges
from domain.access import service as access
from domain.access.roles import Role
from domain.kernel.actor import NOBODY, Actor
from domain.kernel.database import fetch
from domain.kernel.ports import Edge, ResponseCookies
from domain.kernel.work import Works
from domain.org.models import Post, Seat
from schema.access import AccessMutation, AccessQuery
from schema.nodes import global_id
from schema.root import NodeQuery, build_from
from tests.support.access import APP, PASSWORD, a_grant, a_phone, an_account, signed_in, the_actor
from tests.support.clock import FrozenClock
from tests.support.matrix import a_matrix
from tests.support.schema import Asking

pytestmark = pytest.mark.usefixtures("test_keyring")

SIGN_IN = """mutation ($input: SignInInput!) { signIn(input: $input) {
    sessionId accessToken accessTokenExpiresAt refreshToken expiresAt } }"""
REFRESH = """mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) {
    accessToken refreshToken } }"""
VIEWER = """{ viewer { accountId kind sessionId memberId consultantId hasSignedPledge
    offices { name } capabilities roles { role hierarchy union { id } capabilities } } }"""


@pytest.fixture
def ask(works: Works) -> Asking:
    return Asking(build_from([NodeQuery, AccessQuery], [AccessMutation], []), works)


def the_code(answer: dict[str, Any]) -> str:
    return str(answer["errors"][0]["extensions"]["code"])


async def a_session(works: Works, account: access.NewAccount) -> Actor:
    return await the_actor(works, await signed_in(works, account))


async def test_a_browser_gets_a_cookie_and_no_token(ask: Asking, works: Works) -> None:
    account = await an_account(works)
    cookies = ResponseCookies()
    given = {"identifier": account.phone, "password": PASSWORD}
    answer = await ask(SIGN_IN, edge=Edge("n1", "browser/1", cookies), input=given)

    made = answer["data"]["signIn"]
    assert made["accessToken"] is None
    assert made["refreshToken"] is None
    assert cookies.session_token is not None
    assert cookies.expires_in_s == 30 * 86_400
    actor = await access.actor_of_token(cookies.session_token, works.clock.now())
    assert actor is not None
    assert actor.account_id == account.id


async def test_where_no_cookie_can_go_nothing_is_tried(ask: Asking, works: Works) -> None:
    account = await an_account(works)
    given = {"identifier": account.phone, "password": PASSWORD}

    assert the_code(await ask(SIGN_IN, edge=Edge("n1"), input=given)) == "access.cookie_impossible"
    assert not await fetch("SELECT 1 FROM access_session")
    assert not await fetch("SELECT 1 FROM access_attempt")


async def test_an_app_gets_tokens_and_refreshes_them(
    ask: Asking, works: Works, clock: FrozenClock
) -> None:
    account = await an_account(works)
    given = {"identifier": account.id_number, "password": PASSWORD, "heldAs": "APP", "device": "d"}
    made = (await ask(SIGN_IN, edge=Edge("n1"), input=given))["data"]["signIn"]
    clock.advance(minutes=9)
    again = (await ask(REFRESH, input={"refreshToken": made["refreshToken"], "device": "d"}))[
        "data"
    ]["refreshSession"]

    assert await access.actor_of_token(made["accessToken"], clock.now()) is None
    assert await access.actor_of_token(again["accessToken"], clock.now()) is not None
    clock.advance(seconds=11)
    stolen = {"refreshToken": made["refreshToken"], "device": "thief"}
    assert the_code(await ask(REFRESH, input=stolen)) == "access.session_over"
    assert await access.actor_of_token(again["accessToken"], clock.now()) is None


async def test_nobody_can_tell_who_has_an_account(ask: Asking, works: Works) -> None:
    account = await an_account(works)
    answers = [
        await ask(
            SIGN_IN,
            edge=Edge("n1"),
            input={"identifier": identifier, "password": "wrong word", "heldAs": "APP"},
        )
        for identifier in (account.phone, a_phone(), account.id_number, "", "·")
    ]

    assert [answer == answers[0] for answer in answers] == [True] * 5
    assert the_code(answers[0]) == "access.sign_in_refused"
    assert answers[0]["data"] is None


async def test_sign_in_cannot_be_batched(ask: Asking, works: Works) -> None:
    one = 'signIn(input: {identifier: "1", password: "x"}) { sessionId }'

    answer = await ask(f"mutation {{ a: {one} b: {one} }}")

    assert the_code(answer) == "graphql.too_many_root_fields"


async def test_the_viewer_is_who_asks_and_nobody_is_null(ask: Asking, works: Works) -> None:
    matrix = await a_matrix()
    account = await an_account(works)
    await a_grant(works, account.id, Role.COLLECTOR, matrix.a)
    actor = await a_session(works, account)

    viewer = (await ask(VIEWER, actor))["data"]["viewer"]
    assert viewer["accountId"] == global_id("Account", account.id)
    assert viewer["hasSignedPledge"] is False
    assert viewer["capabilities"] == ["ORG_READ"]
    assert viewer["roles"] == [
        {
            "role": "COLLECTOR",
            "hierarchy": "TERRITORY",
            "union": {"id": global_id("Union", matrix.a.id)},
            "capabilities": ["ORG_READ"],
        }
    ]
    assert viewer["offices"] == []
    assert await ask(VIEWER) == {"data": {"viewer": None}}


async def test_the_viewers_seats_are_named(ask: Asking, works: Works) -> None:
    matrix = await a_matrix()
    account = await an_account(works)
    today = works.clock.now().date()
    await Seat.create(
        union_id=matrix.a.id, account_id=account.id, post=Post.CHAIR, from_on=today, to_on=None
    )

    answer = await ask("{ viewer { offices { id } } }", await a_session(works, account))
    assert answer["data"]["viewer"]["offices"] == [{"id": global_id("Union", matrix.a.id)}]


async def test_the_pledge_is_read_and_signed(ask: Asking, works: Works) -> None:
    matrix = await a_matrix()
    account = await an_account(works)
    await a_grant(works, account.id, Role.COLLECTOR, matrix.a)
    actor = await a_session(works, account)
    sign = "mutation ($v: Int!) { signPledge(input: {version: $v}) { pledge { isSigned } } }"

    shown = (await ask("{ pledge { version text isSigned } }", actor))["data"]["pledge"]
    assert shown == {"version": pledges.VERSION, "text": pledges.TEXT, "isSigned": False}
    assert the_code(await ask(sign, actor, v=99)) == "access.pledge_outdated"
    signed = await ask(sign, actor, v=shown["version"])
    assert signed["data"]["signPledge"]["pledge"]["isSigned"] is True
    assert the_code(await ask(sign, NOBODY, v=1)) == "access.unauthenticated"


async def test_devices_are_listed_and_ended_by_their_owner(ask: Asking, works: Works) -> None:
    account = await an_account(works)
    actor = await a_session(works, account)
    phone = await signed_in(works, account, client=APP)
    end = "mutation ($id: ID!) { endSession(input: {sessionId: $id}) { sessions { isCurrent } } }"

    listed = (await ask("{ sessions { id kind userAgent isCurrent } }", actor))["data"]["sessions"]
    assert {(each["kind"], each["isCurrent"]) for each in listed} == {
        ("BROWSER", True),
        ("APP", False),
    }
    phone_id = global_id("Session", phone.session_id)
    stranger = await a_session(works, await an_account(works))
    for other in (phone_id, "garbage", global_id("Union", phone.session_id)):
        assert the_code(await ask(end, stranger, id=other)) == "not_found"
    left = await ask(end, actor, id=phone_id)
    assert left["data"]["endSession"]["sessions"] == [{"isCurrent": True}]
    assert await the_actor(works, phone) == NOBODY


async def test_signing_out_clears_the_cookie(ask: Asking, works: Works) -> None:
    account = await an_account(works)
    actor = await a_session(works, account)
    await signed_in(works, account)
    cookies = ResponseCookies()

    out = await ask("mutation { signOut { endedCount } }", actor, edge=Edge("n1", "", cookies))
    assert out["data"]["signOut"]["endedCount"] == 1
    assert cookies.is_cleared
    nobody = await ask("mutation { signOut { endedCount } }")
    assert nobody["data"]["signOut"]["endedCount"] == 0
    other = await a_session(works, account)
    everywhere = await ask("mutation { signOutEverywhere { endedCount } }", other)
    assert everywhere["data"]["signOutEverywhere"]["endedCount"] == 2


async def test_a_password_is_changed_by_who_knows_it(ask: Asking, works: Works) -> None:
    account = await an_account(works)
    actor = await a_session(works, account)
    change = """mutation ($old: String!, $new: String!) {
        changePassword(input: {current: $old, new: $new}) { sessions { isCurrent } } }"""

    for old, new, code in [
        ("wrong", "battery staple", "access.password_wrong"),
        (PASSWORD, "short", "access.password_too_short"),
        (PASSWORD, "x1z" * 400, "vault.password_too_long"),
    ]:
        assert the_code(await ask(change, actor, old=old, new=new)) == code
    done = await ask(change, actor, old=PASSWORD, new="battery staple")
    assert done["data"]["changePassword"]["sessions"] == [{"isCurrent": True}]


async def test_roles_are_granted_listed_and_revoked_within_ones_own(
    ask: Asking, works: Works
) -> None:
    matrix = await a_matrix()
    cadre_account, person = [await an_account(works) for _ in range(2)]
    await a_grant(works, cadre_account.id, Role.ZONE_CADRE, matrix.east)
    async with works.open(await a_session(works, cadre_account)) as w:
        await access.sign_pledge(w, pledges.VERSION)
    cadre, stranger = await a_session(works, cadre_account), await a_session(works, person)
    grant = "mutation ($i: GrantRoleInput!) { grantRole(input: $i) { grantId } }"
    revoke = "mutation ($id: ID!) { revokeGrant(input: {grantId: $id}) { grantId } }"
    listing = "query ($id: ID!) { grants(accountId: $id) { id role union { name } validTo } }"
    to = global_id("Account", person.id)
    wanted = {"accountId": to, "role": "CHAIR", "unionId": global_id("Union", matrix.a.id)}

    assert the_code(await ask(grant, stranger, i=wanted)) == "forbidden"
    assert the_code(await ask(grant, NOBODY, i=wanted)) == "access.unauthenticated"
    outside = {**wanted, "unionId": global_id("Union", matrix.d.id)}
    assert the_code(await ask(grant, cadre, i=outside)) == "not_found"
    too_much = {**wanted, "role": "AUDITOR"}
    assert the_code(await ask(grant, cadre, i=too_much)) == "access.role_not_yours"
    for when in ("2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
        at_odds = {**wanted, "validTo": when}
        assert the_code(await ask(grant, cadre, i=at_odds)) == "access.grant_times"
    granted = (await ask(grant, cadre, i=wanted))["data"]["grantRole"]["grantId"]

    for reader, count in ((cadre, 1), (stranger, 1)):
        answer = await ask(listing, reader, id=to)
        assert [each["id"] for each in answer["data"]["grants"]] == [granted] * count
    other = await a_session(works, await an_account(works))
    assert (await ask(listing, other, id=to))["data"]["grants"] == []
    assert the_code(await ask(revoke, other, id=granted)) == "not_found"
    assert (await ask(revoke, cadre, id=granted))["data"]["revokeGrant"]["grantId"] == granted
    assert the_code(await ask(revoke, cadre, id=granted)) == "not_found"


async def test_a_refused_password_is_in_no_answer_and_no_log(
    ask: Asking, works: Works, caplog: pytest.LogCaptureFixture
) -> None:
    phone = a_phone()
    given = {"identifier": phone, "password": "secret word 秘", "heldAs": "APP"}
    answer = await ask(SIGN_IN, edge=Edge("n1"), input=given)
    broken = await ask(SIGN_IN, edge=Edge("n1"), input={**given, "password": ["secret word 秘"]})

    for text in (str(answer), str(broken), caplog.text):
        assert "secret word" not in text
        assert phone not in text
