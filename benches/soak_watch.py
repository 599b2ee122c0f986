#!/usr/bin/env python3
"""Watches mailboxes on Dovecot while everything goes wrong: scripts/dev/bench soak-watch.

  scripts/dev/bench soak-watch [--minutes N] [--accounts N] [--rate N] [--kill] [--seed N] [--build PATH]

It watches the INBOX of each account, to which Postfix delivers letters (it needs root), and one more
mailbox, which gets some by APPEND. A relay stands in front of Dovecot. Every few seconds it cuts connections, stalls them, loses them without
telling one side, refuses new ones for a while, or spoils the password of logins; now and then Dovecot is
restarted; once the other mailbox gets another UIDVALIDITY. --kill
also kills the watch by SIGKILL every second or so, and starts it again. Each letter must be handled; those
that were handled more than once are counted. The exit code is 1 if a letter is missing, or if memory
has grown by more than a tenth after the first third.
"""
import argparse, imaplib, os, pathlib, random, smtplib, socket, subprocess, sys, tempfile, threading, time

from common import PROJECT, release_build
from watching import HOST, connect, letter, start_dovecot, status


class Relay:
    def __init__(self, port):
        self.target, self.pairs, self.lock = port, [], threading.Lock()
        self.refuses_until = self.denies_until = 0
        self.denied = 0
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            if time.monotonic() < self.refuses_until:
                client.close()
                continue
            try:
                server = socket.create_connection((HOST, self.target))
            except OSError:
                client.close()
                continue
            pair = {"client": client, "server": server, "stalled": 0, "lost": False}
            for one in (pair["client"], pair["server"]):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.append(pair)
            for here, there in (("client", "server"), ("server", "client")):
                threading.Thread(target=self.pump, args=[pair, here, there], daemon=True).start()

    def pump(self, pair, here, there):
        try:
            while data := pair[here].recv(65536):
                while time.monotonic() < pair["stalled"]:
                    time.sleep(0.05)
                if b" LOGIN " in data and time.monotonic() < self.denies_until:
                    data = data.replace(b'"pw"', b'"no"')
                    self.denied += 1
                if pair["lost"]:
                    continue  # it goes nowhere, and nobody is told
                pair[there].sendall(data)
        except OSError:
            pass
        if not pair["lost"]:
            self.cut(pair)

    def cut(self, pair):
        with self.lock:
            if pair in self.pairs:
                self.pairs.remove(pair)
        for one in ("client", "server"):
            try:
                pair[one].shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            pair[one].close()

    def disturb(self, chance):
        with self.lock:
            pairs = list(self.pairs)
        kind = chance.choice(["cut one", "cut one", "cut all", "stall", "lose", "refuse", "deny"])
        if kind == "refuse":
            self.refuses_until = time.monotonic() + chance.uniform(1, 8)
        if kind == "deny":
            self.denies_until = time.monotonic() + chance.uniform(1, 8)
        for pair in pairs if kind in ("cut all", "refuse", "deny") else chance.sample(pairs, min(1, len(pairs))):
            if kind == "stall":
                pair["stalled"] = time.monotonic() + chance.uniform(1, 20)
            elif kind == "lose":
                pair["lost"] = True
            else:
                self.cut(pair)
        return kind


OTHER = ("p0", "box")


def program(port, accounts):
    lines = [f'(define-account {name} :host "{HOST}" :port {port} :user "{name}" :password "pw" :auth :login :timeout 5)' for name in accounts]
    lines.append("(defun tell (mb letters) (format t \"~a~%\" (letter-subject (first (letters->list letters)))) (finish-output))")
    mailboxes = [OTHER, *((name, "INBOX") for name in accounts)]
    watches = " ".join(f"(list '{name} \"{mailbox}\" 'soak #'tell :from :all)" for name, mailbox in mailboxes)
    lines.append(f"(watch (list {watches}) :keep-alive 5 :retry-after '(1 2 5) :attempts 1000)")
    return "\n".join(lines)


class Watch:
    """The process, started again when it was killed; its lines."""

    def __init__(self, build, script, folder):
        self.command = [build, "run", script]
        self.environment = {**os.environ, "POSTOFFICE_STATE": str(folder / "state")}
        self.errors = open(folder / "errors", "w")
        self.times, self.lock = {}, threading.Lock()
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=self.environment)
        self.reader = threading.Thread(target=self.read, args=[self.process], daemon=True)
        self.reader.start()

    def read(self, process):
        for line in process.stdout:
            if line.endswith("\n"):
                with self.lock:
                    self.times[line.strip()] = self.times.get(line.strip(), 0) + 1

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()


