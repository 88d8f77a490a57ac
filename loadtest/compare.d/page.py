"""docs/performance.md and its pictures, from the results of a run and from nothing else."""

import os
import textwrap

import aims
import generators
import idle
import picture
from results import Rounds
from subjects import KAMAILIO_BUFFER_BYTES, KAMAILIO_SHARED_MB, SUBJECTS

HERE = os.path.dirname(os.path.abspath(__file__))
PICTURES = "performance"
# What others may take of the machine before the page warns of it.
MOST_OTHERS_PERCENT = 5


def write(run, folder):
    """Writes the page and its pictures into a folder."""
    os.makedirs(os.path.join(folder, PICTURES), exist_ok=True)
    rounds, polling = Rounds(run), Rounds(run, polls=True)
    parts = [head(run)]
    if run["results"]:
        parts.append(table_of_aims(rounds, polling, run["generators"]))
    for group in (stateless, debian, stateful, algorithms, latency, workers, destinations, live):
        parts.append(group(rounds, folder))
    parts += [idle_cores(run, rounds, polling, folder), beside_sipp(run), marks(rounds, polling)]
    parts += [machine(run), method(run, rounds), configurations(rounds, polling)]
    with open(os.path.join(folder, "performance.md"), "w", encoding="utf-8") as file:
        file.write("\n\n".join(part.strip() for part in parts if part) + "\n")


def head(run):
    options = run["options"]
    scale = "" if run["scale"] == 1 else f", all rates times {run['scale']:g}"
    command = "loadtest/compare" + (" --quick" if options["quick"] else "")
    runs, rounds = "in one run", f"{options['rounds']}"
    if options.get("runs", 1) > 1:
        runs = "group by group, one after the other"
    if options.get("most_rounds", options["rounds"]) > options["rounds"]:
        rounds += f" to {options['most_rounds']}, one where there are no brackets"
    what = f"""What a message costs, and the time that it takes, beside a bare forwarder, nginx's UDP proxy and Kamailio:
        measured by `{command}` on one machine {runs}. Rounds: {rounds}; minutes: {run['minutes']:.0f};
        seconds of calls for each figure: {options['seconds']:g}{scale}. The command writes this page; no figure on it
        was typed in."""
    how = """A figure is the median of the rounds; in brackets stand the least and the greatest. The subjects take turns
        within a round, and ratios are formed round by round. Rounds in which more than 0.1 % of the calls failed, or the
        load itself was at fault, do not count: [they are listed](#rounds-that-do-not-count)."""
    others = run["machine"]["others_percent"]
    if others > MOST_OTHERS_PERCENT:
        how += f""" **This machine was not quiet: others took {others:.0f} % of its processor time during the run, so that
            subjects waited, and took more messages at a time.**"""
    return f"# Performance\n\n{filled(what)}\n\n{filled(how)}"


def table_of_aims(rounds, polling, found):
    all_aims = aims.all_of(rounds, polling)
    measured = [aim for aim in all_aims if aim.measured and aim.limit is not None]
    met = sum(aim.is_met() for aim in measured)
    rows = [aim.row() for aim in all_aims]
    if found:
        rows.append(["sipload and SIPp, side by side", "none", generators.in_words(found), ""])
    text = f"{met} of {len(measured)} that have a limit and were measured are met, by the median."
    if polling.rows:
        text += " What ends with *idle cores poll* was measured [while they did](#idle-cores-that-poll)."
    return f"## Aims\n\n{filled(text)}\n\n" + table(["aim", "limit", "measured", ""], rows)


def stateless(rounds, folder):
    cells = rounds.cells("stateless")
    text = """Each message on its own, algorithm 10, ten destinations. Kamailio runs `ds_select_dst` and `forward()`,
sipshard its compiled sample configuration with `--stateless`."""
    if any(cell["subject"] == "sipshard-cfg" for cell in cells):
        text += " In one row sipshard runs the configuration that Kamailio gets."
    if any(cell["gather"] == 0 for cell in cells):
        text += " In one row no datagrams may gather, with `--gather 0`: what gathering saves is the difference."
    return costs(rounds, folder, "stateless", "Stateless", text, cells)


def debian(rounds, folder):
    cells = rounds.cells("debian")
    text = """Without `-x` Debian's Kamailio does not carry the load above: the same at a lower rate. At low rates a message costs everybody more, since each one wakes its reader."""
    return costs(rounds, folder, "debian", "Stateless, Kamailio as Debian ships it", text, cells)


