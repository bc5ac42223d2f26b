"""Every bound of the live layer, with its unit and its reason."""

from __future__ import annotations

from dataclasses import dataclass

FRAME_MAX_BYTES = 65_536
"""A client's frame. The longest message (4,000 characters) needs a quarter of it."""
ID_MAX = 64
"""Characters of an operation's id; a UUID has 36. The id is repeated in every frame."""
OPS_PER_CONNECTION_MAX = 64
"""Operations of one socket, running ones included: a page shows far fewer."""
STREAMS_PER_OP_MAX = 64
"""Streams of one subscription; an officer's inbox follows at most about forty."""
TOKEN_MAX = 512
"""Characters of a token in ``connection_init``; ours have 43."""

RING_EVENTS_MAX = 256
RING_BYTES_MAX = 524_288
"""What a tail keeps in memory for reconnects, whichever is reached first."""
RING_EVENT_BYTES = 700
"""What an event takes there besides its body as JSON: 520 to 760 for what is sent in practice."""
RINGS_BYTES_MAX = 268_435_456
"""What all tails of a process keep: half of what its 20,000 sockets take. 10,000 busy streams would
keep 5 GB; these bytes are the last 20 events of each, as long as a message is."""
RING_SLACK = 128
"""Events a tail takes in ahead of its delivery; above it, it waits and reads the log again."""
REPLAY_EVENTS_MAX = 5_000
"""Events one subscription may be behind; a snapshot is cheaper for both sides above it."""
LOG_PAGE_MAX = 500
"""Rows of one read of the log."""
STATES_PAGE_MAX = 1_000
"""Streams of one look at the counters."""
RECEIPTS_WAITING_MAX = 50_000
"""Deliveries that wait for their receipt, some 10 MB: five notices to 10,000 open sockets."""
RECEIPTS_BATCH_MAX = 2_000
"""Deliveries of one statement: some 50 ms, a hundredth of what it may take."""
YIELD_EVERY = 512
"""Deliveries after which the loop is let run other things, and send: about 6 ms."""
RENDERED_BYTES_MAX = 16_777_216
"""Answers of groups kept for those who reconnect: a minute of a busy node."""
RENDERED_S_MAX = 60.0
"""How long such an answer, which may hold an opened text, is kept at most."""
PAGES_MAX = 32
PAGES_S_MAX = 10.0
"""Pages of the log kept for those who reconnect at the same time: at most some 20 MB."""
POISONED_KEYS_MAX = 1_000
"""Share keys that are known to be no good; each is a defect, so there are none."""

SOFT_BUFFER_BYTES = 65_536
"""Unsent bytes above which a socket is spared whispers and no replay goes on."""
LAG_BUFFER_BYTES = 524_288
"""Unsent bytes above which durable events are not written but left to the log."""
HARD_BUFFER_BYTES = 1_048_576
"""Unsent bytes above which the socket is closed (1013) at once: answers it never reads."""
LOOP_LAG_MAX_S = 0.2
"""How late timers may run of late before new sockets have to wait: those who are in feel it."""
LOOP_LAG_COUNTED_MAX_S = 1.0
"""Of one look: a single stall, however long, makes others wait for two seconds, not for ten."""
LAGGING_OPENED_PER_S = 200
"""Sockets let in nevertheless, an eighth of a core: 5,000 who come back are in after 25 s, even if
the lag never ends."""
RECHECK_BEATS = 5
"""Heartbeats between two looks at the session: they say that it is used, and would find what
neither a fact nor a date has told."""


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What the operator may change. Times in seconds."""

    init_timeout_s: float = 5.0
    """A socket that has not said ``connection_init`` by then is closed (4408)."""
    heartbeat_s: float = 25.0
    """Between two pings; a peer silent for two of them is dead. NATs forget after 30–60 s."""
    sweep_s: float = 5.0
    """How late an event may come when its hint was lost and the bus is well."""
    sweep_urgent_s: float = 1.5
    """The same for ``me:`` streams, and for all when the bus is ill: revocation within 3 s."""
    tail_linger_s: float = 30.0
    """How long a tail that nobody follows is kept, for those who reconnect."""
    soft_s: float = 5.0
    """How long a slow socket is written to before durable events are left to the log."""
    lag_s: float = 30.0
    """How long it may be so before the socket is closed (1013)."""
    lag_poll_s: float = 0.1
    """Between two looks at a slow socket's buffer."""
    close_timeout_s: float = 10.0
    """After a close frame before the connection is cut."""
    receipt_delay_s: float = 0.05
    """How long delivered events are collected before their receipts are written."""
    ops_per_s: float = 20.0
    ops_burst: int = 40
    """Operations started by one socket; above it each gets ``RT_LIMIT``."""
    frames_per_s: float = 100.0
    frames_burst: int = 1_000
    """Frames of one socket, whatever they say; above it the socket is closed (4403). Ours says some
    ten a second while somebody types, and up to 128 at once when it resumes."""
    connections_max: int = 20_000
    """Sockets of this process: about 0.5 GB."""
    connections_per_account_max: int = 10
    """Open sockets of one account: browser tabs and a phone."""
    pending_per_client_max: int = 1_000
    """Sockets of one client address that have not signed in. A whole town may share a NAT and come
    back at once; a stranger who never signs in holds a twentieth of all."""
    authority_checks_max: int = 32
    """Subscriptions that ask for permission at the same time. Those of one kind may share a
    statement; where each needs its own, all of them keep others from the pool for some 10 ms."""
    log_reads_max: int = 4
    """Replays reading the log at the same time."""
    rings_bytes_max: int = RINGS_BYTES_MAX
    """Events in memory of all streams; beyond it, who reconnects reads the log."""
