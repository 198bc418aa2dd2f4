#!/usr/bin/env python3
"""The demo's rows as SQL on stdout: the distribution's package index.

Every Debian has one in /var/lib/apt/lists once `apt-get update` has run: names,
people, versions and texts as they are, in all the letters that people have. Only
where there is none, rows of the same shape are made up.

    data.py [how many packages]  |  mysql … demo
"""

import glob
import json
import os
import random
import re
import subprocess
import sys

ACCOUNTS = 1000
BALANCE = 1000
ROWS_PER_STATEMENT = 500
ARCHITECTURES = {"all", "amd64", "arm64", "i386"}
PRIORITIES = {"required", "important", "standard", "optional", "extra"}
KINDS = ["pre-depends", "depends", "recommends", "suggests"]
RELATION = re.compile(r"^(?P<name>[^\s(:]+)(?::\S+)?(?:\s*\((?P<op>[<>=]+)\s*(?P<version>[^)]+)\))?")


def quote(value):
    """A literal of MySQL."""
    if value is None:
        return "NULL"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, bytes):
        return "X'" + value.hex() + "'"
    return "'" + value.replace("\\", "\\\\").replace("'", "''").replace("\0", "\\0") + "'"


class Table:
    """Collects rows and writes them as multi-row inserts."""

    def __init__(self, name, columns):
        self.head = f"INSERT INTO {name} ({', '.join(columns)}) VALUES\n"
        self.rows = []

    def add(self, *values):
        self.rows.append("(" + ", ".join(quote(value) for value in values) + ")")
        if len(self.rows) >= ROWS_PER_STATEMENT:
            self.flush()

    def flush(self):
        if self.rows:
            sys.stdout.write(self.head + ",\n".join(self.rows) + ";\n")
            self.rows = []


def biggest_index():
    """The distribution's own list is the largest, whatever else is configured."""
    found = glob.glob("/var/lib/apt/lists/*_Packages*")
    return max(found, key=os.path.getsize, default=None)


def stanzas(path):
    """Fields of each package. apt's helper reads every compression that apt writes."""
    helper = ["/usr/lib/apt/apt-helper", "cat-file", path]
    with subprocess.Popen(helper, stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace") as index:
        fields, name = {}, None
        for line in index.stdout:
            if line == "\n":
                if fields:
                    yield fields
                fields, name = {}, None
            elif line[0] in " \t":
                fields[name] += "\n" + line.strip()
            else:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        if fields:
            yield fields
    if index.returncode != 0:
        sys.exit(f"data.py: cannot read {path}")


def made_up(count):
    """For machines without a package index."""
    rng = random.Random(1)
    people = ["Zoë Ångström", "李小龍", "Ľubomír Šťastný", "Олена Ковальчук", "José Muñoz", "さくら 🌸", "O'Brien \\ Söhne"]
    for number in range(count):
        person = rng.randrange(len(people) * 40)
        yield {
            "Package": f"thing-{number}",
            "Version": f"{rng.randrange(9)}.{rng.randrange(99)}-{rng.randrange(9)}",
            "Architecture": rng.choice(["all", "amd64"]),
            "Maintainer": f"{people[person % len(people)]} <m{person}@example.org>",
            "Section": rng.choice(["admin", "devel", "games", "libs", "net", "text"]),
            "Priority": "optional",
            "Installed-Size": str(rng.randrange(10**6)),
            "Size": str(rng.randrange(10**9)),
            "SHA256": rng.randbytes(32).hex(),
            "Description": "a thing – für jede Gelegenheit, 何でも",
            "Depends": ", ".join(f"thing-{rng.randrange(count)} (>= 1.{k})" for k in range(rng.randrange(6))),
        }


def packages(count):
    """Evenly over the alphabet, so that the sample has some of everything."""
    path = biggest_index()
    if path is None:
        yield from made_up(count)
        return
    print(f"data.py: {os.path.basename(path)}", file=sys.stderr)
    everything = list(stanzas(path))
    step = max(1, len(everything) // count)
    yield from everything[::step][:count]


class Numbers(dict):
    """Gives each key the next number when it is first seen."""

    def __missing__(self, key):
        self[key] = len(self) + 1
        return self[key]


def relations(fields):
    """kind, place, alternative, name, operator, version of each dependency."""
    for kind in KINDS:
        for place, group in enumerate(fields.get(kind.title(), "").split(",")):
            for alternative, text in enumerate(group.split("|")):
                match = RELATION.match(text.strip())
                if match:
                    yield kind, place, alternative, match["name"], match["op"], match["version"]


def person(fields):
    """Name and address; the address is unique."""
    name, _, email = fields.get("Maintainer", "nobody <>").rstrip(">").partition(" <")
    return name[:255], (email or name)[:255]


def package_row(number, fields, section, maintainer):
    architecture = fields.get("Architecture")
    tags = re.findall(r"[^,\s]+", fields.get("Tag", ""))
    return [
        number,
        fields["Package"],
        fields["Version"],
        architecture if architecture in ARCHITECTURES else "other",
        fields.get("Priority") if fields.get("Priority") in PRIORITIES else None,
        fields.get("Multi-Arch", "").replace("no", ""),
        1 if fields.get("Essential") == "yes" else 0,
        section,
        maintainer,
        int(fields["Installed-Size"]) if "Installed-Size" in fields else None,
        int(fields.get("Size", 0)),
        number / 7,
        bytes.fromhex(fields["SHA256"]) if "SHA256" in fields else None,
        fields.get("Homepage"),
        fields.get("Description", ""),
        json.dumps({"tags": tags, "source": fields.get("Source")}, ensure_ascii=False) if tags else None,
        "2024-02-29 12:34:56.%06d" % (number % 10**6),
    ]


def write_index(count):
    sections, maintainers = Numbers(), Numbers()
    names, rows, needs, counts = {}, [], [], {}
    for number, fields in enumerate(packages(count), 1):
        name, email = person(fields)
        names.setdefault(email, name)
        section = sections[fields.get("Section", "unknown")]
        counts[section] = counts.get(section, 0) + 1
        rows.append(package_row(number, fields, section, maintainers[email]))
        needs.extend((number, *relation) for relation in relations(fields))
    write("sections", ["id", "name", "packages"], [(number, name, counts[number]) for name, number in sections.items()])
    write("maintainers", ["id", "name", "email"], [(number, names[email], email) for email, number in maintainers.items()])
    write("packages", [
        "id", "name", "version", "architecture", "priority", "multi_arch", "essential", "section_id", "maintainer_id",
        "installed_kib", "size_bytes", "popularity", "sha256", "homepage", "summary", "tags", "seen_at",
    ], rows)
    write("dependencies", ["package_id", "kind", "place", "alternative", "target", "relation", "version"], needs)


def write(name, columns, rows):
    table = Table(name, columns)
    for row in rows:
        table.add(*row)
    table.flush()


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write("SET NAMES utf8mb4;\nSET autocommit=0;\nSET time_zone='+00:00';\n")
    write_index(count)
    write("accounts", ["id", "owner", "balance"], [(number, f"owner {number} 🏦", BALANCE) for number in range(1, ACCOUNTS + 1)])
    sys.stdout.write("INSERT INTO heartbeat VALUES (1, 0, 0, 0, UTC_TIMESTAMP(6));\nCOMMIT;\n")


if __name__ == "__main__":
    main()