def stateful(rounds, folder):
    cells = rounds.cells("stateful")
    text = """Transactions: `t_relay()` with failover. The load runs for longer than answered transactions are kept
(by sipshard 32 s) before it is measured, so that their end is in the figures. Memory is what is held at the end of the measurement,
by all processes together, shared pages counted once (PSS)."""
    if any(cell["gather"] == 0 for cell in cells):
        text += " In one row no datagrams may gather, with `--gather 0`."
    return costs(rounds, folder, "stateful", "Stateful", text, cells, more=memory(rounds))


def memory(rounds):
    """What a cell held, as a column."""
    return "memory, MB", lambda cell: in_megabytes(rounds.value(cell, "memory_bytes"))


def in_megabytes(held):
    return held.times(1e-6).text(1) if held else ""


def costs(rounds, folder, group, title, text, cells, more=None, label=None):
    """A table of CPU times with its picture. `more`: another column, its name and what it says of a cell."""
    label = label or name_and_rate(cells)
    rows, bars = [], []
    for cell in cells:
        cpu, user = rounds.value(cell, "cpu_us"), rounds.value(cell, "user_us")
        row = [label(cell), f"{cell['rate']:,}", text_of(cpu), text_of(user)]
        row += [rate_of(cell, cpu)]
        row += [more[1](cell)] if more else []
        rows.append(row)
        if cpu:
            is_own = cell["subject"].startswith("sipshard")
            bars.append((label(cell).replace("`", ""), cpu, user, is_own))
    if not rows:
        return ""
    names = ["", "calls/s", "CPU, us a message", "of it user mode", "part of a core"]
    names += [more[0]] if more else []
    path = os.path.join(PICTURES, f"{group}.svg")
    with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
        file.write(picture.bars(f"{title}: CPU time for a message", "us", bars))
    image = f"![{title}: CPU time for a message]({path})" if bars else ""
    return f"## {title}\n\n{filled(text)}\n\n{table(names, rows)}\n\n{image}"


def name_and_rate(cells):
    """Labels that tell cells apart: the rate only where it differs."""
    rates = {cell["rate"] for cell in cells}

    def label(cell):
        name = subject_name(cell)
        if len(rates) > 1 and cell["rate"] != max(rates):
            name += f", {cell['rate']:,}/s"
        return name

    return label


def subject_name(cell):
    """What a subject is called where its options differ."""
    gather = cell["gather"]
    return SUBJECTS[cell["subject"]] + ("" if gather is None else f", `--gather {gather}`")


def rate_of(cell, cpu):
    """The part of a core that a subject needs at its rate."""
    return f"{cpu.median * cell['rate'] * 6 / 1e4:.0f} %" if cpu else ""


def algorithms(rounds, folder):
    def label(cell):
        kind = "stateful" if cell["stateful"] else "stateless"
        return f"{cell['algorithm']}, {kind}, {SUBJECTS[cell['subject']]}"

    text = "10: the fewest calls, with a table of calls. 4: in turn. 0: a hash over the Call-ID."
    cells = sorted(rounds.cells("algorithms"), key=lambda one: (one["stateful"], -one["algorithm"]))
    return costs(rounds, folder, "algorithms", "Algorithms", text, cells, label=label)


def workers(rounds, folder):
    def label(cell):
        kind = "stateful" if cell["stateful"] else "stateless"
        number = "1 worker" if cell["workers"] == 1 else f"{cell['workers']} workers"
        return f"{number}, {kind}, {subject_name(cell)}, {cell['rate']:,}/s"

    cells = rounds.cells("workers")
    text = """All of these may run on two cores, those with one worker too; calls come from 64 ports. On a machine with
two cores the load has the same cores. Two workers of sipshard are measured twice: with the load that the one has, and with twice that. """
    if any(cell["subject"].startswith("kamailio") for cell in cells):
        text += "A worker of Kamailio is a process that receives. "
    hows = sorted({row["steering"] for row in rounds.rows if "steering" in row})
    handed = [row["handed_percent"] for row in rounds.rows if "handed_percent" in row]
    if handed:
        text += f"sipshard chose `--steering {', '.join(hows)}`: its workers handed {min(handed):.2f} to "
        text += f"{max(handed):.2f} % of the datagrams over to each other."
    return costs(rounds, folder, "workers", "Workers", text, cells, label=label)


def destinations(rounds, folder):
    def label(cell):
        return f"{cell['destinations']:,}, {SUBJECTS[cell['subject']]}"

    text = "Stateless, algorithm 10; each destination has an address of its own."
    cells = rounds.cells("destinations")
    return costs(rounds, folder, "destinations", "Destinations", text, cells, label=label)


