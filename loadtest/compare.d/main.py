"""Measures sipshard beside a bare forwarder, nginx's UDP proxy and Kamailio, and writes docs/performance.md."""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import replace

import generators
import idle
import matrix
import page
import subjects
from load import Calls, Lasting, Load
from machine import BusyTime, Machine
from process import Failed, bound_ports, memory

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FIRST_PORT = 15060


def main():
    options = arguments()
    # So that what was started is ended, and what was set is put back.
    for one in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(one) != signal.SIG_IGN:
            signal.signal(one, lambda *_: sys.exit(1))
    machine = Machine.look(options.programs)
    no_polling = idle.obstacle() if options.wants("polling") else ""
    cells = [cell for cell in chosen_cells(options) if not (cell.polls and no_polling)]
    with_generators = options.wants("generators") and not options.subjects
    plan = [
        (number, cell)
        for number in range(options.rounds)
        for cell in cells
        if number < cell.most_rounds
    ]
    total = sum(cell.round_seconds(options.seconds) for _, cell in plan)
    total += generators.seconds(options.quick) if with_generators else 0
    print(f"{len(plan)} measurements, {options.rounds} rounds: about {total / 60:.0f} minutes")
    print(f"subject on core {machine.subject_cores(1)}, load on {machine.load_cores(1)}")
    if no_polling:
        print(f"without the group polling: {no_polling}")
    folder = tempfile.mkdtemp(prefix="sipshard-compare-")
    begin, busy, results = time.monotonic(), BusyTime(), []
    run = {
        "machine": machine.facts,
        "options": {"quick": options.quick, "rounds": options.rounds, "seconds": options.seconds},
        "scale": options.scale,
        "results": results,
        "no_polling": no_polling,
        "generators": None,
    }
    os.makedirs(options.out, exist_ok=True)
    try:
        for count, (number, cell) in enumerate(plan):
            minutes = (time.monotonic() - begin) / 60
            head = f"[{count + 1}/{len(plan)}, {minutes:.1f} of {total / 60:.0f} min]"
            print(f"{head} round {number + 1}, {cell.part()}: {cell.name()}", end=" ", flush=True)
            result = measured(cell, options, machine, os.path.join(folder, str(count + 1)))
            print(in_short(result), flush=True)
            results.append({"cell": vars(cell), "round": number, **result})
            keep(run, begin, busy, options)
        if with_generators:
            run["generators"] = generators.measure(options, machine, folder)
        keep(run, begin, busy, options)
    finally:
        if options.keep:
            print(f"logs: {folder}")
        else:
            shutil.rmtree(folder)
    page.write(run, options.out)
    print(f"wrote {os.path.join(options.out, 'performance.md')}")


def keep(run, begin, busy, options):
    """Writes what was measured so far: `--page` makes a page of it, also if the run is interrupted."""
    run["machine"]["others_percent"] = busy.others_percent()
    run["minutes"] = (time.monotonic() - begin) / 60
    with open(options.results, "w", encoding="utf-8") as file:
        json.dump(run, file, indent=1)


def joined(files):
    """One run of several that had the same machine and programs. Of what two have measured the later counts."""
    runs = []
    for name in files:
        with open(name, encoding="utf-8") as file:
            runs.append(json.load(file))
    first = runs[0]["machine"]
    for name, run in zip(files, runs):
        for fact in first.keys() - {"others_percent", "load before"}:
            if run["machine"][fact] != first[fact]:
                raise ValueError(f"{name} has other {fact} than {files[0]}: {run['machine'][fact]}, {first[fact]}")
    generators_of = [run["generators"] for run in runs if run["generators"]]
    measured_groups = [run for run in runs if run["results"]] or runs
    rounds = [run["options"]["rounds"] for run in measured_groups]
    return {
        **runs[0],
        "machine": {**first, "others_percent": max(run["machine"]["others_percent"] for run in runs)},
        "options": {**runs[0]["options"], "rounds": min(rounds), "most_rounds": max(rounds), "runs": len(runs)},
        "results": [row for run in runs for row in run["results"]],
        "no_polling": next((run["no_polling"] for run in runs if run["no_polling"]), ""),
        "generators": generators_of[-1] if generators_of else None,
        "minutes": sum(run["minutes"] for run in runs),
    }


