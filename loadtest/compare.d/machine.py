"""The machine: its cores, its kernel, and the versions of what is measured."""

import os
import subprocess

import idle
from process import TICKS, read


class Machine:
    """Which cores the subject and the load have, and what the page says of the machine."""

    def __init__(self, cores, facts):
        self.cores = cores
        self.facts = facts

    @staticmethod
    def look(programs):
        cores = sorted(os.sched_getaffinity(0))
        facts = {
            "processor": of_lscpu("Model name"),
            "cores": len(cores),
            "hypervisor": of_lscpu("Hypervisor vendor") or "none that is known",
            "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
            "kernel": " ".join(os.uname()[index] for index in (0, 2, 4)),
            "system": release(),
            "idle cores": idle.in_words(),
            "load before": " ".join(read("/proc/loadavg").split()[:3]),
            "net.core.rmem_max": read("/proc/sys/net/core/rmem_max").strip(),
            "versions": versions(programs),
        }
        return Machine(cores, facts)

    def subject_cores(self, number):
        """The last ones: interrupts tend to come to the first."""
        return self.cores[-number:]

    def load_cores(self, number):
        """The others; all, if there are no others."""
        return self.cores[:-number] or self.cores


class BusyTime:
    """What others than this run take of the machine."""

    def __init__(self):
        self.all, self.busy = processor_seconds()
        self.own = own_seconds()

    def others_percent(self):
        """Of all cores' time since it was made."""
        whole, busy = processor_seconds()
        part = (busy - self.busy) - (own_seconds() - self.own)
        return 100 * max(0.0, part) / max(0.01, whole - self.all)


def processor_seconds():
    """Of all cores since the machine started: in all, and not idle."""
    ticks = [int(field) for field in read("/proc/stat").split("\n")[0].split()[1:9]]
    return sum(ticks) / TICKS, (sum(ticks) - ticks[3] - ticks[4]) / TICKS


def own_seconds():
    """Of this program and of all that it has started and ended."""
    return sum(os.times()[:4])


def versions(programs):
    """What each program says of itself."""
    out = {name: said(program, "--version") for name, program in programs.items()}
    out["Kamailio"] = said("kamailio", "-V").removeprefix("version: ")
    out["nginx"] = said("nginx", "-v").removeprefix("nginx version: ")
    out["SIPp"] = said("sipp", "-v").partition(". ")[0].rstrip(".")
    commit = said("git", "-C", os.path.dirname(os.path.abspath(__file__)), "rev-parse", "HEAD")
    out["commit"] = commit
    return out


def said(*command):
    """The first line that a command prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "not installed"
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip() if lines else "unknown"


def of_lscpu(name):
    done = subprocess.run(["lscpu"], capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def release():
    for line in read("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "unknown"
