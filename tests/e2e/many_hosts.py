#!/usr/bin/env python3
"""Four hosts as network namespaces on one bridge: a broker, two hosts of consumers, a producer, over tcp with CURVE.

    tests/e2e/many_hosts.py BIN_DIR      as root; exits 77, and says why, where namespaces cannot be made

Claims, each checked under load:
- after consumers are added or taken away, in every window of 1 s from 1 s after the change on, no consumer gets less
  than half its share;
- when the cable of one host is cut, its leases return within the session lease and the work is done elsewhere; when it
  is back, the host rejoins by itself;
- at the end every message was handled: none is lost.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

LEASE_S = 3
HANDLER_S = 0.1
PROCESSES = 2  # of each consumer
AHEAD = 300  # lines fed and not handled yet
LINE = "%06d\n"
REJOIN_S = 20  # a client pauses up to 10 s between two tries
WINDOWS = 3  # looked at after each change
TRIES = 3  # a window that a busy machine disturbed may be repeated
PORT = 5670


def pass_time(seconds):
    """Lets time pass: for the rhythm of a load or of faults, never to hope that something has happened meanwhile."""
    threading.Event().wait(seconds)


class Skip(Exception):
    pass


def sh(*args, check=True, timeout=20):
    done = subprocess.run(args, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(args)}: {done.returncode}: {done.stderr.strip()}")
    return done


class Network:
    """Hosts on a bridge of their own; nothing of it touches the machine's network. Gone with close()."""

    def __init__(self, hosts):
        tag = f"tlp{os.getpid()}"
        self.switch = f"{tag}-switch"
        self.names = {host: f"{tag}-{host}" for host in hosts}
        self.address = {host: f"10.77.0.{number}" for number, host in enumerate(hosts, 1)}
        self.made = []
        if os.geteuid() != 0:
            raise Skip("not root")
        try:
            self._make(self.switch)
            sh("ip", "-n", self.switch, "link", "add", "br0", "type", "bridge")
        except (RuntimeError, OSError) as error:
            self.close()
            raise Skip(f"no network namespaces here: {error}") from error
        sh("ip", "-n", self.switch, "link", "set", "br0", "up")
        for host, name in self.names.items():
            self._make(name)
            sh("ip", "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", host, "netns", self.switch)
            sh("ip", "-n", self.switch, "link", "set", host, "master", "br0", "up")
            sh("ip", "-n", name, "addr", "add", f"{self.address[host]}/24", "dev", "eth0")
            sh("ip", "-n", name, "link", "set", "lo", "up")
            sh("ip", "-n", name, "link", "set", "eth0", "up")

    def _make(self, name):
        sh("ip", "netns", "add", name)
        self.made.append(name)

    def command(self, host, *args):
        return ["ip", "netns", "exec", self.names[host], *map(str, args)]

    def cut(self, host):
        sh("ip", "-n", self.names[host], "link", "set", "eth0", "down")

    def mend(self, host):
        sh("ip", "-n", self.names[host], "link", "set", "eth0", "up")

    def close(self):
        for name in self.made:
            sh("ip", "netns", "del", name, check=False)


class Consumer:
    """`telpher run` on a host; its handlers append what they did to a file, whose growth is the rate."""

    def __init__(self, scene, host, number):
        self.host = host
        self.file = scene.dir / f"consumer{number}"
        self.file.touch()
        self.log = open(scene.dir / f"consumer{number}.log", "wb")
        handler = f"read line; sleep {HANDLER_S}; echo $line >> {self.file}"
        self.process = scene.start(host, "workers", "run", "jobs", "--processes", PROCESSES, "--wait-queue", "--",
                                   "sh", "-c", handler, stdout=self.log, stderr=self.log)

    def count(self):
        return self.file.stat().st_size // len(LINE % 0)

    def lines(self):
        return self.file.read_text().splitlines()


