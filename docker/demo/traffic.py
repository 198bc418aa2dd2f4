#!/usr/bin/env python3
"""Business as usual, as SQL on stdout: small transactions until SIGTERM.

    traffic.py TRANSACTIONS_PER_SECOND | mysql … demo

Transfers between accounts, edited and new and deleted packages, and now and then
two rows that exchange a unique value. Every transaction moves the heartbeat row,
so that the destination can be asked how far it is, and whether it ever shows half
a transaction.
"""

import collections
import random
import signal
import sys
import time

ACCOUNTS = 1000
WORDS = ["naïve", "Straße", "日本語", "Ελλάδα", "emoji 🚀", "O''Neill", "back\\\\slash", "tab\\tand\\nnewline", "ﬁne", "ÅÄÖ"]


class Traffic:
    """Each method returns the statements of one kind of work and the number of rows they change."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.own = collections.deque()  # packages inserted here, so that deletes find one
        self.next_id = 10_000_000
        self.transfers = 0

    def transfer(self):
        first, second = self.rng.sample(range(1, ACCOUNTS + 1), 2)
        amount = self.rng.randrange(1, 10**6) / 10**4
        self.transfers = 1
        return [
            f"UPDATE accounts SET balance = balance - {amount:.4f} WHERE id = {first}",
            f"UPDATE accounts SET balance = balance + {amount:.4f} WHERE id = {second}",
            f"INSERT INTO transfers VALUES (X'{self.rng.randbytes(16).hex()}', {first}, {second}, {amount:.4f}, UTC_TIMESTAMP(6))",
        ], 3

    def edit(self):
        number = self.rng.randrange(1, 20001)
        word = self.rng.choice(WORDS)
        return [
            f"UPDATE packages SET summary = '{word} {self.rng.randrange(10**9)}', popularity = RAND(), "
            f"installed_kib = {self.rng.randrange(2**64)} WHERE id = {number}",
        ], 1

    def insert(self):
        self.next_id += 1
        self.own.append(self.next_id)
        rows = self.rng.randrange(1, 6)
        needs = ", ".join(f"({self.next_id}, 'depends', {place}, 0, 'libc6', '>=', '2.{place}')" for place in range(rows))
        return [
            "INSERT INTO packages (id, name, version, architecture, section_id, maintainer_id, size_bytes, summary, tags, seen_at) "
            f"VALUES ({self.next_id}, 'new-{self.next_id}', '1.0', 'all', 1, 1, {self.rng.randrange(2**40)}, "
            f"'{self.rng.choice(WORDS)}', JSON_OBJECT('n', {self.rng.randrange(2**63)}, 'd', 0.5e0), UTC_TIMESTAMP(6))",
            f"INSERT INTO dependencies VALUES {needs}",
        ], 1 + rows

    def delete(self):
        if not self.own:
            return self.insert()
        number = self.own.popleft()
        return [
            f"DELETE FROM dependencies WHERE package_id = {number}",
            f"DELETE FROM packages WHERE id = {number}",
        ], 2

    def exchange(self):
        """Two rows exchange a unique value: a trap for whoever applies rows one by one."""
        return [
            "SET @a = (SELECT name FROM sections WHERE id = 1), @b = (SELECT name FROM sections WHERE id = 2)",
            "UPDATE sections SET name = '(exchange)' WHERE id = 1",
            "UPDATE sections SET name = @a WHERE id = 2",
            "UPDATE sections SET name = @b WHERE id = 1",
        ], 3

    def transaction(self):
        self.transfers = 0
        work = self.rng.choices([self.transfer, self.edit, self.insert, self.delete, self.exchange], [50, 25, 14, 10, 1])[0]
        statements, rows = work()
        beat = (
            f"UPDATE heartbeat SET seq = seq + 1, changes = changes + {rows}, transfers = transfers + {self.transfers}, "
            "written_at = UTC_TIMESTAMP(6) WHERE id = 1"
        )
        return "BEGIN;\n" + ";\n".join([*statements, beat]) + ";\nCOMMIT;\n"


def main():
    rate = float(sys.argv[1])
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    sys.stdout.reconfigure(encoding="utf-8")
    traffic = Traffic(seed=42)
    due = time.monotonic()
    while not stopped:
        sys.stdout.write(traffic.transaction())
        sys.stdout.flush()
        due = max(due + 1 / rate, time.monotonic() - 1)  # never more than a second to make up for
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