def live(rounds, folder):
    def label(cell):
        return f"{cell['live']:,}, size {cell['hash_size']}, {SUBJECTS[cell['subject']]}"

    text = """Stateless, algorithm 10. So many calls have begun and not ended when the measurement begins. The size is
`ds_hash_size`. Kamailio walks a list in each slot; where these hold more than a thousand calls it is left out."""
    cells = rounds.cells("live")
    return costs(rounds, folder, "live", "Live calls", text, cells, more=memory(rounds), label=label)


def latency(rounds, folder):
    text = """At half of the load: from sending the INVITE to receiving the 180, at the caller. What a subject adds is the
percentile of calls through it less that of the same calls with no one between."""
    found = times(rounds, folder, "latency", "99th percentile of the time added, INVITE to 180")
    return f"## Time added\n\n{filled(text)}\n\n{found}" if found else ""


def times(rounds, folder, name, title):
    """A table of the time added with its picture."""
    cells = rounds.cells("latency")
    rows, bars = [], []
    for cell in cells:
        kind = "stateful" if cell["stateful"] else "stateless"
        if cell["subject"] in ("direct", "forwarder", "nginx"):
            kind = ""
        label = ", ".join(part for part in [subject_name(cell), kind] if part)
        row = [label, f"{cell['rate']:,}"]
        row += [micro(rounds.value(cell, "p50_ms")), micro(rounds.value(cell, "p99_ms"))]
        values = [aims.added(rounds, cell, what) for what in ("p50_ms", "p99_ms")]
        if cell["subject"] != "direct":
            row += [micro(value) for value in values]
            if values[1]:
                is_own = cell["subject"] == "sipshard"
                label = f"{label}, {cell['rate']:,}/s".replace("`", "")
                bars.append((label, values[1].times(1000), None, is_own))
        rows.append(row)
    if not rows:
        return ""
    path = os.path.join(PICTURES, f"{name}.svg")
    with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
        file.write(picture.bars(title, "us", bars))
    names = ["", "calls/s", "p50, us", "p99, us", "added to p50, us", "added to p99, us"]
    image = f"![{title}]({path})" if bars else ""
    return f"{table(names, rows)}\n\n{image}"


def idle_cores(run, rounds, polling, folder):
    """The rounds for which idle cores polled, or why there are none."""
    title = "Idle cores that poll"
    if run.get("no_polling"):
        return f"## {title}\n\n" + filled(f"Not measured: {run['no_polling']}.")

    def label(cell):
        kind = "stateful" if cell["stateful"] else "stateless"
        if cell["group"] == "workers":
            kind += ", 1 worker" if cell["workers"] == 1 else f", {cell['workers']} workers, {cell['rate']:,}/s"
        elif cell["subject"] == "forwarder":
            kind = f"{cell['rate']:,}/s"
        return f"{SUBJECTS[cell['subject']]}, {kind}"

    def halted(cell):
        """The same with the machine as it is."""
        found = rounds.value({**cell, "polls": False}, "cpu_us")
        return text_of(found) if found else ""

    text = f"""An idle core of a guest is halted and given back to the hypervisor; to have it woken again costs every
program time and processor time, which hides what the programs themselves cost. For this section alone
`guest_halt_poll_ns` was set to {idle.POLL_NS:,}: an idle core polls for up to {idle.POLL_NS // 1000} us for something
to do before it is halted. This time is nobody's and in no figure here, but the host's core is busy all the while. The
last column is the same with the machine as it is. An operator may set it too, for less time added:
[sipshard.md](sipshard.md#idle-cores-of-a-guest) says how."""
    cells = [cell for group in ("stateless", "stateful", "workers") for cell in polling.cells(group)]
    more = ("with halted cores, us", halted)
    costs_of = costs(polling, folder, "polling", title, text, cells, more, label)
    added = "Idle cores that poll: 99th percentile of the time added"
    times_of = times(polling, folder, "polling-latency", added)
    if times_of:
        times_of = "The time added at half of the load:\n\n" + times_of
    return "\n\n".join(part for part in (costs_of, times_of) if part)


def beside_sipp(run):
    found = run["generators"]
    if not found:
        return ""
    rates = sorted({step["rate"] for steps in found.values() for step in steps})
    rows = []
    for rate in rates:
        steps = [generators.at(steps, rate) for steps in found.values()]
        rows.append([f"{rate:,}"] + [generators.shown(step) for step in steps])
    names = ["calls/s"] + [f"{name}: CPU of the caller, us a call" for name in found]
    text = f"""Callers and gateways of the same kind, `-sn uac` to `-sn uas`, straight to each other, one thread and one
socket each, a core each. Rates rise until one is not clean twice: not all calls successful, or less than 95 % of the
rate reached. {generators.in_words(found)}."""
    return f"## sipload beside SIPp\n\n{filled(text)}\n\n{table(names, rows)}"


