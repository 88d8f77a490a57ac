"""The aims: what was to be reached, and whether it was."""

from dataclasses import dataclass, replace

from results import Spread

# What Kamailio held when the aims were set.
KAMAILIO_MB = 263


@dataclass
class Aim:
    """One row: the limit, if there is one, is on the median."""

    what: str
    limit: float | None
    measured: Spread
    unit: str = ""

    def while_polling(self):
        """The same, measured while idle cores polled."""
        return replace(self, what=f"{self.what}, idle cores poll")

    def is_met(self):
        return self.measured is not None and self.measured.median <= self.limit

    def row(self):
        limit = "none" if self.limit is None else f"at most {self.limit:.3g}{self.unit}"
        if self.measured is None:
            return [self.what, limit, "not measured", "not measured"]
        measured = self.measured.text(2) + self.unit
        if self.limit is None:
            return [self.what, limit, measured, ""]
        return [self.what, limit, measured, "met" if self.is_met() else "**not met**"]


def all_of(rounds, polling):
    """Every aim; beside what halted cores weigh on most, the same of the rounds in which they polled."""
    out = []
    for part in (stateless, user_part, debian, stateful, memory, latency, growth, workers):
        out += part(rounds)
        if polling.rows and part in (stateless, user_part, stateful, latency, workers):
            out += [aim.while_polling() for aim in part(polling)]
    return out


def stateless(rounds):
    own = rounds.find("stateless", "sipshard", gather=None)
    forwarder = rounds.find("stateless", "forwarder")
    best = best_kamailio(rounds)
    return [
        Aim("stateless: CPU, to the bare forwarder's", 1.15, rounds.ratio(own, forwarder)),
        Aim(f"stateless: CPU, to {best['title']}", 1 / 2, rounds.ratio(own, best["cell"])),
    ]


def user_part(rounds):
    own = rounds.find("stateless", "sipshard", gather=None)
    return [Aim("stateless: user part", 1.0, rounds.value(own, "user_us"), " us a message")]


def debian(rounds):
    own = rounds.find("stateless", "sipshard", gather=None)
    debian, low = rounds.find("debian", "kamailio"), rounds.find("debian", "sipshard")
    by_kamailio = debian and rounds.value(debian, "cpu_us")
    rate = f"{debian['rate']:,}" if debian else "fewer"
    mixed = rounds.value(own, "cpu_us") if own and by_kamailio else None
    return [
        Aim(
            f"stateless: CPU, to Kamailio as Debian ships it, which carries {rate} calls/s",
            1 / 7,
            mixed.times(1 / by_kamailio.median) if mixed else None,
        ),
        # Where each message wakes its reader the waking decides, which costs both the same.
        Aim(f"the same, both at {rate} calls/s", None, rounds.ratio(low, debian)),
    ]


def best_kamailio(rounds):
    """The memory manager with which Kamailio is cheapest, stateless."""
    names = {"kamailio-fm": "Kamailio's with `-x fm`", "kamailio-tlsf": "Kamailio's with `-x tlsf`"}
    found = []
    for subject, title in names.items():
        cell = rounds.find("stateless", subject)
        value = rounds.value(cell, "cpu_us")
        if value:
            found.append((value.median, {"cell": cell, "title": title}))
    best = min(found, key=lambda one: one[0])[1] if found else {"cell": None, "title": "Kamailio's"}
    if len(found) > 1:
        best["title"] += ", its best"
    return best


def stateful(rounds):
    own = highest(rounds, "sipshard")
    kamailio = highest(rounds, "kamailio-fm")
    forwarder = rounds.find("stateful", "forwarder")
    return [
        Aim("stateful: CPU, to the bare forwarder's", 1.6, rounds.ratio(own, forwarder)),
        Aim("stateful: CPU, to Kamailio's with `-x fm`", 2 / 5, rounds.ratio(own, kamailio)),
    ]


def memory(rounds):
    own = highest(rounds, "sipshard")
    kamailio = highest(rounds, "kamailio-fm")
    held = rounds.value(own, "memory_bytes")
    return [
        Aim(
            f"stateful: memory, a fifth of {KAMAILIO_MB} MB",
            KAMAILIO_MB / 5,
            held.times(1 / 1e6) if held else None,
            " MB",
        ),
        Aim(
            "stateful: memory, to Kamailio's in this run",
            1 / 5,
            rounds.ratio(own, kamailio, "memory_bytes"),
        ),
    ]


def highest(rounds, subject):
    """The cell of a stateful subject with the highest rate."""
    cells = [cell for cell in rounds.cells("stateful") if cell["subject"] == subject and cell["gather"] is None]
    return max(cells, key=lambda cell: cell["rate"], default=None)


def added(rounds, cell, what):
    """Time added: to what the same calls take with no one between."""
    direct = cell and rounds.find("latency", "direct", rate=cell["rate"])
    return rounds.difference(cell, direct, what) if direct else None


def latency(rounds):
    out = []
    for is_stateful, word in ((False, "stateless"), (True, "stateful")):
        kamailio = rounds.find("latency", "kamailio-fm", stateful=is_stateful)
        own = rounds.find("latency", "sipshard", stateful=is_stateful)
        theirs, ours = added(rounds, kamailio, "p99_ms"), added(rounds, own, "p99_ms")
        part = ours.times(1 / theirs.median) if ours and theirs and theirs.median > 0 else None
        out.append(Aim(f"{word}, half the load: p99 of the time added, to Kamailio's", 1 / 2, part))
    return out


def growth(rounds):
    calls = "CPU for a call, 1 million live calls to 1 thousand"
    out = [grown(rounds, "live", 1.1, calls, hash_size=16)]
    if rounds.find("live", "sipshard", hash_size=8):
        calls += ", `ds_hash_size` 8"
        out.append(grown(rounds, "live", 1.1, calls, hash_size=8))
    steps = "CPU for a call, 10,000 destinations to 10"
    return out + [grown(rounds, "destinations", 1.5, steps)]


def workers(rounds):
    out = []
    for is_stateful, word in ((False, "stateless"), (True, "stateful")):
        one = rounds.find("workers", "sipshard", stateful=is_stateful, workers=1)
        for factor, load in ((1, "for the same load"), (2, "each with the load of the one")):
            two = one and rounds.find(
                "workers", "sipshard", stateful=is_stateful, workers=2, rate=factor * one["rate"]
            )
            if two:
                what = f"CPU for a call, 2 workers to 1, {load}, {word}"
                out.append(Aim(what, 1.1, rounds.ratio(two, one)))
    return out


def grown(rounds, group, limit, title, **fixed):
    """From the fewest to the most of what a group varies and is named for: sipshard's cells that are as `fixed` says."""
    cells = [
        cell
        for cell in rounds.cells(group)
        if cell["subject"] == "sipshard"
        and all(cell[name] == value for name, value in fixed.items())
    ]
    cells.sort(key=lambda cell: cell[group])
    few, many = (cells[0], cells[-1]) if len(cells) > 1 else (None, None)
    return Aim(title, limit, rounds.ratio(many, few))
