#!/usr/bin/env python3
"""Measures the five jobs of docs/jobs.md beside the other programs there: scripts/dev/bench jobs.

  scripts/dev/bench jobs [-n RUNS] [--letters N] [--build PATH] [--write]

The programs are those on the page, with the test server's addresses and accounts put in. Each run
has accounts of its own on a Dovecot 20 ms away, with indexes that are warm, and the programs of a
job run one after the other. What they leave on the server and in files must be the same. Seconds
are those of the whole process, with start and login; commands are those that the server received.
The ratio is the other program's time divided by postoffice's in the same run. It needs Dovecot,
imapfilter and IMAPClient. --write puts the table into docs/performance.md.
"""
import argparse, base64, datetime, imaplib, os, pathlib, random, re, shutil, statistics, subprocess, sys, tempfile, time

from common import PROJECT, Proxy, machine, release_build, write_section

PAGE = PROJECT / "docs" / "jobs.md"
DELAY = 0.02


def jobs():
    """Returns title, our program, the language of the other one, and that one."""
    found = []
    for section in PAGE.read_text().split("\n## ")[1:]:
        blocks = re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL)
        (_, ours), (language, other) = blocks
        found.append((section.splitlines()[0], ours, language, other))
    return found


def letter(index, r):
    """Returns a letter and its time. A fifth came through lists, a twentieth are invoices or from the boss, and every hundredth is large."""
    when = datetime.datetime(2019, 1, 1, 12, tzinfo=datetime.timezone.utc) + datetime.timedelta(days=r.randrange(2400))
    kind = index % 20
    head = [f"From: {'boss@example.org' if kind == 1 else f'w{r.randrange(99)}@example.org'}", "To: me@example.com",
            f"Subject: {'Your invoice' if kind == 2 else 'hello'} {index}", when.strftime("Date: %a, %d %b %Y %H:%M:%S +0000"), f"Message-ID: <{index}@example.org>"]
    if kind in (3, 4, 5, 6):
        head.append("List-Id: News <news.example.org>")
    body = "hello\n" * r.randrange(20, 300)
    if kind == 2:
        pdf = base64.encodebytes(r.randbytes(30_000)).decode()
        head += ["MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b"]
        body = f"--b\n\nsee there\n--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=\"{index}.pdf\"\nContent-Transfer-Encoding: base64\n\n{pdf}--b--\n"
    if index % 100 == 99:
        body = "0123456789\n" * 150_000
    return "\n".join(head) + "\n\n" + body, when.timestamp(), "F" if index % 50 == 0 else ""


def fill(box, count):
    r = random.Random(1999)
    for sub in ("cur", "new", "tmp"):
        (box / sub).mkdir(parents=True)
    for index in range(count):
        text, when, flags = letter(index, r)
        file = box / "cur" / f"{index:06}.M1.bench:2,{flags}"
        file.write_text(text)
        os.utime(file, (when, when))


def program(job, who, proxy, user, folder):
    """Writes a program of the page with this server and these accounts. Returns its command."""
    title, ours, language, other = job
    if who == "postoffice":
        account = '(define-account {} :host "127.0.0.1" :port {} :user "{}" :password "pw" :auth :login)\n'
        file = folder / "job.scm"
        file.write_text(account.format("work", proxy.port, user) + account.format("archive", proxy.port, f"{user}-archive") + ours)
        return None, file
    if language == "lua":
        text = re.sub(r"server = '[^']*', username = 'me', password = os.getenv\('(\w)\w*'\)",
                      lambda m: f"server = '127.0.0.1', port = {proxy.port}, username = '{user}{'-archive' if m[1] == 'A' else ''}', password = 'pw'", other)
        file = folder / "job.lua"
        file.write_text("options.starttls = false\noptions.info = false\n" + text)
        return ["env", f"IMAPFILTER_HOME={folder}", "imapfilter", "-c", file], file
    text = other.replace("IMAPClient('mail.example.org')", f"IMAPClient('127.0.0.1', port={proxy.port}, ssl=False)").replace("'me'", f"'{user}'").replace("os.environ['POSTOFFICE_PASSWORD']", "'pw'")
    file = folder / "job.py"
    file.write_text(text)
    return [sys.executable, file], file


def warm(port, user):
    client = imaplib.IMAP4("127.0.0.1", port)
    client.login(user, "pw")
    client.select("INBOX")
    client.fetch("1:*", "(UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE BODY.PEEK[HEADER.FIELDS (LIST-ID)])")
    client.logout()


