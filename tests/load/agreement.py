"""Before anything is measured: each candidate is asked once, and all must tell equally much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from tests.load.workload import Candidate

TIMEOUT_S = 30
"""The first request of a server, with whatever it sets up then, on a busy machine."""


async def values_told(candidates: Sequence[Candidate]) -> dict[str, int | str]:
    """By label how many values its answer holds, objects and lists apart; or what it said else."""
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
        return {each.label: await _ask(client, each) for each in candidates}


async def _ask(client: httpx.AsyncClient, candidate: Candidate) -> int | str:
    plan = candidate.plan
    try:
        answer = await client.post(
            f"http://127.0.0.1:{candidate.server.port}{plan['path']}",
            json={"query": plan["query"], "operationName": "M"},
            headers=plan["headers"],
        )
    except httpx.HTTPError as error:  # one that broke must not end the whole run
        return repr(error)
    if answer.status_code != httpx.codes.OK or "errors" in answer.json():
        return answer.text[:400]
    return values_in(answer.json()["data"])


def values_in(answer: Any) -> int:
    """How many values: null is one, an empty list none."""
    if isinstance(answer, dict):
        return sum(values_in(value) for value in answer.values())
    if isinstance(answer, list):
        return sum(values_in(value) for value in answer)
    return 1
