"""What is measured: how each subject is started for a cell of the matrix."""

import os
import re
import subprocess

from load import OWN_ADDRESS
from process import Process

HERE = os.path.dirname(os.path.abspath(__file__))
KAMAILIO_CONFIGURATION = os.path.join(HERE, "kamailio.cfg")
NGINX_CONFIGURATION = os.path.join(HERE, "nginx.conf")
NGINX_MODULES = "/usr/lib/nginx/modules"
KAMAILIO_SHARED_MB = 3072
KAMAILIO_BUFFER_BYTES = 4 * 1024 * 1024

# Key, and what tables call it.
SUBJECTS = {
    "direct": "no one between",
    "forwarder": "bare forwarder",
    "nginx": "nginx, UDP proxy",
    "kamailio-fm": "Kamailio, `-x fm`",
    "kamailio-tlsf": "Kamailio, `-x tlsf`",
    "kamailio": "Kamailio as Debian ships it",
    "sipshard": "sipshard",
    "sipshard-cfg": "sipshard, Kamailio's configuration",
}
# These look at no header: calls must be sent to them all the way.
BY_TARGET = {"direct", "forwarder", "nginx"}


class Place:
    """Where a subject runs: its folder, ports and cores, and the programs that were built."""

    def __init__(self, folder, port, gateway_port, cores, programs):
        self.folder = folder
        self.port = port
        self.gateway_port = gateway_port
        self.cores = cores
        self.programs = programs
        self.listen = f"{OWN_ADDRESS}:{port}"


def start(cell, place):
    """Starts the subject of a cell; returns when it listens."""
    write_list(os.path.join(place.folder, "dispatcher.list"), cell.destinations, place.gateway_port)
    process = Process(cell.subject, command(cell, place), place.cores, place.folder)
    try:
        process.wait_for_port(place.port)
    except BaseException:
        process.stop()
        raise
    return process


def command(cell, place):
    """The command line of the subject of a cell."""
    if cell.subject == "forwarder":
        gateway = f"{OWN_ADDRESS}:{place.gateway_port}"
        out = [place.programs["sipload"], "--role", "forward", "-q", "-i", OWN_ADDRESS]
        return out + ["-p", str(place.port), gateway]
    if cell.subject == "nginx":
        return nginx(place)
    if cell.subject.startswith("kamailio"):
        return kamailio(cell, place)
    return sipshard(cell, place)


def nginx(place):
    with open(NGINX_CONFIGURATION, encoding="utf-8") as file:
        text = file.read()
    text = text.replace("@LISTEN@", place.listen).replace("@MODULES@", NGINX_MODULES)
    text = text.replace("@GATEWAY@", f"{OWN_ADDRESS}:{place.gateway_port}")
    path = os.path.join(place.folder, "nginx.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return ["nginx", "-p", place.folder, "-c", path, "-e", os.path.join(place.folder, "errors.log")]


def kamailio(cell, place):
    memory = cell.subject.partition("-")[2]
    out = ["kamailio", "-f", KAMAILIO_CONFIGURATION, "-l", f"udp:{place.listen}", "-DD", "-E"]
    out += ["-w", place.folder, "-Y", place.folder, "-m", str(KAMAILIO_SHARED_MB)]
    out += ["-b", str(KAMAILIO_BUFFER_BYTES)]
    out += ["-x", memory] if memory else []
    return out + defines(cell, place)


def sipshard(cell, place):
    out = [place.programs["sipshard"], "run", "--listen", f"udp:{place.listen}"]
    out += ["--ctl", os.path.join(place.folder, "ctl"), "--workers", str(cell.workers)]
    out += [] if cell.gather is None else ["--gather", str(cell.gather)]
    if cell.subject == "sipshard-cfg":
        return out + ["-f", KAMAILIO_CONFIGURATION] + defines(cell, place)
    out += ["--list", "dispatcher.list", "--alg", str(cell.algorithm)]
    out += ["-P", f"ds_hash_size={cell.hash_size}", "-P", "ds_ping_interval=0"]
    return out + ([] if cell.stateful else ["--stateless"])


def steering(place, process):
    """How the kernel brings datagrams to sipshard's workers, and which part they handed over to each other."""
    how = re.search(r"steering (\w+)", process.output())
    command = [place.programs["sipshard"], "rpc", "--ctl", os.path.join(place.folder, "ctl")]
    command += ["sipshard.steering"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    received, handed = (re.search(rf"\b{name}: (\d+)", told) for name in ("RECEIVED", "HANDED_OFF"))
    if not (how and received and handed):
        process.fail(f"says nothing of its steering: {told}")
    part = 100 * int(handed[1]) / max(1, int(received[1]))
    return {"steering": how[1], "handed_percent": part}


def defines(cell, place):
    """What Kamailio's configuration is told, on either's command line."""
    path = os.path.join(place.folder, "dispatcher.list")
    out = ["-A", f'LIST_FILE="{path}"', "-A", f'ALGORITHM="{cell.algorithm}"']
    out += ["-A", f"HASH_SIZE={cell.hash_size}", "-A", f"WORKERS={cell.workers}"]
    return out + ([] if cell.stateful else ["-A", "STATELESS"])


def write_list(path, destinations, port):
    """A dispatcher.list: each destination has an address of its own, and all are the same gateway."""
    with open(path, "w", encoding="utf-8") as file:
        for index in range(destinations):
            address = f"127.1.{index // 250}.{index % 250 + 1}"
            file.write(f"1 sip:{address}:{port} 0 0 duid=g{index}\n")
