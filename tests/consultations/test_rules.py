"""The rules of consultations, at their edges."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from domain.consultations import rules
from domain.consultations.consents import consent_text
from domain.consultations.models import CaseState, Role, Service, Topic
from domain.consultations.rules import STEP_OF, TRANSITIONS, Step
from domain.kernel.ids import new_id
from tests.support.clock import THEN


@pytest.mark.parametrize(("state", "step", "role"), list(itertools.product(CaseState, Step, Role)))
def test_every_state_step_and_role_is_either_in_the_table_or_refused(
    state: CaseState, step: Step, role: Role
) -> None:
    if role not in STEP_OF[step]:
        with pytest.raises(rules.NotYourStep):
            rules.next_state(state, step, role)
    elif (state, step) not in TRANSITIONS:
        with pytest.raises(rules.WrongState) as refused:
            rules.next_state(state, step, role)
        assert refused.value.params == {"state": state.value}
    else:
        assert rules.next_state(state, step, role) is TRANSITIONS[state, step]


def test_every_state_is_reached_and_left() -> None:
    assert {state for state, _ in TRANSITIONS} == set(CaseState)
    assert set(TRANSITIONS.values()) == set(CaseState)


def test_only_the_member_reopens_and_consents() -> None:
    assert STEP_OF[Step.REOPEN] == STEP_OF[Step.CONSENT] == {Role.MEMBER}


def test_a_request_that_nobody_took_is_not_reopened() -> None:
    rules.ensure_reopenable(THEN)
    with pytest.raises(rules.WrongState):
        rules.ensure_reopenable(None)


def test_the_queue_is_oldest_first_and_ties_break_by_id() -> None:
    first, second = sorted([new_id(), new_id()])
    places = [
        rules.queue_place(THEN, second),
        rules.queue_place(THEN + timedelta(microseconds=1), first),
        rules.queue_place(THEN, first),
    ]

    assert sorted(places) == [places[2], places[0], places[1]]


def test_a_window_takes_as_many_as_its_capacity() -> None:
    rules.ensure_room(4, 5)
    for running_count in (5, 6):
        with pytest.raises(rules.WindowFull):
            rules.ensure_room(running_count, 5)


def test_capacity_is_one_to_twenty() -> None:
    for capacity in (1, rules.CAPACITY_MAX):
        rules.ensure_capacity(capacity)
    for capacity in (-1, 0, rules.CAPACITY_MAX + 1):
        with pytest.raises(rules.BadCapacity):
            rules.ensure_capacity(capacity)


def test_a_member_has_a_bounded_number_of_open_cases() -> None:
    rules.ensure_may_open(rules.OPEN_CASES_MAX - 1)
    with pytest.raises(rules.TooManyOpen):
        rules.ensure_may_open(rules.OPEN_CASES_MAX)


def test_consent_is_to_the_version_in_force() -> None:
    rules.ensure_consent(2, 2)
    for given in (0, 1, 3):
        with pytest.raises(rules.ConsentOutdated) as refused:
            rules.ensure_consent(given, 2)
        assert refused.value.params == {"version": 2}


def test_topics_belong_to_services() -> None:
    assert set().union(*rules.TOPICS.values()) == set(Topic)
    rules.ensure_topic(Service.LEGAL_AID, Topic.WAGES)
    with pytest.raises(rules.TopicMismatch):
        rules.ensure_topic(Service.COUNSELLING, Topic.WAGES)


def test_nobody_serves_themselves() -> None:
    rules.ensure_another_service(None, Service.COUNSELLING)
    rules.ensure_another_service(Service.LEGAL_AID, Service.COUNSELLING)
    with pytest.raises(rules.OwnService):
        rules.ensure_another_service(Service.COUNSELLING, Service.COUNSELLING)


def test_a_case_goes_to_another_consultant_of_its_service() -> None:
    own, other = new_id(), new_id()
    rules.ensure_target(Service.COUNSELLING, own, other, Service.COUNSELLING)
    for target, service in ((own, Service.COUNSELLING), (other, Service.LEGAL_AID)):
        with pytest.raises(rules.WrongTarget):
            rules.ensure_target(Service.COUNSELLING, own, target, service)


def test_a_new_consultant_sees_from_then_on_unless_the_past_is_shared() -> None:
    assert rules.first_visible(41, shares_past=False) == 42
    assert rules.first_visible(0, shares_past=False) == 1
    assert rules.first_visible(41, shares_past=True) == 1


def test_typing_is_signalled_once_in_three_seconds() -> None:
    almost = THEN + timedelta(seconds=rules.TYPING_EVERY_S, microseconds=-1)
    assert rules.may_signal(None, THEN)
    assert not rules.may_signal(THEN, almost)
    assert rules.may_signal(THEN, almost + timedelta(microseconds=1))


@pytest.mark.parametrize("service", list(Service))
def test_a_consent_text_says_what_must_be_said(service: Service) -> None:
    text = consent_text(service)

    assert text.service is service
    for word in ("目的", "保密", "紧急", "记录", "未成年", "自愿"):
        assert word in text.zh_cn
    for word in ("Purpose", "Secrecy", "Emergency", "Record", "Minors", "Free will"):
        assert word in text.english
    assert "110" in text.zh_cn
    assert "  " not in text.zh_cn + text.english
