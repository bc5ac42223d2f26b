"""W4's storm: everybody's connection breaks, events go by, everybody comes back at the same time.

Those who come back say up to where they have everything; each must get exactly what it missed.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import Any

import orjson

from tests.load.clients.crowd import Crowd, Guest
from tests.load.clients.frames import upgrade
from tests.load.clients.window import Window, answer, percentile_ms, read_plan
from tests.load.control import number_in

NUMBER = "%NUMBER%"
DIGITS = 8
NUMBERS_A_ROUND = 100
ANSWER_TIMEOUT_S = 20.0
"""For one publication, and for everybody online to have it."""
AWAY_S = 1.0
"""Between the break and the first event that is missed: the server has noticed."""
STORM_PATIENCE_S = 90.0
SETTLING_S = 3.0
"""After everybody is served: what comes twice would come now, and receipts are written."""


class Storm:
    """Everybody who follows something, and what has come to each."""

    def __init__(self, plan: dict[str, Any]) -> None:
        request = upgrade(plan["path"], plan["port"], plan["headers"])
        self.crowd = Crowd(plan["ports"], request, plan["openings"], self._hear)
        self.crowd.let_in = self._let_in
        self._publication: str | None = plan["publication"]
        """What the first guest says to publish; without it numbers go to the control door."""
        self.publisher = self.crowd.guests[0] if self._publication else None
        self.followers = self.crowd.guests[1:] if self._publication else self.crowd.guests
        self.first = plan["round"] * NUMBERS_A_ROUND + 1
        self.published = 0
        self.places: dict[int, dict[str, Any]] = {}
        self.served_at: dict[int, float] = {}
        self.doubled = 0
        self._seen = [0] * len(self.crowd.guests)
        """For each guest a bit for each event that came."""
        self._due = 0
        self._answered = 0
        self._control = socket.create_connection(("127.0.0.1", plan["control_port"]))

    def publish(self) -> bool:
        """One more event; whether the server says that it is kept (a door says nothing)."""
        number = self.first + self.published
        self.published += 1
        if self.publisher is None:
            self._control.sendall(b"%d -\n" % number)
            self.crowd.pump_for(0.1)
            return True
        assert self._publication is not None
        text = self._publication.replace(NUMBER, f"{number:0{DIGITS}d}")
        self.publisher.say(text.encode())
        return self.crowd.pump_until(lambda: self._answered == self.published, ANSWER_TIMEOUT_S)

    def is_everywhere(self, guests: Sequence[Guest]) -> bool:
        """Whether all that was published has come to all of these."""
        whole = (1 << self.published) - 1
        return all(self._seen[guest.index] == whole for guest in guests)

    def missing(self) -> int:
        """Events that have not come to somebody."""
        return sum(self.published - self._seen[guest.index].bit_count() for guest in self.followers)

    def come_back(self, *, is_replayed: bool) -> None:
        """Nobody is there; all come at once, saying where they stand."""
        self._due = (1 << self.published) - 1 if is_replayed else 0
        for guest in self.followers:
            if place := self.places.get(guest.index):
                guest.opening = resuming(guest.opening, place)
        self.served_at.clear()

    def _let_in(self, guest: Guest, payload: bytes) -> None:
        if b'"live"' in payload:
            self.places[guest.index] = orjson.loads(payload)["payload"]["rt"]["live"]["s"]
        self._look_served(guest)

    def _hear(self, guest: Guest, payload: bytes) -> None:
        number = number_in(payload)
        if number is None:
            self._answered += guest is self.publisher and b'"next"' in payload
            self.crowd.note_errors(payload)
            return
        bit = 1 << (number - self.first)
        self.doubled += bool(self._seen[guest.index] & bit)
        self._seen[guest.index] |= bit
        if not self._due and guest.index in self.places:
            rt = orjson.loads(payload)["payload"]["extensions"]["rt"]
            self.places[guest.index] = {rt["s"]: [rt["e"], rt["o"]]}
        self._look_served(guest)

    def _look_served(self, guest: Guest) -> None:
        if guest.is_ready and self._seen[guest.index] & self._due == self._due:
            self.served_at.setdefault(guest.index, time.perf_counter())


def resuming(opening: Sequence[Sequence[str]], place: dict[str, Any]) -> list[tuple[str, str]]:
    """The same opening, but following from where the guest stands."""
    (say, hear), *following = opening
    resumed = [(say, hear)]
    for asked, answered in following:
        said = orjson.loads(asked)
        said["payload"]["extensions"] = {"rt": {"since": place}}
        resumed.append((orjson.dumps(said).decode(), answered))
    return resumed


def prepare(storm: Storm, plan: dict[str, Any]) -> str | None:
    """Everybody is online and has one event, then all are cut off and miss some; or what failed."""
    crowd = storm.crowd
    if not crowd.open():
        return f"{crowd.ready} are in; {crowd.reasons}"
    crowd.pump_for(SETTLING_S / 3)
    if not storm.publish():
        return f"nothing was published; {crowd.reasons}"
    if not crowd.pump_until(lambda: storm.is_everywhere(storm.followers), ANSWER_TIMEOUT_S):
        return f"{storm.missing()} never got what came while they were online"
    crowd.pump_for(SETTLING_S / 3)
    crowd.cut(storm.followers)
    crowd.pump_for(AWAY_S)
    if not all(storm.publish() for _ in range(plan["missed"])):
        return f"what was to be missed was not published; {crowd.reasons}"
    return None


def run(plan: dict[str, Any]) -> dict[str, Any]:
    """The figures of one run."""
    storm = Storm(plan)
    if broken := prepare(storm, plan):
        return {"broke": broken}
    crowd, everybody = storm.crowd, len(storm.followers)
    storm.come_back(is_replayed=plan["is_replayed"])
    window = Window(plan["server_pids"])
    started = time.perf_counter()
    crowd.open(at_once=everybody, patience_s=STORM_PATIENCE_S)
    crowd.pump_until(lambda: len(storm.served_at) == everybody, STORM_PATIENCE_S)
    window.close()
    settling = Window(plan["server_pids"])
    crowd.pump_for(SETTLING_S)
    settling.close()
    took_s = [at - started for at in storm.served_at.values()]
    return {
        "served_s": round(max(took_s, default=0.0), 3),
        "p50_ms": percentile_ms(took_s, 0.5),
        "p99_ms": percentile_ms(took_s, 0.99),
        "cpu_ms_per_resume": round(window.server_cpu_s * 1e3 / everybody, 4),
        # What is done afterwards for those who came back: receipts of what they missed.
        "cpu_ms_afterwards": round(settling.server_cpu_s * 1e3 / everybody, 4),
        "sockets": everybody,
        "missed_each": plan["missed"],
        "unserved": everybody - len(took_s),
        "lost": storm.missing(),
        "doubled": storm.doubled,
        "server_cpu_share": window.server_cpu_share,
        "client_cpu_share": window.client_cpu_share,
        **crowd.fault(),
    }


if __name__ == "__main__":
    answer(run(read_plan()))
