#!/usr/bin/env python3
"""Measures rules over a mailbox beside imapfilter: scripts/dev/bench rules.

  scripts/dev/bench rules [-n RUNS] [--letters N] [--build PATH] [--write]

The same 40 rules run in postoffice (with-rules) and in imapfilter, and the 40 with 960 more that take
no letter in postoffice. Half of the rules look for a sender, a quarter for a mailing list, and a
quarter for a subject; a rule moves its letters to one of ten mailboxes. Every run has a mailbox of its
own on a Dovecot that is started for it, and the order of the programs changes. A run more goes through
a proxy that counts commands and bytes. --write puts the table into docs/performance.md.
"""
import argparse, datetime, os, pathlib, random, shutil, statistics, subprocess, sys, tempfile, time

from common import PROJECT, Proxy, machine, release_build, write_section

FEW, MANY = 40, 1000


def letter(index):
    r = random.Random(f"rules/{index}")
    head = [f"From: Writer {index} <w{index % 2000}@example.org>", "To: \"Reader, A.\" <reader@example.com>",
            f"Subject: report {index % 1500}: {r.choice(['budget', 'meeting', 'order'])}", f"Date: {r.randint(1, 28)} Sep 1999 12:{r.randrange(60):02}:00 +0000",
            f"Message-ID: <{index}.{r.randrange(10**9)}@example.org>"]
    if index % 3 == 0:
        head.append(f"List-Id: List {index % 600} <list{index % 600}.example.org>")
    return "\n".join(head) + "\n\n" + "a line of the text\n" * r.choice([10, 40, 200])


def fill(folder, users, letters):
    texts = [letter(index) for index in range(1, letters + 1)]
    for user in users:
        box = folder / "mail" / user / "Maildir"
        for sub in ("cur", "new", "tmp"):
            (box / sub).mkdir(parents=True)
        for index, text in enumerate(texts):
            (box / "cur" / f"{index:06}.M1.bench:2,").write_text(text)
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", "5000:5000", folder / "mail"], check=True)


def rules(count):
    """Returns kind, text and target of each rule."""
    found = []
    for k in range(count):
        there = k < FEW
        kind = ("from", "from", "list", "subject")[k % 4]
        text = {"from": f"w{k}@{'example' if there else 'nowhere'}.org", "list": f"list{3 * k if there else 10_000 + k}.example.org",
                "subject": f"report {k if there else 100_000 + k}:"}[kind]
        found.append((kind, text, f"r{k % 10}"))
    return found


def postoffice(user, port, count):
    key = {"from": '(:from "{}")', "list": '(:list "{}")', "subject": '(:subject "{}")'}
    lines = "\n".join(f'({key[kind].format(text)} (:move "{target}"))' for kind, text, target in rules(count))
    return f'(with-imap-connection (mb "127.0.0.1" :port {port} :user "{user}" :password "pw" :auth :login :timeout 300)\n(with-rules (mb "INBOX" :create t)\n{lines}))\n'


def imapfilter(user, port, count):
    method = {"from": "contain_from('{}')", "list": "contain_field('List-Id', '{}')", "subject": "contain_subject('{}')"}
    lines = "\n".join(f"box.INBOX:{method[kind].format(text)}:move_messages(box.{target})" for kind, text, target in rules(count))
    return f'options.starttls = false; options.info = false; options.timeout = 300; options.create = true\nbox = IMAP {{ server = "127.0.0.1", port = {port}, username = "{user}", password = "pw" }}\n{lines}\n'


def measure(command, environment):
    start = time.monotonic()
    said = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - start
    if said.returncode:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{said.stdout}\n{said.stderr}")
    return seconds


def write(lines, runs, letters):
    write_section("Rules", [
        f"Written by `scripts/dev/bench rules --write` on {datetime.date.today()}; {machine()}; load {os.getloadavg()[1]:.1f}.",
        f"Rules that move letters out of a mailbox of {letters:,} letters on Dovecot, by sender, mailing list and",
        f"subject, in postoffice (`with-rules`) and imapfilter. The seconds are medians of {runs} runs, start of the",
        "process and login included; each run has a mailbox of its own, and the order of the programs changes.",
        "The ratio is that of the medians to imapfilter's. Commands and bytes were counted in a run more.", "",
        *lines,
    ])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=5, help="runs (default 5)")
    parser.add_argument("--letters", type=int, default=10_000)
    parser.add_argument("--build", type=pathlib.Path, help="the postoffice binary to measure; by default one is built")
    parser.add_argument("--write", action="store_true")
    a = parser.parse_args()
    build = release_build(a.build)
    if not shutil.which("imapfilter"):
        parser.error("imapfilter is not installed")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postoffice-rules-"))
    folder.chmod(0o755)
    programs = {
        f"postoffice, {FEW} rules": (postoffice, FEW, ".scm", [build, "run"]),
        f"postoffice, {MANY} rules": (postoffice, MANY, ".scm", [build, "run"]),
        f"imapfilter, {FEW} rules": (imapfilter, FEW, ".lua", ["imapfilter", "-c"]),
    }
    environment = {**os.environ, "HOME": str(folder), "IMAPFILTER_HOME": str(folder), "POSTOFFICE_STATE": str(folder / "state")}
    try:
        started = subprocess.run([PROJECT / "scripts/dev/dovecot", "start", folder], capture_output=True, text=True)
        if started.returncode:
            sys.exit(started.stderr)
        port = int(started.stdout.split()[0])
        runs = range(-1, a.n)  # run -1 goes through the proxy, and warms up
        user = lambda at, run: f"u{at}-{run + 1}"
        fill(folder, [user(at, run) for at in range(len(programs)) for run in runs], a.letters)
        seconds = {name: [] for name in programs}
        counted = {}
        for run in runs:
            for at, name in random.sample(list(enumerate(programs)), len(programs)):
                make, count, ending, command = programs[name]
                counter = Proxy(port) if run < 0 else None
                script = folder / f"script{ending}"
                script.write_text(make(user(at, run), counter.port if counter else port, count))
                # Dovecot's index of a new mailbox is made before, so that all programs find one.
                index(port, user(at, run))
                wall = measure([*command, script], environment)
                if counter:
                    counted[name] = (counter.commands, counter.sent, counter.received)
                else:
                    seconds[name].append(wall)
        left = {len(list((folder / "mail" / user(at, run) / "Maildir" / "cur").iterdir())) for at in range(len(programs)) for run in runs}
        if len(left) != 1 or left == {a.letters}:
            sys.exit(f"the programs left different letters: {left}")
        base = statistics.median(seconds[f"imapfilter, {FEW} rules"])
        lines = ["| | seconds | from | to | ratio | commands | bytes sent | bytes received |", "|---|---|---|---|---|---|---|---|"]
        for name, walls in seconds.items():
            commands, sent, received = counted[name]
            lines.append(f"| {name} | {statistics.median(walls):.3f} | {min(walls):.3f} | {max(walls):.3f} | {statistics.median(walls) / base:.2f} | {commands} | {sent:,} | {received:,} |")
        print("\n".join(lines))
        if a.write:
            write(lines, a.n, a.letters)
    finally:
        subprocess.run([PROJECT / "scripts/dev/dovecot", "stop", folder], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def index(port, user):
    import imaplib
    client = imaplib.IMAP4("127.0.0.1", port)
    client.login(user, "pw")
    client.select("INBOX")
    client.logout()


main()