def state(port, user, folder):
    """What is on the server and in the folder: mailboxes with their letters and keywords, and files with their sizes."""
    found = {}
    for name in (user, f"{user}-archive"):
        client = imaplib.IMAP4("127.0.0.1", port)
        client.login(name, "pw")
        for line in client.list()[1]:
            box = line.decode().rsplit(" ", 1)[1].strip('"')
            count = int(client.select(box, readonly=True)[1][0])
            if count:
                said = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
                found[name.removeprefix(user), box] = sorted((part[1].strip(), b"collected" in part[0]) for part in said if isinstance(part, tuple))
        client.logout()
    files = sorted((str(file.relative_to(folder)), file.stat().st_size) for file in folder.rglob("*") if file.is_file() and (file.suffix == ".pdf" or file.name == "report.csv"))
    return found, files


def measure(job, who, build, servers, template, user):
    """Runs a program of a job with new accounts. Returns seconds, commands and the state afterwards."""
    proxy, port, mail = servers
    home = mail / user
    shutil.copytree(template, home / "Maildir", copy_function=shutil.copy2)
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", "5000:5000", home], check=True)
    warm(port, user)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postoffice-job-"))
    try:
        command, file = program(job, who, proxy, user, folder)
        before, start = proxy.commands, time.monotonic()
        ran = subprocess.run([str(word) for word in command or [build, "run", file]], cwd=folder, env={**os.environ, "POSTOFFICE_STATE": str(folder / "state")}, capture_output=True, text=True)
        seconds = time.monotonic() - start
        if ran.returncode:
            sys.exit(f"{job[0]}, {who}: {ran.stdout}{ran.stderr}")
        return seconds, proxy.commands - before, state(port, user, folder)
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(home)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=5, help="runs (default 5)")
    parser.add_argument("--letters", type=int, default=2000)
    parser.add_argument("--build", type=pathlib.Path, help="the postoffice binary to measure; by default one is built")
    parser.add_argument("--write", action="store_true")
    a = parser.parse_args()
    build = release_build(a.build)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postoffice-jobs-"))
    try:
        fill(folder / "template", a.letters)
        started = subprocess.run([PROJECT / "scripts/dev/dovecot", "start", folder], capture_output=True, text=True)
        if started.returncode:
            sys.exit(started.stderr)
        port = int(started.stdout.split()[0])
        servers = Proxy(port, DELAY), port, folder / "mail"
        lines = ["| | lines | seconds | commands | beside | lines | seconds | commands | ratio | from | to |", "|---|---|---|---|---|---|---|---|---|---|---|"]
        print("\n".join(lines), flush=True)
        for number, job in enumerate(jobs()):
            rival = "imapfilter" if job[2] == "lua" else "IMAPClient"
            rows = []
            for run in range(a.n):
                order = ["postoffice", rival] if run % 2 else [rival, "postoffice"]
                got = {who: measure(job, who, build, servers, folder / "template", f"j{number}r{run}{who.lower()}") for who in order}
                (ours, our_commands, left), (theirs, their_commands, other) = got["postoffice"], got[rival]
                if left != other:
                    sys.exit(f"{job[0]}: not the same is left: {left}\n{other}")
                rows.append((ours, our_commands, theirs, their_commands, theirs / ours))
            ours, our_commands, theirs, their_commands, ratio = (statistics.median(column) for column in zip(*rows))
            ratios = [row[4] for row in rows]
            count = lambda text: len(text.strip().splitlines())
            lines.append(f"| {job[0]} | {count(job[1])} | {ours:.2f} | {our_commands:.0f} | {rival} | {count(job[3])} | {theirs:.2f} | {their_commands:.0f} | {ratio:.1f} | {min(ratios):.1f} | {max(ratios):.1f} |")
            print(lines[-1], flush=True)
        if a.write:
            write(lines, a)
    finally:
        subprocess.run([PROJECT / "scripts/dev/dovecot", "stop", folder])
        shutil.rmtree(folder, ignore_errors=True)


def write(lines, a):
    write_section("Five jobs", [
        f"Written by `scripts/dev/bench jobs --write` on {datetime.date.today()}; {machine()}; load {os.getloadavg()[1]:.1f}.",
        f"The programs of [jobs.md](jobs.md) on a mailbox of {a.letters:,} letters on a Dovecot 20 ms away, each beside",
        "the other program there. Seconds are those of the whole process, with start and login. The figures",
        f"are medians of {a.n} runs. The ratio is the other program's time divided by postoffice's in the same",
        "run, with the smallest (from) and the largest (to).", "", *lines,
    ])


main()
