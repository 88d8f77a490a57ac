"""Programs that are measured: starting, ending, and what the kernel's accounting says of them."""

import os
import signal
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
END_SECONDS = 10
START_SECONDS = 20


class Failed(Exception):
    """A program did not do what it should."""


class Process:
    """A running program in a session of its own, on the given cores."""

    def __init__(self, name, command, cores, folder):
        self.name = name
        self.command = command
        self.log = os.path.join(folder, name.replace("/", "-").replace(" ", "-") + ".log")
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            )
        self.usage = None

    def output(self):
        """All that it has printed."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def fail(self, reason):
        """Raises with what it printed last."""
        tail = "\n".join("    " + line for line in self.output().splitlines()[-15:])
        raise Failed(f"{self.name}: {reason}\n{tail}")

    def wait_for_port(self, port):
        """Waits until UDP `port` is bound."""
        until = time.monotonic() + START_SECONDS
        while port not in bound_ports():
            if self.child.poll() is not None:
                self.fail("ended at once")
            if time.monotonic() > until:
                self.fail(f"does not listen on port {port}")
            time.sleep(0.02)

    def wait(self, seconds):
        """Waits for its end; its exit status. Keeps the CPU time that it has taken."""
        until = time.monotonic() + seconds
        while self.usage is None:
            pid, status, usage = os.wait4(self.child.pid, os.WNOHANG)
            if pid:
                self.usage = usage.ru_utime + usage.ru_stime
                self.child.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                self.fail(f"has not ended after {seconds:.0f} s")
            else:
                time.sleep(0.02)
        return self.child.returncode

    def stop(self, how=signal.SIGTERM):
        """Asks it to end, and makes it if it does not."""
        if self.usage is None:
            family = descendants(self.child.pid)
            try:
                self.child.send_signal(how)
                self.wait(END_SECONDS)
            except Failed:
                for pid in family:
                    kill(pid)
                self.wait(END_SECONDS)
        return self

    def accounting(self):
        """What it and its descendants have taken so far."""
        return Accounting(descendants(self.child.pid))


class Accounting:
    """CPU seconds of processes with all their threads, and the part spent in user mode."""

    def __init__(self, pids):
        self.cpu = 0.0
        self.user = 0.0
        for pid in pids:
            for thread in listing(f"/proc/{pid}/task"):
                place = f"/proc/{pid}/task/{thread}"
                fields = read(f"{place}/stat").rpartition(")")[2].split()
                # Nanoseconds that it ran. A kernel may be built without: then ticks must do.
                ran = read(f"{place}/schedstat").split()
                if fields:
                    user, system = int(fields[11]) / TICKS, int(fields[12]) / TICKS
                    self.user += user
                    self.cpu += int(ran[0]) / 1e9 if ran else user + system

    def since(self, before):
        """CPU seconds, and those in user mode, since another one."""
        return self.cpu - before.cpu, self.user - before.user


def memory(pid):
    """Bytes of a process and its descendants, shared pages divided among those that share them (PSS)."""
    total = 0
    for one in descendants(pid):
        for line in read(f"/proc/{one}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def descendants(root):
    """A process and all that descend from it."""
    children = {}
    for name in listing("/proc"):
        if name.isdigit():
            fields = read(f"/proc/{name}/stat").rpartition(")")[2].split()
            if fields:
                children.setdefault(int(fields[1]), []).append(int(name))
    found, left = [], [root]
    while left:
        found.append(left.pop())
        left.extend(children.get(found[-1], []))
    return found


def bound_ports():
    """UDP ports on which something listens."""
    lines = read("/proc/net/udp").splitlines()[1:]
    return {int(line.split()[1].rpartition(":")[2], 16) for line in lines}


def kill(pid):
    """Ends a process at once, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def read(path):
    """A file of /proc; empty if its process has ended."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def listing(path):
    """The names in a folder of /proc; none if its process has ended."""
    try:
        return os.listdir(path)
    except OSError:
        return []
