#!/usr/bin/env python3
"""Measures how soon a watch hears of a letter: scripts/dev/bench watching.

  scripts/dev/bench watching [--server dovecot|sandbox] [--accounts N] [--mailboxes N] [--rate N]
                             [--seconds N] [--build PATH] [--without NAME …]
  scripts/dev/bench watching --beside [--letters N] [--build PATH]

One process watches all mailboxes of all accounts. Letters are appended to one mailbox after the other
at a steady rate. The time of a letter counts from the moment before APPEND is sent to the moment when
the procedure's first line of output is read. At rest means that nothing arrives. On Linux every Dovecot
process that waits takes an inotify instance; if there are fewer than mailboxes (sysctl
fs.inotify.max_user_instances), Dovecot looks for mail only now and then. Dovecot 2.3 tells a client of a
letter half a second after it has come.

--beside measures one mailbox on Dovecot that imapfilter watches, too, by enter_idle: both tell the
subject of each letter in the same run.
"""
import argparse, imaplib, os, pathlib, resource, socket, statistics, subprocess, sys, tempfile, threading, time

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
    parser.add_argument("--beside", action="store_true")
    parser.add_argument("--letters", type=int, default=60)
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
            if options.beside:
                return beside(options, build, folder, port)
            measure(options, build, folder, port, accounts, mailboxes, count)
        finally:
            if server:
                server.kill()
            else:
                subprocess.run([PROJECT / "scripts/dev/dovecot", "stop", folder], stderr=subprocess.DEVNULL)


def connect(name, port):
    client = imaplib.IMAP4(HOST, port)
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # imaplib writes in pieces
    client.login(name, "pw")
    return client


class Heard:
    """The moments at which a program has printed each line first, and how often."""

    def __init__(self, program):
        self.moments, self.times, self.changed = {}, {}, threading.Condition()
        threading.Thread(target=self.read, args=[program], daemon=True).start()

    def read(self, program):
        for line in program.stdout:
            now, line = time.monotonic(), line.strip()
            with self.changed:
                self.moments.setdefault(line, now)
                self.times[line] = self.times.get(line, 0) + 1
                self.changed.notify_all()

    def wait(self, subjects, seconds):
        with self.changed:
            self.changed.wait_for(lambda: all(subject in self.moments for subject in subjects), timeout=seconds)


def letter(subject):
    return f"Subject: {subject}\r\nMessage-ID: <{subject}@bench>\r\n\r\nx\r\n".encode()


IMAPFILTER = """
options.timeout = 120
options.certificates = false
options.starttls = false
account = IMAP { server = '%s', port = %d, username = 'w0', password = 'pw' }
io.stdout:setvbuf('line')
while true do
  local new = account.INBOX:is_unseen()
  for _, message in ipairs(new) do
    local mailbox, uid = table.unpack(message)
    local field = mailbox[uid]:fetch_field('subject')
    print((field:gsub('^[Ss]ubject: *', ''):gsub('[\\r\\n]', '')))
  end
  new:mark_seen()
  account.INBOX:enter_idle()
end
"""


def beside(options, build, folder, port):
    client = connect("w0", port)
    script, config = folder / "watch.scm", folder / "config.lua"
    script.write_text(program(port, ["w0"], ["INBOX"]))
    config.write_text(IMAPFILTER % (HOST, port))
    environment = {**os.environ, "POSTOFFICE_STATE": str(folder / "state")}
    programs = {
        "postoffice": subprocess.Popen([build, "run", script], stdout=subprocess.PIPE, text=True, env=environment),
        "imapfilter": subprocess.Popen(["env", f"IMAPFILTER_HOME={folder}", "imapfilter", "-c", config], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True),
    }
    heard = {name: Heard(program) for name, program in programs.items()}
    try:
        sent = {}
        for number in range(options.letters + 1):
            subject = f"letter-{number}"
            sent[subject] = time.monotonic()
            client.append("INBOX", None, None, letter(subject))
            for one in heard.values():
                one.wait([subject], 30)
            time.sleep(1 + number % 7 / 10)
        del sent["letter-0"]  # the connections were being made
        times = {name: [(one.moments[subject] - moment) * 1000 for subject, moment in sent.items()] for name, one in heard.items()}
        print(f"{machine()}; {options.letters} letters, one mailbox on Dovecot")
        for name, values in times.items():
            values = sorted(values)
            print(f"{name}: median {statistics.median(values):.1f} ms, longest {values[-1]:.1f} ms")
        ratios = sorted(ours / theirs for ours, theirs in zip(times["postoffice"], times["imapfilter"]))
        print(f"ratio: median {statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})")
    finally:
        for one in programs.values():
            one.kill()


def measure(options, build, folder, port, accounts, mailboxes, count):
    clients = {}
    for name in accounts:
        clients[name] = connect(name, port)
        for mailbox in mailboxes[1:]:
            clients[name].create(mailbox)
    script = folder / "watch.scm"
    script.write_text(program(port, accounts, mailboxes))
    environment = {**os.environ, "POSTOFFICE_STATE": str(folder / "state")}
    watch = subprocess.Popen([build, "run", script], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        sent, heard = {}, Heard(watch)

        def deliver(subject, name, mailbox):
            sent[subject] = time.monotonic()
            clients[name].append(mailbox, None, None, letter(subject))

        # Every mailbox has been heard once: all connections are there.
        begun = time.monotonic()
        for number, (name, mailbox) in enumerate((name, mailbox) for name in accounts for mailbox in mailboxes):
            deliver(f"first-{number}", name, mailbox)
        heard.wait(sent, 300)
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
        heard.wait(sent, 60)
        missed = [subject for subject in sent if subject not in heard.moments]
        twice = [subject for subject, times in heard.times.items() if times > 1]
        times = sorted((heard.moments[subject] - moment) * 1000 for subject, moment in sent.items() if subject in heard.moments and subject.startswith("letter"))
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
