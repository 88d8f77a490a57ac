"""What idle cores do: on a guest with the governor `haltpoll` they can poll for a while before they are halted."""

import os
import time
from contextlib import contextmanager

from process import read

PARAMETER = "/sys/module/haltpoll/parameters/guest_halt_poll_ns"
CPUIDLE = "/sys/devices/system/cpu/cpuidle"
# Linux's own default, which not every host leaves to its guests.
POLL_NS = 200_000
# Each halt halves what a core still polls for: so many, and nothing is left of POLL_NS.
HALTS = 20
PAUSE_SECONDS = 0.002
MOST_SETTLE_SECONDS = 5


def in_words():
    """Who halts idle cores, and whether they poll before."""
    value = read(PARAMETER).strip()
    polls = f"`guest_halt_poll_ns` {value}" if value else "no `guest_halt_poll_ns`"
    return f"driver {asked('driver')}, governor {asked('governor')}, {polls}"


def asked(what):
    return read(f"{CPUIDLE}/current_{what}").strip() or "none"


def obstacle():
    """Why nothing can be measured with idle cores that poll; empty if it can."""
    value = read(PARAMETER).strip()
    if not value:
        return "this kernel has no `guest_halt_poll_ns`"
    if asked("driver") == "none" or asked("governor") != "haltpoll":
        return f"`guest_halt_poll_ns` means nothing here: {in_words()}"
    if int(value):
        return f"idle cores of this machine poll always: `guest_halt_poll_ns` is {int(value):,}"
    try:
        # What it is already: this only shows whether it can be written.
        write(value)
    except OSError as error:
        return f"`guest_halt_poll_ns` could not be set: {error.strerror}"
    return ""


@contextmanager
def polling(cores):
    """Lets idle cores poll, and puts back what was."""
    before = read(PARAMETER).strip()
    try:
        write(POLL_NS)
        yield
    finally:
        write(before)
        settle(cores)


def settle(cores):
    """Waits until the cores poll no more: one that is not halted between two messages would go on under load."""
    own = os.sched_getaffinity(0)
    until = time.monotonic() + MOST_SETTLE_SECONDS
    for core in cores:
        os.sched_setaffinity(0, [core])
        last = halts(core) + HALTS
        while halts(core) < last and time.monotonic() < until:
            time.sleep(PAUSE_SECONDS)
    os.sched_setaffinity(0, own)


def halts(core):
    """How often a core was halted since the machine started. The governor knows no other state than 0, to poll."""
    return int(read(f"/sys/devices/system/cpu/cpu{core}/cpuidle/state1/usage"))


def write(value):
    with open(PARAMETER, "w", encoding="ascii") as file:
        file.write(f"{value}\n")
