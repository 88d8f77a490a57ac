"""The two ends of the calls, played by sipload: what they sent and received, and how long it took."""

import re
import signal

from process import Failed, Process

OWN_ADDRESS = "127.0.0.1"
HOLD_MS = 100
# A call is INVITE, 180, 200, ACK, BYE, 200.
MESSAGES_OF_A_CALL = 6
# What may go wrong in a round that still counts.
MOST_FAILED_PERCENT = 0.1
MOST_LATE_MS = 50.0
# Calls that are being set up at a time, where it shall be quick; more would only wait.
LASTING_AT_A_TIME = 64
LEAST_LASTING_RATE = 3000


class Load:
    """Callers and gateways on `cores`; calls go to `target`, gateways listen on `port`."""

    def __init__(self, sipload, cores, folder, target, port):
        self.sipload = sipload
        self.cores = cores
        self.folder = folder
        self.target = target
        self.port = port

    def run(self, calls, before=lambda: None, after=lambda: None):
        """Makes calls. `before` is called when the gateways wait for them, `after` when all have ended."""
        gateways = self.gateways()
        try:
            started = before()
            callers = self.callers(calls)
            try:
                callers.wait(calls.most_seconds())
            finally:
                callers.stop(signal.SIGINT)
            ended = after()
        finally:
            gateways.stop(signal.SIGINT)
        return Counts(calls, callers, gateways), started, ended

    def gateways(self):
        """Gateways on one socket that takes what is sent to any address of the machine."""
        command = [self.sipload, "--role", "uas", "-i", OWN_ADDRESS, "--any-address"]
        command += ["-p", str(self.port), "--threads", "1", "-q"]
        gateways = Process("gateways", command, self.cores, self.folder)
        gateways.wait_for_port(self.port)
        return gateways

    def callers(self, calls):
        """Callers with one thread."""
        command = [self.sipload, "--role", "uac", "-i", OWN_ADDRESS, "--rport", "-q"]
        command += ["--threads", "1", "--sockets", str(calls.sockets), "--max-failed", "100"]
        # What lies between adds no Record-Route: ACK and BYE take the way of the INVITE all the same.
        command += ["--ignore-route-set"] if calls.by_target else []
        command += calls.schedule()
        return Process("callers", command + [self.target], self.cores, self.folder)


class Calls:
    """Calls at a steady rate."""

    leave = False

    def __init__(self, rate, seconds, by_target=False, sockets=4):
        self.rate = rate
        self.seconds = seconds
        self.by_target = by_target
        self.sockets = sockets

    def schedule(self):
        """When calls begin and how they end, as options of sipload."""
        number = max(1, round(self.rate * self.seconds))
        return ["-r", str(self.rate), "-m", str(number), "-d", str(HOLD_MS), "-l", "1000000"]

    def most_seconds(self):
        return self.seconds + 60


class Lasting:
    """A number of calls without BYE, as fast as they are answered."""

    leave = True
    by_target = False
    sockets = 4

    def __init__(self, number):
        self.number = number

    def schedule(self):
        users = str(min(LASTING_AT_A_TIME, self.number))
        return ["--users", users, "-m", str(self.number), "-d", "0", "--lose-bye", "100"]

    def most_seconds(self):
        return self.number / LEAST_LASTING_RATE + 60


class Counts:
    """What both ends counted."""

    def __init__(self, calls, callers, gateways):
        asked, answered = callers.output(), gateways.output()
        if "Successful call" not in asked:
            callers.fail("no calls were made")
        if "Datagrams sent" not in answered:
            gateways.fail("no calls were taken")
        self.calls = number(asked, "Outgoing call created")
        self.completed = number(asked, "Successful call")
        self.failed = self.calls - self.completed
        taken = number(answered, "Incoming call created")
        # Each message is sent by one of the ends; what lies between passes it on.
        self.messages = number(asked, "Datagrams sent, received")
        self.messages += number(answered, "Datagrams sent, received")
        self.cpu = callers.usage + gateways.usage
        self.ringing_p50, self.ringing_p99 = quantiles(asked, "INVITE to 180, from sending")
        late = quantiles(asked, "Calls later than scheduled")[1]
        overflowed = number(asked, "lost in own receive buffers") + number(
            answered, "lost in own receive buffers"
        )
        self.faults = []
        if self.failed * 100 > MOST_FAILED_PERCENT * self.calls:
            self.faults.append(f"{self.failed} of {self.calls} calls failed")
        if abs(taken - self.calls) * 100 > MOST_FAILED_PERCENT * self.calls:
            self.faults.append(f"{self.calls} calls were made, {taken} came")
        expected = self.completed * (MESSAGES_OF_A_CALL - (2 if calls.leave else 0))
        if abs(self.messages - expected) > 0.01 * expected:
            self.faults.append(f"{self.messages} messages, {expected} expected")
        if overflowed:
            self.faults.append(f"the ends themselves lost {overflowed} datagrams")
        if late > MOST_LATE_MS:
            self.faults.append(f"calls were {late:.0f} ms late")


def number(output, name):
    """The number in a row of sipload's table; 0 if there is no such row."""
    found = re.search(rf"^ *{re.escape(name)} *\| (\d+)", output, re.MULTILINE)
    return int(found[1]) if found else 0


def quantiles(output, name):
    """Milliseconds: median and 99th percentile of a row of times; 0 if there are none."""
    row = re.search(rf"^ *{re.escape(name)} +(.*)$", output, re.MULTILINE)
    columns = row[1].split() if row else []
    if len(columns) != 7:
        raise Failed(f"sipload printed no times '{name}'")
    # number, mean, p50, p90, p99, p99.9, max
    return float(columns[2]), float(columns[4])
