"""sipload beside SIPp: callers and gateways of each, straight to each other, the same scenario."""

import os

from load import HOLD_MS, OWN_ADDRESS, number
from process import Failed, Process

RATES = [500, 4000, 8000, 12_000, 16_000, 20_000, 24_000, 32_000, 40_000, 48_000, 56_000, 64_000]
QUICK_RATES = [500, 4000, 12_000, 20_000, 32_000, 48_000, 64_000]
# The rate at which the aims' table compares the CPU time of both.
COMPARED = 4000
# Of the rate that was asked for; below, the generator did not keep up.
LEAST_PART = 0.95
BUFFER_BYTES = 8_000_000
GATEWAY_PORT = 17001
CALLER_PORT = 17000


def seconds(quick):
    """About how long it takes."""
    return 2 * len(rates(quick)) * (step_seconds(quick) + 1)


def rates(quick):
    return QUICK_RATES if quick else RATES


def step_seconds(quick):
    return 2 if quick else 5


def measure(options, machine, folder):
    """For each generator its steps, up to the first rate that is not clean."""
    out = {}
    for name in ("SIPp", "sipload"):
        steps = []
        for rate in rates(options.quick):
            rate = round(rate * options.scale)
            print(f"generators: {name} at {rate:,} calls/s", end=" ", flush=True)
            one = step(name, rate, options, machine, folder)
            if not one["clean"]:
                # Once may be chance.
                one = step(name, rate, options, machine, folder)
            print(f"{'clean' if one['clean'] else 'not clean'}, {one['caller_us']:.1f} us a call")
            steps.append(one)
            if not one["clean"]:
                break
        out[name] = steps
    return out


def step(name, rate, options, machine, folder):
    calls = round(rate * step_seconds(options.quick))
    program = options.programs["sipload"] if name == "sipload" else "sipp"
    own = ["-q", "--threads", "1"] if name == "sipload" else ["-nostdin"]
    if name == "SIPp":
        own += ["-buff_size", str(BUFFER_BYTES), "-l", "1000000"]
    gateways = [program, "-sn", "uas", "-i", OWN_ADDRESS, "-p", str(GATEWAY_PORT)] + own
    callers = [program, "-sn", "uac", "-i", OWN_ADDRESS, "-p", str(CALLER_PORT)] + own
    callers += ["-r", str(rate), "-m", str(calls), "-d", str(HOLD_MS)]
    callers += ["--sockets", "1"] if name == "sipload" else ["-trace_stat", "-stf", "stat.csv"]
    callers += [f"{OWN_ADDRESS}:{GATEWAY_PORT}"]
    taken = Process("generator gateways", gateways, machine.subject_cores(1), folder)
    try:
        taken.wait_for_port(GATEWAY_PORT)
        made = Process("generator callers", callers, machine.load_cores(1), folder)
        try:
            # Repeats of what was lost last longer than this: then the step is not clean.
            made.wait(calls / rate * 1.5 + 5)
        except Failed:
            pass
        made.stop()
    finally:
        taken.stop()
    if name == "sipload":
        done, took = number(made.output(), "Successful call"), elapsed(made.output())
    else:
        done, took = of_statistics(os.path.join(folder, "stat.csv"))
    reached = calls / max(took - HOLD_MS / 1000, 0.001)
    clean = done == calls and reached >= LEAST_PART * rate
    return {
        "rate": rate,
        "clean": clean,
        "caller_us": made.usage * 1e6 / max(1, done),
        "gateway_us": taken.usage * 1e6 / max(1, done),
    }


def elapsed(output):
    """Seconds of sipload's run."""
    for line in output.splitlines():
        if "Elapsed Time" in line:
            return float(line.split("|")[1].split()[0])
    return float("inf")


def of_statistics(path):
    """Successful calls and seconds of SIPp's run."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    names, last = lines[0].split(";"), lines[-1].split(";")
    row = dict(zip(names, last))
    hours, minutes, rest = row["ElapsedTime(C)"].split(":")[:3]
    return int(row["SuccessfulCall(C)"]), int(hours) * 3600 + int(minutes) * 60 + float(rest)


def at(steps, rate):
    """The step at a rate, if there was one."""
    return next((step for step in steps if step["rate"] == rate), None)


def shown(step):
    """A step in a table."""
    if step is None:
        return ""
    return f"{step['caller_us']:.0f}" + ("" if step["clean"] else ", not clean")


def in_words(found):
    """What both reached."""
    reached, taken = [], []
    for name, steps in found.items():
        clean = [step["rate"] for step in steps if step["clean"]]
        most = f"{max(clean):,}" if clean else "none"
        is_last = len(clean) == len(steps)
        more = " (the highest tried)" if is_last else ""
        reached.append(f"{name} {most} calls/s{more}")
        compared = min(steps, key=lambda step: abs(step["rate"] - COMPARED))
        taken.append(f"{name} {compared['caller_us']:.0f} us")
    rate = f"{compared['rate']:,}"
    return f"Highest clean rate: {', '.join(reached)}; CPU for a call at {rate}/s: {', '.join(taken)}"
