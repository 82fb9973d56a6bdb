#!/usr/bin/env python3
"""The internet of the laboratory: a TUN device in the namespace of each host, packets switched by destination address.

    internet.py SEED NAME=NAMESPACE=ADDRESS[,ADDRESS] ...

Faults are drawn from a generator of its own for each link, seeded by SEED and the link's name. The link '*' is the
middle, which every packet passes once; the others are the access links of hosts, passed on leaving and on entering.
Commands come on stdin, one JSON array a line, and each is answered by a line of JSON:

    ["set", NAME, {"loss": 0.1, "delayMs": 50, ...}]   ["down", NAME]   ["up", NAME]   ["move", NAME, OLD, NEW]   ["count"]
    ["part", NAME, NAME]   ["join", NAME, NAME]

It ends with its stdin. Linux kernels without sch_netem have no other way, and Node can't open a TUN device.
"""
import ctypes
import fcntl
import heapq
import json
import os
import random
import selectors
import socket
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
UDP = 17
# What a link with a rate holds back before it drops: as a home router does.
BUFFER_SECONDS = 0.5
NO_FAULTS = dict(loss=0, delayMs=0, jitterMs=0, reorder=0, duplicate=0, corrupt=0, bitsPerSecond=0, sparesTcp=False)

libc = ctypes.CDLL(None, use_errno=True)


class Link:
    def __init__(self, name, seed):
        self.faults = dict(NO_FAULTS)
        self.is_down = False
        # Most links have no faults most of the time, and a packet passes three: what costs nothing is not computed.
        self.is_plain = True
        # Links that nothing goes to or comes from.
        self.parted = set()
        self.random = random.Random(f"{seed} {name}")
        self.busy_until = 0.0
        self.tun = None

    def change(self, faults=None, is_down=None):
        if faults is not None:
            self.faults = {**NO_FAULTS, **faults}
        if is_down is not None:
            self.is_down = is_down
        self.is_plain = not self.is_down and not any({**self.faults, "sparesTcp": False}.values())

    def pass_on(self, packet, now):
        """The copies that come out at the other end, as (delay in seconds, packet)."""
        faults, chance = self.faults, self.random.random
        if self.is_down:
            return []
        is_spared = faults["sparesTcp"] and packet[9] != UDP
        if not is_spared and chance() < faults["loss"]:
            return []
        if not is_spared and chance() < faults["corrupt"] and len(packet) > 20:
            at = self.random.randrange(20, len(packet))
            packet = packet[:at] + bytes([packet[at] ^ (1 << self.random.randrange(8))]) + packet[at + 1 :]
        delay = faults["delayMs"] + self.random.uniform(-1, 1) * faults["jitterMs"]
        if not is_spared and chance() < faults["reorder"]:
            delay = 0.0
        delay = max(0.0, delay / 1000)
        if faults["bitsPerSecond"]:
            sent = max(self.busy_until, now) + len(packet) * 8 / faults["bitsPerSecond"]
            if sent - now > BUFFER_SECONDS:
                return []
            self.busy_until = sent
            delay += sent - now
        return [(delay, packet)] * (2 if not is_spared and chance() < faults["duplicate"] else 1)


def open_tun(namespace, addresses):
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    enter(f"/run/netns/{namespace}")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"wan0", IFF_TUN_NO_PI))
    for address in addresses:
        subprocess.check_call(["ip", "addr", "add", f"{address}/24", "dev", "wan0"])
    subprocess.check_call(["ip", "link", "set", "wan0", "up", "mtu", "1500"])
    libc.setns(home, CLONE_NEWNET)
    os.close(home)
    return tun


def enter(path):
    handle = os.open(path, os.O_RDONLY)
    if libc.setns(handle, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"setns {path}")
    os.close(handle)


class Internet:
    def __init__(self, seed, hosts):
        self.middle = Link("*", seed)
        self.links = {"*": self.middle}
        self.routes = {}
        self.waiting = []
        self.order = 0
        self.counts = dict(received=0, delivered=0, dropped=0)
        self.selector = selectors.DefaultSelector()
        for host in hosts:
            name, namespace, addresses = host.split("=")
            link = self.links[name] = Link(name, seed)
            link.tun = open_tun(namespace, addresses.split(","))
            self.selector.register(link.tun, selectors.EVENT_READ, link)
            for address in addresses.split(","):
                self.routes[socket.inet_aton(address)] = link
        self.selector.register(0, selectors.EVENT_READ, None)

    def run(self):
        typed = b""
        while True:
            patience = max(0, self.waiting[0][0] - time.monotonic()) if self.waiting else None
            for key, _ in self.selector.select(patience):
                if key.data is not None:
                    self.receive(key.data)
                    continue
                chunk = os.read(0, 65536)
                if chunk == b"":
                    return
                *lines, typed = (typed + chunk).split(b"\n")
                for line in lines:
                    print(json.dumps(self.obey(*json.loads(line))), flush=True)
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                _, _, link, packet = heapq.heappop(self.waiting)
                self.deliver(link, packet)

    def receive(self, source):
        for _ in range(64):
            try:
                packet = os.read(source.tun, 65535)
            except BlockingIOError:
                return
            target = self.routes.get(packet[16:20]) if packet[0] >> 4 == 4 else None
            if target is None:
                continue
            self.counts["received"] += 1
            if target in source.parted:
                self.counts["dropped"] += 1
                continue
            if source.is_plain and self.middle.is_plain and target.is_plain:
                self.deliver(target, packet)
                continue
            now = time.monotonic()
            copies = [(0.0, packet)]
            for link in (source, self.middle, target):
                copies = [(a + b, out) for a, each in copies for b, out in link.pass_on(each, now + a)]
            if not copies:
                self.counts["dropped"] += 1
            for delay, copy in copies:
                if delay == 0:
                    self.deliver(target, copy)
                    continue
                self.order += 1
                heapq.heappush(self.waiting, (now + delay, self.order, target, copy))

    def deliver(self, link, packet):
        # A link that went down meanwhile loses what was under way on it.
        if link.is_down:
            self.counts["dropped"] += 1
            return
        try:
            os.write(link.tun, packet)
            self.counts["delivered"] += 1
        except OSError:
            # A full queue, or a header that corruption has made meaningless.
            self.counts["dropped"] += 1

    def obey(self, verb, name=None, *rest):
        if verb == "count":
            return self.counts
        link = self.links[name]
        if verb == "set":
            unknown = set(rest[0]) - set(NO_FAULTS)
            if unknown:
                return dict(error=f"no such fault: {', '.join(unknown)}")
            link.change(faults=rest[0])
        elif verb in ("down", "up"):
            link.change(is_down=verb == "down")
        elif verb in ("part", "join"):
            other = self.links[rest[0]]
            change = set.add if verb == "part" else set.discard
            change(link.parted, other)
            change(other.parted, link)
        elif verb == "move":
            del self.routes[socket.inet_aton(rest[0])]
            self.routes[socket.inet_aton(rest[1])] = link
        else:
            return dict(error=f"no such command: {verb}")
        return {}


internet = Internet(sys.argv[1], sys.argv[2:])
print(json.dumps({}), flush=True)
internet.run()