def renumber(client, mailbox):
    """Gives a mailbox other UIDs: its letters are copied into a new one of its name."""
    client.rename(mailbox, "aside")
    client.create(mailbox)
    client.select("aside")
    client.copy("1:*", mailbox)
    client.unselect()


def restart_dovecot(folder, port):
    """Ends Dovecot with all its connections, and starts it with the same ports and mail."""
    command = ["dovecot", "-c", folder / "dovecot.conf"]
    subprocess.run([*command, "stop"], check=True)
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, port)).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("Dovecot did not start again")


def main():
    sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--accounts", type=int, default=8)
    parser.add_argument("--rate", type=float, default=2)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", type=pathlib.Path)
    options = parser.parse_args()
    build, chance = release_build(options.build), random.Random(options.seed)
    accounts = [f"p{number}" for number in range(options.accounts)]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        port, postfix = start_dovecot(folder), folder / "postfix"
        started = subprocess.run([PROJECT / "scripts/dev/postfix", "start", postfix, folder], capture_output=True, text=True, check=True)
        try:
            run(options, build, chance, folder, port, int(started.stdout), accounts)
        finally:
            subprocess.run([PROJECT / "scripts/dev/postfix", "stop", postfix], stderr=subprocess.DEVNULL)
            subprocess.run([PROJECT / "scripts/dev/dovecot", "stop", folder], stderr=subprocess.DEVNULL)


def run(options, build, chance, folder, port, smtp, accounts):
    relay = Relay(port)
    for name in accounts:
        connect(name, port).select()  # makes the mailbox
    client, postfix = connect(OTHER[0], port), smtplib.SMTP(HOST, smtp)
    client.create(OTHER[1])
    script = folder / "watch.scm"
    script.write_text(program(relay.port, accounts))
    watch = Watch(build, script, folder)
    begun = time.monotonic()
    end = begun + options.minutes * 60
    where = {}
    sent, kills, disturbed, memory, renumbered = [], 0, {}, [], False
    next_fault, next_letter, next_kill, next_look = begun + 3, begun + 1, begun + 2, begun + 10
    next_restart, restarts = begun + 20, 0
    while (now := time.monotonic()) < end:
        if now >= next_letter:
            subject = f"s{len(sent)}"
            receiver = chance.choice([None, *accounts])
            if receiver:
                postfix.sendmail("soak@example.org", f"{receiver}@example.org", letter(subject))
            else:
                client.append(OTHER[1], None, None, letter(subject))
            sent.append(subject)
            where[subject] = (receiver, "INBOX") if receiver else OTHER
            next_letter += 1 / options.rate
        if now >= next_fault:
            kind = relay.disturb(chance)
            disturbed[kind] = disturbed.get(kind, 0) + 1
            next_fault = now + chance.uniform(2, 6)
        if now >= next_restart:
            restart_dovecot(folder, port)
            client = connect(OTHER[0], port)
            restarts += 1
            next_restart = now + chance.uniform(20, 90)
        if options.kill and now >= next_kill:
            watch.kill()
            watch.start()
            kills += 1
            next_kill = now + chance.uniform(0.2, 2)
        if not renumbered and now >= begun + options.minutes * 30:
            renumber(client, OTHER[1])
            renumbered = True
        if now >= next_look and watch.process.poll() is None:
            memory.append(status(watch.process.pid)[0])
            next_look = now + 10
        time.sleep(0.005)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and any(subject not in watch.times for subject in sent):
        time.sleep(0.2)
    watch.kill()
    missing = [subject for subject in sent if subject not in watch.times]
    repeated = sum(times - 1 for times in watch.times.values())
    print(f"{options.minutes:g} minutes, {len(accounts) + 1} mailboxes, {len(sent)} letters; faults {disturbed}; killed {kills} times; Dovecot restarted {restarts} times, {relay.denied} logins denied")
    print(f"missing {len(missing)}, handled again {repeated}; resident KB every 10 s: {memory[:3]} … {memory[-3:]}")
    for subject in missing[:20]:
        name, mailbox = where[subject]
        found = connect(name, port)
        found.select(mailbox, readonly=True)
        print(f"{subject} in {name} {mailbox}: {found.search(None, 'SUBJECT', subject)}, next {found.response('UIDNEXT')}")
    told = [line for line in watch.times if not line.startswith("s")]
    if told:
        print(f"other lines: {told[:5]}")
    for line in (folder / "errors").read_text().splitlines()[-5:] if missing else []:
        print(line)
    grown = not options.kill and len(memory) > 9 and memory[-1] > memory[len(memory) // 3] * 1.1
    if missing or grown:
        sys.exit(1)


if __name__ == "__main__":
    main()
