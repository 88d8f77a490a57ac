"""What is measured: the cells of the matrix, in the groups that become tables."""

from dataclasses import dataclass, replace

STATELESS_RATE = 6000
STATEFUL_RATE = 3000
# What Kamailio carries with Debian's default memory manager.
LOW_RATE = 1000
# sipshard keeps an answered transaction for 32 s, Kamailio for 5 s. Before, their ends cost nothing yet, and memory
# grows.
KEPT_SECONDS = {"sipshard": 34.0, "kamailio": 8.0}
# About what can be set up in a second.
FILL_RATE = 12000
# A start, an end, and what lies between loads.
OVERHEAD_SECONDS = 0.8


@dataclass(frozen=True)
class Cell:
    """One subject under one load."""

    group: str
    subject: str
    rate: int
    stateful: bool = False
    algorithm: int = 10
    workers: int = 1
    destinations: int = 10
    hash_size: int = 16
    live: int = 0
    warm_seconds: float = 2.0
    # How many cores the subject may use.
    cores: int = 1
    sockets: int = 4
    # sipshard: the microseconds that datagrams may gather where many come; `None`: its default.
    gather: int | None = None
    # Whether the machine's idle cores poll before they are halted. All others have the machine as it is.
    polls: bool = False
    most_rounds: int = 100

    def part(self):
        """What `--only` calls it: a group, or those of all groups for which idle cores poll."""
        return "polling" if self.polls else self.group

    def name(self):
        """What progress lines call it."""
        parts = [self.subject, f"{self.rate:,} calls/s"]
        parts += ["stateful"] if self.stateful else []
        parts += [] if self.gather is None else [f"--gather {self.gather}"]
        parts += [f"algorithm {self.algorithm}"] if self.group == "algorithms" else []
        parts += ["1 worker" if self.workers == 1 else f"{self.workers} workers"] if self.group == "workers" else []
        parts += [f"{self.destinations:,} destinations"] if self.group == "destinations" else []
        if self.group == "live":
            parts += [f"{self.live:,} live calls, ds_hash_size {self.hash_size}"]
        return ", ".join(parts)

    def round_seconds(self, seconds):
        """About how long one round of it takes."""
        return OVERHEAD_SECONDS + self.warm_seconds + self.live / FILL_RATE + seconds


def cells(quick):
    """All cells, in the order in which a round measures them."""
    out = stateless(quick) + debian() + stateful(quick) + latency(quick)
    out += workers(quick) + destinations(quick) + live(quick)
    out += [] if quick else algorithms()
    return out + polling(quick)


def stateless(quick):
    subjects = ["forwarder", "nginx", "kamailio-fm", "kamailio-tlsf", "sipshard"]
    subjects += [] if quick else ["sipshard-cfg"]
    out = [Cell("stateless", subject, STATELESS_RATE) for subject in subjects]
    return out + ([] if quick else [Cell("stateless", "sipshard", STATELESS_RATE, gather=0)])


def debian():
    return [Cell("debian", one, LOW_RATE) for one in ["forwarder", "kamailio", "sipshard"]]


def stateful(quick):
    cell = Cell("stateful", "forwarder", STATEFUL_RATE)
    subjects = ["kamailio-fm", "sipshard"]
    if not quick:
        subjects = ["kamailio-fm", "kamailio-tlsf", "sipshard", "sipshard-cfg"]
    cells = [replace(cell, subject=subject) for subject in subjects]
    out = [cell] + [with_transactions(one, STATEFUL_RATE) for one in cells]
    if not quick:
        out += [replace(out[-1], subject="sipshard", gather=0)]
        cells = [replace(cell, subject=subject) for subject in ["kamailio", "sipshard"]]
        out += [with_transactions(one, LOW_RATE) for one in cells]
    return out


def latency(quick):
    """At half of the load, as the time added is asked for."""
    half = Cell("latency", "direct", STATELESS_RATE // 2)
    subjects = ["direct", "forwarder", "kamailio-fm", "sipshard"]
    if not quick:
        subjects += ["nginx", "kamailio-tlsf"]
    out = [replace(half, subject=subject) for subject in subjects]
    half = replace(half, rate=STATEFUL_RATE // 2)
    out += [half]
    subjects = ["kamailio-fm", "sipshard"] + ([] if quick else ["kamailio-tlsf"])
    return out + [replace(half, subject=subject, stateful=True) for subject in subjects]


def workers(quick):
    """The load has 64 source ports; all have the same cores, those with one worker too."""
    cell = Cell("workers", "sipshard", STATELESS_RATE // 2, cores=2, sockets=64)
    # For the same load two are woken more often; with the load of one for each they are not.
    own = [cell, replace(cell, workers=2), replace(cell, workers=2, rate=2 * cell.rate)]
    if quick:
        return own
    out = own + [replace(cell, subject="kamailio-fm", workers=number) for number in (1, 2)]
    return out + [with_transactions(one, one.rate * STATEFUL_RATE // STATELESS_RATE) for one in out]


def destinations(quick):
    cell = Cell("destinations", "sipshard", STATELESS_RATE // 2)
    steps = [10, 10_000] if quick else [10, 100, 1000, 10_000]
    out = [replace(cell, destinations=number) for number in steps]
    if not quick:
        # What is too much for Kamailio is listed as such; once will do.
        rounds = {number: 1 if number > 1000 else 100 for number in steps}
        out += [
            replace(one, subject="kamailio-fm", most_rounds=rounds[one.destinations]) for one in out
        ]
    return out


def live(quick):
    cell = Cell("live", "sipshard", STATELESS_RATE // 2)
    if quick:
        return [replace(cell, live=number, most_rounds=2) for number in (1000, 1_000_000)]
    steps = [1000, 10_000, 100_000, 1_000_000]
    out = [replace(cell, live=one, hash_size=size) for size in (16, 8) for one in steps]
    # Kamailio walks a list in each slot: with a million calls and 256 slots it carries no load at all.
    kamailio = [replace(one, subject="kamailio-fm") for one in out]
    kamailio = [one for one in kamailio if one.live // 2**one.hash_size < 1000]
    # It takes long to begin so many calls.
    return [replace(one, most_rounds=2) for one in out] + [replace(one, most_rounds=1) for one in kamailio]


def algorithms():
    out = []
    for number in (10, 4, 0):
        for subject in ("kamailio-fm", "sipshard"):
            one = Cell("algorithms", subject, STATELESS_RATE, algorithm=number)
            out += [one, with_transactions(one, STATEFUL_RATE)]
    return out


def polling(quick):
    """What the aims compare, once more while idle cores poll."""
    subjects = ("direct", "forwarder", "kamailio-fm", "sipshard")
    found = stateless(quick=True) + stateful(quick=True) + latency(quick=True)
    found += [cell for cell in workers(quick) if cell.subject == "sipshard"]
    return [replace(cell, polls=True) for cell in found if cell.subject in subjects]


def with_transactions(cell, rate):
    """The same, stateful."""
    kept = KEPT_SECONDS[cell.subject.partition("-")[0]]
    return replace(cell, stateful=True, rate=rate, warm_seconds=kept)
