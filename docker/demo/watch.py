#!/usr/bin/env python3
"""What arrives, when, and whether it is ever half: a line a second, until SIGTERM.

    watch.py LIVE_FILE "source mysql command" "destination mysql command"

Both commands are clients that read SQL on stdin and answer in tab separated
lines. LIVE_FILE is created once the initial snapshot has arrived; from then on
every look at the destination also checks that the money adds up and that the
transfers are as many as the heartbeat says. SIGTERM ends it with a summary;
status 1 if a check failed.
"""

import pathlib
import shlex
import signal
import subprocess
import sys
import time

MONEY = 1000 * 1000
END = "~end~"

BEAT = "SELECT seq, changes, TIMESTAMPDIFF(MICROSECOND, written_at, UTC_TIMESTAMP(6)) FROM demo.heartbeat WHERE id = 1"
# The schema is named in each query: on the destination it does not exist at first.
# One statement is one read view: what it sees was true at one moment, or never.
CHECK = (
    "SELECT h.seq, (SELECT SUM(balance) FROM demo.accounts), (SELECT COUNT(*) FROM demo.transfers), h.transfers "
    "FROM demo.heartbeat h WHERE id = 1"
)
TABLES = [
    "sections", "maintainers", "packages", "dependencies", "accounts", "heartbeat",
    "time_zone", "time_zone_name", "time_zone_transition", "time_zone_transition_type",
]


class Client:
    """One `mysql` that stays open: a new one for each question would take longer than the answer."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1
        )

    def rows(self, query):
        """No rows also where the table does not exist yet."""
        self.process.stdin.write(f"{query};\nSELECT '{END}';\n")
        self.process.stdin.flush()
        answer = []
        for line in self.process.stdout:
            if line.rstrip("\n") == END:
                return answer
            answer.append(line.rstrip("\n").split("\t"))
        sys.exit("watch.py: the mysql client has ended")

    def counts(self):
        return [int((self.rows(f"SELECT COUNT(*) FROM demo.{table}") or [["0"]])[0][0]) for table in TABLES]


class Watch:
    def __init__(self, live, source, destination):
        self.live = pathlib.Path(live)
        self.source, self.destination = Client(source), Client(destination)
        self.seen, self.lags, self.recent = -1, [], []
        self.applied = 0
        self.checks = self.broken = 0

    def look(self):
        for seq, changes, lag_us in self.destination.rows(BEAT):
            self.applied = int(changes)
            if int(seq) != self.seen:
                self.seen = int(seq)
                self.recent.append(max(0, int(lag_us)) / 1000)

    def check(self):
        for seq, money, transfers, promised in self.destination.rows(CHECK):
            self.checks += 1
            if money == "NULL" or float(money) != MONEY or transfers != promised:
                self.broken += 1
                print(f"  HALF A TRANSACTION at heartbeat {seq}: money {money}, transfers {transfers} of {promised}", flush=True)

    def snapshot_arrived(self):
        """Traffic goes on meanwhile, so counts are compared with some room."""
        there, here = self.source.counts(), self.destination.counts()
        return self.seen > 0 and all(abs(a - b) <= max(20, a // 100) for a, b in zip(there, here)) and max(self.recent, default=9e9) < 5000

    def line(self, started):
        beat = self.source.rows(BEAT)
        committed = int(beat[0][1]) if beat else 0
        lag = f"{percentile(self.recent, 50):9.0f}{percentile(self.recent, 100):9.0f}" if self.recent else f"{'-':>9}{'-':>9}"
        phase = "live" if self.live.exists() else f"snapshot, {sum(self.destination.counts()):,} rows there"
        print(f"{time.monotonic() - started:6.0f}{committed:12,}{self.applied:12,}{lag}{self.checks:9}{self.broken:8}  {phase}", flush=True)

    def run(self, stopped):
        started = printed = time.monotonic()
        print(f"{'second':>6}{'committed':>12}{'applied':>12}{'lag ms':>9}{'max ms':>9}{'checks':>9}{'broken':>8}", flush=True)
        while not stopped:
            self.look()
            if self.live.exists():
                self.check()
            if time.monotonic() - printed >= 1:
                printed += 1
                self.line(started)
                self.settle()
            time.sleep(0.005)

    def settle(self):
        if self.live.exists():
            self.lags += self.recent
        elif self.snapshot_arrived():
            time.sleep(1)
            self.live.touch()
        self.recent = []

    def summary(self):
        if not self.live.exists():
            return 1
        print(f"changes seen to arrive {len(self.lags):,} times; lag ms: median {percentile(self.lags, 50):.0f}, "
              f"95 % {percentile(self.lags, 95):.0f}, 99 % {percentile(self.lags, 99):.0f} (crash included)")
        print(f"looks at the destination {self.checks:,}, of them with half a transaction: {self.broken}", flush=True)
        return 1 if self.broken else 0


def percentile(values, percent):
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def main():
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    watch = Watch(*sys.argv[1:4])
    watch.run(stopped)
    sys.exit(watch.summary())


if __name__ == "__main__":
    main()
