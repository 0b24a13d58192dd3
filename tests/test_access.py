"""Who may enter: right and wrong secrets, tickets that end, and waits worked out by hand."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher

from headroles.admin import access, waiting_line
from headroles.admin.access import Gate, Ticket, hash_password, session_name
from headroles.errors import (
    AccessConfigError,
    NotSignedInError,
    TooManyAttemptsError,
    WrongSecretError,
)

PASSWORD = "correct horse battery staple"
QUICK_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""A real argon2 hash that is cheap to verify, for the tests that try often."""


class Clock:
    """A clock that goes forward when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> Gate:
    return Gate(QUICK_HASH, clock=clock)


def wrong(gate: Gate, *, session: str = "a", secret: str = "guess") -> None:
    with pytest.raises(WrongSecretError):
        gate.enter(secret, session=session)


def crowd(gate: Gate, clock: Clock, attempts: int) -> None:
    """Wrong attempts, each from a session of its own that waits as long as it is told to."""
    for number in range(attempts):
        clock.now += gate.wait(f"stranger {number}")
        wrong(gate, session=f"stranger {number}")


# ------------------------------------------------------------------ password


def test_a_hash_made_here_opens_the_gate_for_its_password_only() -> None:
    stored = hash_password(PASSWORD)
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
    gate = Gate(stored)
    assert gate.needs == "password"
    wrong(gate, secret=PASSWORD + " ")
    assert gate.check(gate.enter(PASSWORD, session="a")) == session_name("a")


def test_an_accent_may_be_typed_in_two_ways() -> None:
    composed, in_two = "caf\u00e9 au lait noir", "cafe\u0301 au lait noir"
    gate = Gate(hash_password(composed))
    gate.check(gate.enter(in_two, session="a"))


@pytest.mark.parametrize("secret", ["", "\x00", "\ud800", "🐈" * 1_000, "x" * 1_000_000])
def test_odd_input_is_simply_wrong(gate: Gate, secret: str) -> None:
    wrong(gate, secret=secret)


def test_a_secret_that_is_too_long_is_not_looked_at(clock: Clock) -> None:
    long = "x" * 1_001
    gate = Gate(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(long), clock=clock)
    wrong(gate, secret=long)  # it would be right
    gate = Gate(
        PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(long[:-1]), clock=clock
    )
    gate.enter(long[:-1], session="a")


@pytest.mark.parametrize(
    "value",
    ["", "hunter2 is my password", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=1", 12345],
)
def test_what_is_no_argon2_hash_is_refused_at_once_and_not_repeated(value: object) -> None:
    with pytest.raises(AccessConfigError, match=r"python -m scripts\.hash_password") as raised:
        Gate(value)  # type: ignore[arg-type]
    assert len(str(value)) < 5 or str(value) not in repr(vars(raised.value)) + str(raised.value)


def test_a_hash_with_a_broken_end_lets_nobody_in(clock: Clock) -> None:
    gate = Gate(QUICK_HASH[:-3] + "!!!", clock=clock)
    with pytest.raises(AccessConfigError):
        gate.enter(PASSWORD, session="a")


def test_spaces_around_a_hash_do_no_harm(clock: Clock) -> None:
    Gate(f" {QUICK_HASH}\n", clock=clock).enter(PASSWORD, session="a")


# ------------------------------------------------------------------ one-time token


def token_in(line: str) -> str:
    """The token of an announcement, as a reader of the log finds it: the indented line."""
    [token] = [part.strip() for part in line.splitlines() if part.startswith("    ")]
    return token


def test_without_a_password_each_announced_token_works_once(clock: Clock) -> None:
    lines: list[str] = []
    gate = Gate(clock=clock, announce=lines.append)
    assert gate.needs == "token"
    assert len(lines) == 1
    first = token_in(lines[0])
    gate.check(gate.enter(f" {first}\n", session="a"))  # copied with what stands around it
    assert len(lines) == 2
    wrong(gate, session="b", secret=first)
    second = token_in(lines[1])
    assert second != first
    gate.check(gate.enter(second, session="b"))


def test_a_wrong_attempt_does_not_spend_the_token(clock: Clock) -> None:
    lines: list[str] = []
    gate = Gate(clock=clock, announce=lines.append)
    wrong(gate)
    assert len(lines) == 1
    gate.enter(token_in(lines[0]), session="a")


def test_one_token_typed_in_many_tabs_at_once_opens_one() -> None:
    lines: list[str] = []
    gate = Gate(announce=lines.append)
    token, together = token_in(lines[0]), threading.Barrier(8)

    def try_it(number: int) -> bool:
        together.wait()
        try:
            gate.enter(token, session=f"tab {number}")
        except WrongSecretError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_it, range(8))) == 1


def test_a_fresh_server_says_on_its_log_what_the_token_is_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Gate()
    out, err = capsys.readouterr()
    assert out == ""
    assert "instructor's page" in err
    assert "works once" in err
    assert len(token_in(err)) == 32  # 24 random bytes in base64


def test_an_empty_password_hash_does_not_fall_back_to_tokens() -> None:
    with pytest.raises(AccessConfigError):
        Gate("")


# ------------------------------------------------------------------ tickets


def is_in(gate: Gate, ticket: Ticket) -> bool:
    try:
        gate.check(ticket)
    except NotSignedInError:
        return False
    return True


def test_a_sign_in_ends_after_eight_hours_however_much_it_is_used(gate: Gate, clock: Clock) -> None:
    ticket = gate.enter(PASSWORD, session="a")
    for _ in range(7):
        clock.now += 3600
        gate.check(ticket, is_use=True)
    clock.now += 3599
    assert is_in(gate, ticket)
    clock.now += 1
    assert not is_in(gate, ticket)
    assert not is_in(gate, ticket)


def test_a_sign_in_ends_after_two_hours_without_use(gate: Gate, clock: Clock) -> None:
    ticket = gate.enter(PASSWORD, session="a")
    clock.now += 3600
    gate.check(ticket, is_use=True)
    clock.now += 7199
    assert is_in(gate, ticket)  # a page that redraws itself checks too, and is no use
    clock.now += 1
    assert not is_in(gate, ticket)


# ------------------------------------------------------------------ a tab that is reloaded


def reload(gate: Gate, key: str) -> tuple[Ticket, str]:
    """The ticket that a reloaded tab gets for its key, and the key that it holds from then on."""
    ticket = gate.sign_ins.come_back(key)
    new = gate.sign_ins.new_key(ticket)
    gate.sign_ins.keep_key(ticket, new)
    return ticket, new


def opens(gate: Gate, key: str) -> bool:
    try:
        gate.sign_ins.come_back(key)
    except NotSignedInError:
        return False
    return True


def test_a_reload_keeps_the_sign_in_and_changes_the_key(gate: Gate, clock: Clock) -> None:
    first = gate.enter(PASSWORD, session="a")
    key = gate.sign_ins.new_key(first)
    gate.sign_ins.keep_key(first, key)
    keys = [key]
    for _ in range(3):
        clock.now += 10
        ticket, key = reload(gate, key)
        assert gate.check(ticket) == session_name("a")
        keys.append(key)
    assert len(set(keys)) == 4
    assert [opens(gate, old) for old in keys[:-1]] == [False] * 3  # a stolen one is worth nothing
    assert opens(gate, keys[-1])
    for guess in ("", "x", "\ud800", "x" * 100_000):
        assert not opens(gate, guess)


def test_a_tab_that_is_reloaded_before_it_holds_the_new_key_comes_back_with_either(
    gate: Gate,
) -> None:
    key = gate.sign_ins.new_key(gate.enter(PASSWORD, session="a"))
    never_arrived = gate.sign_ins.new_key(gate.sign_ins.come_back(key))
    ticket = gate.sign_ins.come_back(key)
    arrived = gate.sign_ins.new_key(ticket)
    assert not opens(gate, never_arrived)
    ticket, last = reload(gate, arrived)
    assert is_in(gate, ticket)
    assert [opens(gate, old) for old in (key, arrived)] == [False, False]
    assert opens(gate, last)


def test_signing_out_after_a_reload_ends_every_ticket_and_key(gate: Gate) -> None:
    before = gate.enter(PASSWORD, session="a")
    after, key = reload(gate, gate.sign_ins.new_key(before))
    gate.leave(after)
    assert not is_in(gate, before)
    assert not is_in(gate, after)
    assert not opens(gate, key)
    with pytest.raises(NotSignedInError):
        gate.sign_ins.new_key(after)


def test_a_key_lasts_no_longer_than_its_sign_in(gate: Gate, clock: Clock) -> None:
    key = gate.sign_ins.new_key(gate.enter(PASSWORD, session="a"))
    clock.now += 7200
    assert not opens(gate, key)
    key = gate.sign_ins.new_key(gate.enter(PASSWORD, session="a"))
    for _ in range(7):
        clock.now += 3600
        _, key = reload(gate, key)
    clock.now += 3600
    assert not opens(gate, key)


def test_signing_out_ends_this_ticket_and_no_other(gate: Gate) -> None:
    mine, other = gate.enter(PASSWORD, session="a"), gate.enter(PASSWORD, session="b")
    gate.leave(mine)
    gate.leave(mine)
    gate.leave(None)
    with pytest.raises(NotSignedInError):
        gate.check(mine)
    assert gate.check(other) == session_name("b")


@pytest.mark.parametrize("ticket", [None, Ticket(""), Ticket("made up"), Ticket("\ud800")])
def test_a_made_up_ticket_opens_nothing(gate: Gate, ticket: Ticket | None) -> None:
    gate.enter(PASSWORD, session="a")
    with pytest.raises(NotSignedInError, match="not signed in"):
        gate.check(ticket)


def test_a_ticket_of_another_gate_opens_nothing(gate: Gate) -> None:
    """A server that was started again knows nobody."""
    ticket = gate.enter(PASSWORD, session="a")
    with pytest.raises(NotSignedInError):
        Gate(QUICK_HASH).check(ticket)


def test_the_server_keeps_no_ticket_and_shows_none(gate: Gate) -> None:
    ticket = gate.enter(PASSWORD, session="a")
    assert len(ticket.secret) >= 43  # 32 random bytes
    assert ticket.secret not in repr(ticket)
    assert ticket.secret not in repr(vars(gate))
    assert gate.enter(PASSWORD, session="a") != ticket


def test_the_public_name_does_not_hold_the_sessions_id() -> None:
    name = session_name("0123456789abcdef")
    assert name.startswith("session ")
    assert len(name) == len("session 3f2a")
    assert name != "session 0123"


# ------------------------------------------------------------------ slowing one session


def test_the_waits_of_one_session_double_up_to_a_minute(gate: Gate, clock: Clock) -> None:
    waits = []
    for _ in range(9):
        wrong(gate)
        waits.append(gate.wait("a"))
        clock.now += waits[-1]
    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_an_early_attempt_is_not_looked_at_and_does_not_lengthen_the_wait(
    gate: Gate, clock: Clock
) -> None:
    for _ in range(2):
        wrong(gate)
    clock.now += 0.25
    for _ in range(50):
        with pytest.raises(TooManyAttemptsError) as raised:
            gate.enter(PASSWORD, session="a")  # right, and still too early
        assert raised.value.wait == 0.75
    clock.now += 0.75
    gate.enter(PASSWORD, session="a")


def test_one_session_does_not_slow_another(gate: Gate) -> None:
    for _ in range(2):
        wrong(gate)
    assert gate.wait("b") == 0
    gate.enter(PASSWORD, session="b")


def test_success_and_five_quiet_minutes_both_forget_wrong_attempts(
    gate: Gate, clock: Clock
) -> None:
    wrong(gate)
    gate.enter(PASSWORD, session="a")
    wrong(gate)
    assert gate.wait("a") == 0  # it counts as the first again
    clock.now += 300.5
    wrong(gate)
    assert gate.wait("a") == 0


def test_attempts_at_the_same_moment_do_not_race_past_the_wait(gate: Gate) -> None:
    together = threading.Barrier(12)

    def guess(_number: int) -> str:
        together.wait()
        try:
            gate.enter("guess", session="a")
        except (WrongSecretError, TooManyAttemptsError) as error:
            return type(error).__name__
        return "entered"

    with ThreadPoolExecutor(12) as pool:  # the clock stands still
        seen = Counter(pool.map(guess, range(12)))
    assert seen == {"WrongSecretError": 2, "TooManyAttemptsError": 10}


# ------------------------------------------------------------------ slowing everybody


def flood(gate: Gate, clock: Clock, *, seconds: int, visits: int, stay: int = 0) -> int:
    """Fresh visits that each guess once; how many guesses were looked at.

    Args:
        gate: the lock.
        clock: its clock.
        seconds: for how long they come.
        visits: how many come in a second.
        stay: seconds for which each goes on asking and guessing.
    """
    looked_at = 0
    for second in range(seconds):
        clock.now += 1
        for age in range(min(stay, second) + 1):
            for number in range(visits):
                try:
                    gate.enter("guess", session=f"{id(clock)} {second - age} {number}")
                except WrongSecretError:
                    looked_at += 1
                except TooManyAttemptsError:
                    pass
    return looked_at


def seconds_until_in(gate: Gate, clock: Clock, *, visits: int, most: int) -> int:
    """How long an instructor waits whose page asks every second, while fresh visits come."""
    for second in range(most):
        if gate.wait("instructor") == 0:
            gate.check(gate.enter(PASSWORD, session="instructor"))
            return second
        flood(gate, clock, seconds=1, visits=visits)
    raise AssertionError("the instructor never comes in")


def test_up_to_ten_wrong_attempts_slow_nobody_else(gate: Gate, clock: Clock) -> None:
    crowd(gate, clock, 10)
    assert gate.wait("instructor") == 0


def test_after_ten_wrong_attempts_all_wait_in_one_line(gate: Gate, clock: Clock) -> None:
    crowd(gate, clock, 10)
    assert [gate.wait(visitor) for visitor in "abcd"] == [0, 2, 4, 6]
    clock.now += 0.5
    assert [gate.wait(visitor) for visitor in "dcb"] == [5.5, 3.5, 1.5]  # nobody is moved back
    wrong(gate, session="a")
    with pytest.raises(TooManyAttemptsError) as raised:
        gate.enter("guess", session="a")
    assert raised.value.wait == 7.5  # behind the others
    clock.now += 1.5
    wrong(gate, session="b")


@pytest.mark.parametrize(("visits", "stay"), [(1, 0), (10, 30), (120, 0), (500, 0), (20, 15)])
def test_however_many_visits_there_are_a_look_is_taken_every_two_seconds(
    gate: Gate, clock: Clock, visits: int, stay: int
) -> None:
    looked_at = flood(gate, clock, seconds=60, visits=visits, stay=stay)
    assert looked_at <= 10 + 60 / 2 + 1


@pytest.mark.parametrize("visits", [1, 10, 120])
def test_the_instructor_comes_in_soon_while_visits_come_and_go(
    gate: Gate, clock: Clock, visits: int
) -> None:
    """None of them asks again, so each is gone after ten seconds."""
    flood(gate, clock, seconds=30, visits=visits)
    assert seconds_until_in(gate, clock, visits=visits, most=100) <= 15


def test_of_visits_that_stay_each_one_before_costs_two_seconds(gate: Gate, clock: Clock) -> None:
    crowd(gate, clock, 10)
    strangers = [f"stays {number}" for number in range(100)]
    for stranger in strangers:
        gate.wait(stranger)
    first = gate.wait("instructor")
    assert first <= 200
    waited, waits = 0, [first]
    while waits[-1] > 0:
        clock.now += 1
        waited += 1
        for stranger in strangers:  # each guesses as soon as it may, and comes again
            with pytest.raises((WrongSecretError, TooManyAttemptsError)):
                gate.enter("guess", session=stranger)
        waits.append(gate.wait("instructor"))
    assert waited <= 201
    assert waits == sorted(waits, reverse=True), "a wait never grows"
    gate.enter(PASSWORD, session="instructor")


def test_a_turn_waits_for_a_slow_typist_and_holds_up_nobody(gate: Gate, clock: Clock) -> None:
    crowd(gate, clock, 10)
    assert gate.wait("slow") == 0
    assert gate.wait("next") == 2
    clock.now += 2
    assert gate.wait("next") == 0
    clock.now += 100
    gate.enter(PASSWORD, session="slow")
    clock.now += 30
    assert gate.wait("third") == 0
    assert gate.wait("next") > 0  # its turn is over


def test_turns_cannot_be_collected(gate: Gate, clock: Clock) -> None:
    crowd(gate, clock, 10)
    for _ in range(600):
        clock.now += 1
        for number in range(40):
            gate.wait(f"collector {number}")
    assert len(gate._line._turns) <= 120 / 2 + 1


def test_a_full_line_is_said_and_a_free_place_is_taken(gate: Gate, clock: Clock) -> None:
    crowd(gate, clock, 10)
    for number in range(waiting_line.PLACES + 50):
        gate.wait(f"{number}")
    assert gate.wait("instructor") == waiting_line.PLACES * waiting_line.LOOK_SECONDS
    clock.now += 11  # nobody has asked again
    assert gate.wait("instructor") == 0


def test_an_attack_that_stopped_is_over_after_five_minutes(gate: Gate, clock: Clock) -> None:
    crowd(gate, clock, 40)
    assert [gate.wait(visitor) for visitor in "ab"] != [0, 0]
    clock.now += 300.5
    assert [gate.wait(visitor) for visitor in "cdef"] == [0] * 4


def test_attempts_of_many_at_the_same_moment_are_looked_at_one_at_a_time_and_few(clock) -> None:
    """Five hundred threads with a hash that costs something: none waits for more than ten."""
    gate, at_once, most = Gate(QUICK_HASH, clock=clock), 0, 0

    def slow(secret: str) -> bool:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.02)
        at_once -= 1
        return False

    gate._is_right = slow
    began = time.monotonic()

    def guess(number: int) -> str:
        try:
            gate.enter("guess", session=f"{number}")
        except (WrongSecretError, TooManyAttemptsError) as error:
            return type(error).__name__
        return "entered"

    with ThreadPoolExecutor(100) as pool:
        seen = Counter(pool.map(guess, range(500)))
    assert most == 1
    assert seen["WrongSecretError"] <= 11  # ten, and the first of the line
    assert seen["TooManyAttemptsError"] >= 489
    assert time.monotonic() - began < 20


def test_a_look_at_a_password_does_not_stop_other_threads() -> None:
    gate = Gate(hash_password(PASSWORD))
    thread = threading.Thread(target=wrong, args=(gate,))
    thread.start()
    ticks = 0
    while thread.is_alive():
        ticks += 1
        time.sleep(0.001)
    assert ticks > 3  # with the interpreter locked, there would be one


def test_a_hundred_thousand_sessions_leave_little_behind(clock: Clock) -> None:
    gate = Gate(clock=clock, announce=lambda line: None)  # a token is compared faster than a hash
    for number in range(100_000):
        clock.now += 0.002
        with pytest.raises((WrongSecretError, TooManyAttemptsError)):
            gate.enter("guess", session=f"{number}" * 20)
    kept = {name: len(value) for name, value in vars(gate).items() if hasattr(value, "__len__")}
    assert max(kept.values()) <= 1_000
    assert len(gate._line._line) <= waiting_line.PLACES
    assert len(gate._line._turns) <= 61


def test_many_sign_ins_leave_little_behind(gate: Gate) -> None:
    tickets = [gate.enter(PASSWORD, session=f"{number}") for number in range(1_005)]
    with pytest.raises(NotSignedInError):
        gate.check(tickets[4])
    gate.check(tickets[5])


# ------------------------------------------------------------------ the log, and the import


def test_the_log_tells_of_attempts_and_never_of_secrets(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "headroles.admin.access")
    for _ in range(2):
        wrong(gate, session="tab 1", secret="secret-guess")
    with pytest.raises(TooManyAttemptsError):
        gate.enter("secret-guess", session="tab 1")
    gate.enter(PASSWORD, session="tab 2")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", f"wrong password from {session_name('tab 1')}, attempt 1"),
        ("WARNING", f"wrong password from {session_name('tab 1')}, attempt 2"),
        ("INFO", f"{session_name('tab 2')} signed in"),
    ]


def test_the_waits_end_where_the_module_says() -> None:
    assert access.own_wait(10**9) == access.LONGEST_WAIT == 60