def arguments():
    parser = argparse.ArgumentParser(prog="loadtest/compare", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only what the aims need, about 15 minutes")
    parser.add_argument("--only", action="append", metavar="NAME", help=f"{', '.join(GROUPS)}")
    parser.add_argument("--subjects", metavar="LIST", help=", ".join(subjects.SUBJECTS))
    parser.add_argument("--rounds", type=int, help="of each cell [3; quick: 2]")
    parser.add_argument("--seconds", type=float, help="of each measurement [5; quick: 3]")
    parser.add_argument("--warm", type=float, help="at most so many seconds of load beforehand")
    parser.add_argument("--scale", type=float, default=1.0, help="of all rates, for slow machines")
    parser.add_argument("--keep", action="store_true", help="keep the logs of all programs")
    parser.add_argument("--out", metavar="FOLDER", help="for performance.md [docs; a part: target]")
    parser.add_argument("--programs", metavar="FOLDER", help="of sipshard and sipload")
    parser.add_argument(
        "--page",
        nargs="*",
        metavar="FILE",
        help="only write the page, of the last run or of these runs' compare.json: groups may be measured one by one",
    )
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in options.only or []:
        if name not in GROUPS:
            parser.error(f"--only {name}: there are {', '.join(GROUPS)}")
    for name in options.subjects.split(",") if options.subjects else []:
        if name not in subjects.SUBJECTS:
            parser.error(f"--subjects {name}: there are {', '.join(subjects.SUBJECTS)}")
    if options.check:
        sys.exit(0)
    options.target = os.path.join(ROOT, "target")
    is_part = options.only or options.subjects
    # Beside a page that goes elsewhere; not among the documents.
    options.results = os.path.join(options.out or options.target, "compare.json")
    options.out = options.out or (options.target if is_part else os.path.join(ROOT, "docs"))
    options.rounds = options.rounds or (2 if options.quick else 3)
    options.seconds = options.seconds or (3 if options.quick else 5)
    folder = os.path.abspath(options.programs or os.path.join(options.target, "release"))
    options.programs = {name: os.path.join(folder, name) for name in ("sipshard", "sipload")}
    options.wants = lambda group: not options.only or group in options.only
    if options.page is not None:
        try:
            page.write(joined(options.page or [options.results]), options.out)
        except ValueError as error:
            parser.error(str(error))
        sys.exit(0)
    return options


GROUPS = [
    "stateless",
    "debian",
    "stateful",
    "latency",
    "workers",
    "destinations",
    "live",
    "algorithms",
    "polling",
    "generators",
]


def chosen_cells(options):
    """The cells that the options ask for."""
    only = options.subjects.split(",") if options.subjects else subjects.SUBJECTS
    return [
        replace(cell, rate=round(cell.rate * options.scale))
        for cell in matrix.cells(options.quick)
        if options.wants(cell.part()) and cell.subject in only
    ]


def measured(cell, options, machine, folder):
    """One round of a cell: its figures, or why there are none."""
    os.mkdir(folder)
    try:
        with idle.polling(machine.cores) if cell.polls else nullcontext():
            return figures(cell, options, machine, folder)
    except Failed as error:
        return {"error": str(error)}


def figures(cell, options, machine, folder):
    port, gateway_port = free_ports()
    cores = machine.subject_cores(cell.cores)
    place = subjects.Place(folder, port, gateway_port, cores, options.programs)
    load_cores = machine.load_cores(cell.cores)
    if cell.subject == "direct":
        target = f"127.0.0.1:{gateway_port}"
        load = Load(options.programs["sipload"], load_cores, folder, target, gateway_port)
        return told(*load.run(calls(cell, options.seconds)))
    load = Load(options.programs["sipload"], load_cores, folder, place.listen, gateway_port)
    subject = subjects.start(cell, place)
    try:
        fill(cell, load)
        warm = min(cell.warm_seconds, options.warm or cell.warm_seconds)
        load.run(calls(cell, warm))
        counts, before, (after, held) = load.run(
            calls(cell, options.seconds),
            before=subject.accounting,
            after=lambda: (subject.accounting(), memory(subject.child.pid)),
        )
        out = told(counts, before, after, held)
        # Without the folders of this machine.
        out["command"] = shlex.join(re.sub(r"/.*/", "", word) for word in subject.command)
        if cell.workers > 1 and cell.subject == "sipshard":
            out.update(subjects.steering(place, subject))
        return out
    finally:
        subject.stop()


def calls(cell, seconds):
    by_target = cell.subject in subjects.BY_TARGET
    return Calls(cell.rate, seconds, by_target, sockets=cell.sockets)


def fill(cell, load):
    """Begins calls that stay: their gateways are gone when the measurement begins."""
    if cell.live:
        counts, _, _ = load.run(Lasting(cell.live))
        if counts.completed < 0.99 * cell.live:
            raise Failed(f"{counts.completed} of {cell.live} calls could be begun")


def told(counts, before=None, after=None, held=0):
    """What is kept of a round."""
    out = {
        "calls": counts.calls,
        "failed": counts.failed,
        "messages": counts.messages,
        "faults": counts.faults,
        "p50_ms": counts.ringing_p50,
        "p99_ms": counts.ringing_p99,
        "load_us": counts.cpu * 1e6 / max(1, counts.messages),
    }
    if after:
        cpu, user = after.since(before)
        each = 1e6 / max(1, counts.messages)
        out.update(cpu_us=cpu * each, user_us=user * each, memory_bytes=held)
    return out


def in_short(result):
    if "error" in result:
        return "FAILED: " + result["error"]
    out = f"p99 {result['p99_ms']:.3f} ms"
    if "cpu_us" in result:
        out = f"{result['cpu_us']:.2f} us a message ({result['user_us']:.2f} user), " + out
    return ", ".join([out] + result["faults"])


def free_ports():
    """Two UDP ports that nobody has bound."""
    taken = bound_ports()
    free = (port for port in range(FIRST_PORT, 65535) if port not in taken)
    return next(free), next(free)


if __name__ == "__main__":
    main()