def marks(rounds, polling):
    out = marks_of(rounds) + [f"{mark}, while idle cores polled" for mark in marks_of(polling)]
    text = "\n".join(out) or "None."
    return f"## Rounds that do not count\n\n{text}"


def marks_of(rounds):
    out, seen = [], []
    for row in rounds.rows:
        cell = row["cell"]
        if cell in seen:
            continue
        seen.append(cell)
        for mark in rounds.marks(cell):
            kind = "stateful" if cell["stateful"] else "stateless"
            out.append(f"- {cell['group']}, {SUBJECTS[cell['subject']]}, {kind}: {mark}")
    return out


def machine(run):
    facts = dict(run["machine"])
    versions = facts.pop("versions")
    others = facts.pop("others_percent")
    facts["taken by others during the run"] = f"{others:.0f} % of the processor time"
    rows = [[name, str(value)] for name, value in {**facts, **versions}.items()]
    return "## Machine and versions\n\n" + table(["", ""], rows)


def method(run, rounds):
    cores = "one core for the subject, the others for the load, by affinity"
    if run["machine"]["cores"] == 2:
        cores = "one core for the subject, one for the load, by affinity"
    points = [
        """sipload plays callers and gateways, one thread each, over loopback; calls are held 100 ms. The same command
        line for all subjects, but that the forwarder, nginx and no one are called with `--ignore-route-set`: they add
        no Record-Route.""",
        f"Cores: {cores}. {own_cost(rounds)}",
        """CPU time is the scheduler's own accounting (`/proc/PID/task/*/schedstat`) over all threads and processes of
        the subject, from before the first call to after the last, divided by the messages that both ends sent. The part
        in user mode is divided off by the kernel's ticks: it is an estimate, the better the longer the run.""",
        """Before each measurement the subject is started anew and carries the same load: for two seconds, or as long
        as it keeps answered transactions.""",
        "Destinations are addresses 127.1.x.y, all of one gateway's socket.",
        """Answers count from when the kernel received them. Where the load needs much of its core, the times are its
        own as well.""",
    ]
    return "## How it was measured\n\n" + "\n".join(filled(point, "- ") for point in points)


def own_cost(rounds):
    """What the load needs of its core."""
    rows = [row for row in rounds.rows if "load_us" in row and row["cell"]["cores"] == 1]
    if not rows:
        return ""
    busiest = max(rows, key=lambda row: row["load_us"] * row["cell"]["rate"])
    part = busiest["load_us"] * busiest["cell"]["rate"] * 6 / 1e4
    costs = [row["load_us"] for row in rows]
    return f"""Both ends together took {min(costs):.1f} to {max(costs):.1f} us a message, at most {part:.0f} % of a
        core."""


def configurations(rounds, polling):
    """All that the subjects were told, in full."""
    text = f"""sipshard runs [config/default.cfg](../config/default.cfg), with `--stateless` where the table says so.
        Kamailio has {KAMAILIO_SHARED_MB} MB of shared memory to take from, a receive buffer of
        {KAMAILIO_BUFFER_BYTES // 2**20} MiB, and `-x` as the tables say. The forwarder is `sipload --role forward`. How
        each was started last:"""
    out = f"## Configurations\n\n{filled(text)}\n\n```\n{commands(polling.rows + rounds.rows)}\n```\n"
    for name, kind in (("kamailio.cfg", "sh"), ("nginx.conf", "nginx")):
        with open(os.path.join(HERE, name), encoding="utf-8") as file:
            out += f"\n`{name}`:\n\n```{kind}\n{file.read().strip()}\n```\n"
    return out


def commands(rows):
    """How each subject was started, one command line for each kind."""
    found = {}
    for row in rows:
        if row.get("command"):
            cell = row["cell"]
            found[cell["subject"], cell["stateful"], cell["gather"]] = row["command"]
    return "\n".join(found.values())


def table(names, rows):
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(row + [""] * (len(names) - len(row))) + " |" for row in rows]
    return "\n".join(lines)


def filled(text, lead=""):
    """A paragraph in lines of the usual length."""
    text = " ".join(text.split())
    after = " " * len(lead)
    width = 120 if not lead else 118
    return textwrap.fill(
        text, width, initial_indent=lead, subsequent_indent=after,
        break_long_words=False, break_on_hyphens=False,
    )


def text_of(value, digits=2):
    return value.text(digits) if value else "none sound"


def micro(milliseconds):
    return milliseconds.times(1000).text(0) if milliseconds else "none sound"
