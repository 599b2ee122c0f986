#!/usr/bin/env python3
"""Measures how soon a watch hears of a letter: scripts/dev/bench watching.

  scripts/dev/bench watching [--server dovecot|sandbox] [--accounts N] [--mailboxes N] [--rate N]
                             [--seconds N] [--build PATH] [--without NAME …]

One process watches all mailboxes of all accounts. Letters are appended to one mailbox after the other
at a steady rate. The time of a letter counts from the moment before APPEND is sent to the moment when
the procedure's first line of output is read. At rest means that nothing arrives. On Linux every Dovecot
process that waits takes an inotify instance; if there are fewer than mailboxes (sysctl
fs.inotify.max_user_instances), Dovecot looks for mail only now and then.
"""
import argparse, imaplib, os, pathlib, resource, statistics, subprocess, sys, tempfile, threading, time

from common import PROJECT, machine, release_build

HOST = "127.0.0.1"


def start_dovecot(folder):
    folder.chmod(0o755)
    started = subprocess.run([PROJECT / "scripts/dev/dovecot", "start", folder], capture_output=True, text=True, check=True)
    return int(started.stdout.split()[0])


def start_sandbox(build, names, without):
    arguments = [build, "sandbox", "--empty"]
    for name in names:
        arguments += ["--account", f"{name}:pw"]
    if without:
        arguments += ["--without", ",".join(without)]
    server = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in server.stdout:
        words = line.split()
        if words and words[0].lower().startswith("imap"):
            return server, int(line.split(":")[-1].split()[0])
    sys.exit("the sandbox did not start")


def status(process):
    """Resident KB, open descriptors, and seconds of processor time."""
    lines = dict(line.split(":", 1) for line in open(f"/proc/{process}/status") if ":" in line)
    fields = open(f"/proc/{process}/stat").read().rsplit(")", 1)[1].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return int(lines["VmRSS"].split()[0]), len(os.listdir(f"/proc/{process}/fd")), (int(fields[11]) + int(fields[12])) / ticks


def program(port, accounts, mailboxes):
    lines = [f'(define-account {name} :host "{HOST}" :port {port} :user "{name}" :password "pw" :auth :login)' for name in accounts]
    lines.append("(defun tell (mb letters) (princ (letter-subject (first (letters->list letters)))) (terpri) (finish-output))")
    watches = " ".join(f"(list '{name} \"{mailbox}\" 'bench #'tell :from :all)" for name in accounts for mailbox in mailboxes)
    lines.append(f"(watch (list {watches}) :connections {len(mailboxes)})")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=["dovecot", "sandbox"], default="dovecot")
    parser.add_argument("--accounts", type=int, default=40)
    parser.add_argument("--mailboxes", type=int, default=5)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rest", type=float, default=20)
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--without", nargs="*", default=[])
    options = parser.parse_args()
    build = release_build(options.build)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    accounts = [f"w{number}" for number in range(options.accounts)]
    mailboxes = ["INBOX", *(f"box{number}" for number in range(1, options.mailboxes))]
    count = len(accounts) * len(mailboxes)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        server = None
        if options.server == "dovecot":
            port = start_dovecot(folder)
        else:
            server, port = start_sandbox(build, accounts, options.without)
        try:
            measure(options, build, folder, port, accounts, mailboxes, count)
        finally:
            if server:
                server.kill()
            else:
                subprocess.run([PROJECT / "scripts/dev/dovecot", "stop", folder], stderr=subprocess.DEVNULL)


def measure(options, build, folder, port, accounts, mailboxes, count):
    clients = {}
    for name in accounts:
        clients[name] = imaplib.IMAP4(HOST, port)
        clients[name].login(name, "pw")
        for mailbox in mailboxes[1:]:
            clients[name].create(mailbox)
    script = folder / "watch.scm"
    script.write_text(program(port, accounts, mailboxes))
    environment = {**os.environ, "POSTOFFICE_STATE": str(folder / "state")}
    watch = subprocess.Popen([build, "run", script], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        sent, heard = {}, {}
        changed = threading.Condition()

        def read():
            for line in watch.stdout:
                with changed:
                    heard.setdefault(line.strip(), []).append(time.monotonic())
                    changed.notify_all()

        threading.Thread(target=read, daemon=True).start()

        def deliver(subject, name, mailbox):
            sent[subject] = time.monotonic()
            clients[name].append(mailbox, None, None, f"Subject: {subject}\r\nMessage-ID: <{subject}@bench>\r\n\r\nx\r\n".encode())

        # Every mailbox has been heard once: all connections are there.
        begun = time.monotonic()
        for number, (name, mailbox) in enumerate((name, mailbox) for name in accounts for mailbox in mailboxes):
            deliver(f"first-{number}", name, mailbox)
        with changed:
            changed.wait_for(lambda: len(heard) >= count, timeout=300)
        print(f"{count} mailboxes heard within {time.monotonic() - begun:.1f} s")
        time.sleep(2)
        before = status(watch.pid)
        time.sleep(options.rest)
        at_rest = status(watch.pid)
        cpu = (at_rest[2] - before[2]) / options.rest * 100
        total = int(options.rate * options.seconds)
        start = time.monotonic()
        for number in range(total):
            time.sleep(max(0, start + number / options.rate - time.monotonic()))
            place = number * 7919 % count
            deliver(f"letter-{number}", accounts[place // len(mailboxes)], mailboxes[place % len(mailboxes)])
        with changed:
            changed.wait_for(lambda: all(subject in heard for subject in sent), timeout=60)
        missed = [subject for subject in sent if subject not in heard]
        twice = [subject for subject, times in heard.items() if len(times) > 1]
        times = sorted((heard[subject][0] - moment) * 1000 for subject, moment in sent.items() if subject in heard and subject.startswith("letter"))
        print(f"{machine()}; {options.server}, {len(accounts)} accounts, {count} mailboxes, {options.rate:g} letters a second, {total} letters")
        print(f"milliseconds: median {statistics.median(times):.1f}, 99th percentile {times[int(len(times) * 0.99)]:.1f}, longest {times[-1]:.1f}")
        print(f"missed {len(missed)}, twice {len(twice)}")
        print(f"resident {at_rest[0]} KB, {at_rest[0] / count:.0f} KB for each mailbox; {at_rest[1]} descriptors; processor at rest {cpu:.2f} %")
        if missed or twice:
            sys.exit(1)
    finally:
        watch.kill()


if __name__ == "__main__":
    main()