class Scene:
    def __init__(self, bin_dir, folder):
        self.bin = Path(bin_dir)
        self.dir = Path(folder)
        self.processes = []
        self.consumers = []
        self.fed = 0
        self.feeding = True
        self.network = Network(["broker", "one", "two", "feeder"])
        self.url = f"tcp://{self.network.address['broker']}:{PORT}"
        self.keys = {}

    # --- programs ---

    def start(self, host, user, *args, **streams):
        env = dict(os.environ, TELPHER_SERVER=self.url, TELPHER_KEY_FILE=str(self.keys[user]))
        process = subprocess.Popen(self.network.command(host, self.bin / "telpher", *args), env=env, **streams)
        self.processes.append(process)
        return process

    def admin(self, *args):
        local = [str(self.bin / "telpher"), "-s", f"ipc://{self.dir}/b.sock", *map(str, args)]
        return sh(*local)

    def show(self):
        return json.loads(self.admin("queue", "show", "jobs", "-o", "json").stdout)

    def begin(self):
        telpher = str(self.bin / "telpher")
        server_key = self.dir / "server.key"
        sh(telpher, "keygen", str(server_key))
        for user, right in (("workers", "--get"), ("feeder", "--put")):
            self.keys[user] = self.dir / f"{user}.key"
            sh(telpher, "user", "add", user, right, "jobs", "--dir", f"{self.dir}/users", "--server-key",
               str(server_key), "--out", str(self.keys[user]))
        self.broker_log = open(self.dir / "broker.log", "wb")
        broker = subprocess.Popen(
            self.network.command("broker", self.bin / "telpherd", "--data-dir", self.dir / "data", "--listen",
                                 f"ipc://{self.dir}/b.sock", "--listen", f"tcp://0.0.0.0:{PORT}", "--server-key",
                                 server_key, "--users", self.dir / "users", "--session-lease-ms", LEASE_S * 1000,
                                 "--heartbeat-ms", 1000), stdout=subprocess.PIPE, stderr=self.broker_log)
        self.processes.append(broker)
        line = broker.stdout.readline().decode()
        assert "ready" in line, f"telpherd is not ready: {line}"
        self.admin("queue", "create", "jobs", "--maxsize", 100)
        self.producer = self.start("feeder", "feeder", "put", "jobs", "--lines", "--seal", "--no-progress",
                                   stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self.feeder = threading.Thread(target=self.feed)
        self.feeder.start()

    def feed(self):
        while self.feeding:
            while self.feeding and self.fed < self.handled() + AHEAD:
                self.producer.stdin.write((LINE % self.fed).encode())
                self.fed += 1
            self.producer.stdin.flush()
            pass_time(0.05)
        self.producer.stdin.close()

    def handled(self):
        return sum(consumer.count() for consumer in list(self.consumers))

    def add(self, *hosts):
        for host in hosts:
            self.consumers.append(Consumer(self, host, len(self.consumers)))

    def close(self):
        self.feeding = False
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        self.network.close()

    # --- claims ---

    def expect_shares(self, consumers, what):
        """In windows of 1 s nobody gets less than half of what is his share then."""
        pass_time(1)
        for window in range(WINDOWS):
            for attempt in range(TRIES):
                before = [consumer.count() for consumer in consumers]
                pass_time(1)
                done = [consumer.count() - then for consumer, then in zip(consumers, before)]
                share = sum(done) / len(done)
                if min(done) >= share / 2 and share > 0:
                    break
                print(f"   {what}: {done}, again")
            else:
                raise AssertionError(f"{what}: somebody got less than half his share: {done}")
            print(f"   {what}, window {window + 1}: {done}")

    def expect_soon(self, limit, what, holds):
        begin = time.monotonic()
        while time.monotonic() - begin < limit:
            if holds():
                print(f"   {what}: after {time.monotonic() - begin:.1f} s")
                return
            pass_time(0.05)
        raise AssertionError(f"{what}: not within {limit} s")

    def run(self):
        self.begin()
        self.add("one", "two")
        self.expect_soon(10, "work is done on both hosts", lambda: all(c.count() > 0 for c in self.consumers))
        self.expect_shares(self.consumers, "2 consumers")

        self.add("one", "one", "two", "two")
        self.expect_shares(self.consumers, "6 consumers")

        for consumer in self.consumers[2:5]:
            consumer.process.send_signal(signal.SIGTERM)
        for consumer in self.consumers[2:5]:
            assert consumer.process.wait(10) == 0, "a consumer that is told to stop ends well"
        left = [self.consumers[0], self.consumers[1], self.consumers[5]]
        self.expect_shares(left, "3 consumers")

        self.cut_and_mend(cut=[c for c in left if c.host == "one"], others=[c for c in left if c.host == "two"])
        self.expect_shares(left, "3 consumers again")
        self.finish(left)

    def cut_and_mend(self, cut, others):
        redelivered = self.show()["redelivered"]
        self.network.cut("one")
        print("   the cable of one host is cut")
        # What is looked at: the consumers of that host are gone, and so are their leases.
        self.expect_soon(LEASE_S + 3, "its leases have returned",
                         lambda: self.show()["redelivered"] > redelivered or self.show()["consumers"] <= len(others) * PROCESSES)
        before = [consumer.count() for consumer in others]
        pass_time(2)
        assert all(consumer.count() > then for consumer, then in zip(others, before)), "the others go on"
        before = [consumer.count() for consumer in cut]
        pass_time(1)
        assert before == [consumer.count() for consumer in cut], "nothing is done where the cable is cut"
        self.network.mend("one")
        self.expect_soon(REJOIN_S, "the host is back by itself",
                         lambda: all(c.count() > then for c, then in zip(cut, before)))

    def finish(self, consumers):
        self.feeding = False
        self.feeder.join(20)
        assert self.producer.wait(60) == 0, self.producer.stderr.read().decode()
        self.admin("join", "jobs", "--timeout", "60s")
        for consumer in consumers:
            assert consumer.process.wait(30) == 0, "consumers end at the end of the queue"
        handled = [line for consumer in self.consumers for line in consumer.lines()]
        expected = {(LINE % number).strip() for number in range(self.fed)}
        lost = expected - set(handled)
        print(f"   {self.fed} put, {len(handled) - len(set(handled))} handled twice, {len(lost)} lost")
        assert not lost, f"lost: {sorted(lost)[:10]}"
        assert set(handled) <= expected


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="tlp") as folder:
        try:
            scene = Scene(sys.argv[1], folder)
        except Skip as why:
            print(f"SKIPPED: {why}")
            sys.exit(77)
        try:
            scene.run()
        except BaseException:
            for log in sorted(Path(folder).glob("*.log")):
                print(f"--- {log.name} ---\n{log.read_text(errors='replace')[-3000:]}")
            raise
        finally:
            scene.close()
    print("passed")


if __name__ == "__main__":
    main()
