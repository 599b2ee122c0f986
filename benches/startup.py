#!/usr/bin/env python3
"""Measures how soon a program sends its first byte to a server: scripts/dev/bench startup.

  scripts/dev/bench startup [SCRIPT …] [-n RUNS] [--build PATH] [--beside PATH] [--write]

The programs are every script in scripts/, imapfilter with the configuration that comes with it, and
the floor (examples/floor.rs), which only connects. Each round runs all of them, one after another,
in an order that changes, against a server in this process. The server sends its greeting, waits for
the client's first byte, and then stops the client. Seconds count from the start of the process; CPU
time is that of all its threads until then. The ratio is the median of the ratios to imapfilter in
the same round. --beside also measures another build. --write puts the table into
docs/performance.md.
"""
import argparse, datetime, os, pathlib, random, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

from common import PROJECT, machine, release_build, write_section

SAMPLE = pathlib.Path("/usr/share/doc/imapfilter/examples/config.lua")
GREETINGS = {
    "imap": b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n",
    "pop": b"+OK ready\r\n",
    "smtp": b"220 server.example ESMTP ready\r\n",
}
HOST = "127.0.0.1"
# The arguments of each script; FOLDER is an empty folder but for the files that scripts read.
SCRIPTS = {
    "archive-by-age": [HOST, "user", "30"],
    "auto-responder": [HOST, "user", HOST, "user@example.org", "FOLDER/away.txt"],
    "backup-mailbox": [HOST, "user", "inbox", "FOLDER"],
    "clean-up": [HOST, "user", "inbox", "30", "100"],
    "collect-invoices": [HOST, "user", "FOLDER"],
    "dmarc-to-csv": [HOST, "user", "inbox", "FOLDER/dmarc.csv"],
    "file-lists": [HOST, "user"],
    "mail-merge": [HOST, "user@example.org", "FOLDER/people.csv", "FOLDER/template.txt", "--send"],
    "mailbox-report": [HOST, "user"],
    "pop-to-mbox": [HOST, "user", "FOLDER/mbox", "FOLDER/ids"],
    "remove-duplicates": [HOST, "user", "inbox"],
    "save-attachments": [HOST, "user", "image", "FOLDER"],
    "save-letters-from": [HOST, "user", "someone", "FOLDER"],
    "unread-report": [HOST, "user"],
}
PROTOCOLS = {"mail-merge": "smtp", "pop-to-mbox": "pop"}


class Server:
    """Listens on a port of its own for one client at a time."""

    def __init__(self, protocol):
        self.greeting = GREETINGS[protocol]
        self.listener = socket.create_server((HOST, 0))
        self.listener.settimeout(20)
        self.port = self.listener.getsockname()[1]

    def measure(self, command, environment):
        """Returns the seconds until the client's first byte, and its CPU seconds until then."""
        quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
        start = time.monotonic()
        child = os.posix_spawn(command[0], command, environment, file_actions=quiet)
        try:
            client = self.listener.accept()[0]
            client.settimeout(20)
            client.sendall(self.greeting)
            sent = client.recv(1)
            wall = time.monotonic() - start
            cpu = time.clock_gettime(~child << 3 | 2)  # the process's clock: threads that have ended count
        except TimeoutError:
            sys.exit(f"sends nothing: {' '.join(command)}")
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        if not sent:
            sys.exit(f"closes without a byte: {' '.join(command)}")
        client.close()
        return wall, cpu


def programs(names, builds, servers, folder):
    """Returns the command and the server of every program, by its name."""
    found = {}
    floor = folder / "floor"
    subprocess.run(["rustc", "--edition", "2024", "-O", PROJECT / "examples" / "floor.rs", "-o", floor], check=True)
    found["the floor"] = [[str(floor), "w1", str(servers["imap"].port)], "imap"]
    imapfilter = shutil.which("imapfilter")
    if imapfilter and SAMPLE.exists():
        account = f"server = '{HOST}', port = {servers['imap'].port}"
        (folder / "config.lua").write_text(SAMPLE.read_text().replace("server = 'imap1.mail.server'", account))
        found["imapfilter"] = [[imapfilter, "-c", str(folder / "config.lua")], "imap"]
    for name in names:
        protocol = PROTOCOLS.get(name, "imap")
        arguments = [word.replace("FOLDER", str(folder)) for word in SCRIPTS[name]]
        for label, build in builds.items():
            command = [str(build), "run", "-q", "--connect-to", f"{HOST}={HOST}:{servers[protocol].port}"]
            found[name + label] = [[*command, str(PROJECT / "scripts" / f"{name}.scm"), *arguments], protocol]
    return found


def table(found, servers, runs, folder):
    environment = {**os.environ, "POSTOFFICE_PASSWORD": "secret", "HOME": str(folder), "IMAPFILTER_HOME": str(folder)}
    environment.pop("POSTOFFICE_LOGIN", None)
    results = {name: [] for name in found}
    for run in range(runs + 1):  # the first round only warms up
        for name in random.sample(list(found), len(found)):
            command, protocol = found[name]
            result = servers[protocol].measure(command, environment)
            if run:
                results[name].append(result)
    base = results.get("imapfilter", results["the floor"])
    lines = ["| | ms | ratio | CPU ms | ratio |", "|---|---|---|---|---|"]
    for name, rows in results.items():
        wall, cpu = (statistics.median(row[at] for row in rows) for at in (0, 1))
        ratios = [statistics.median(row[at] / other[at] for row, other in zip(rows, base)) for at in (0, 1)]
        lines.append(f"| {name} | {wall * 1000:.1f} | {ratios[0]:.2f} | {cpu * 1000:.1f} | {ratios[1]:.2f} |")
    return lines


def write(lines, runs):
    write_section("Starting", [
        f"Written by `scripts/dev/bench startup --write` on {datetime.date.today()}; {machine()}; load {os.getloadavg()[1]:.1f}.",
        "The time from the start of the process until the server has the first byte, for every script in",
        "`scripts/`, for imapfilter with the configuration that comes with it, and for the floor, which only",
        f"connects. All ran in each of {runs} rounds, one after another. The figures are medians, and the ratio",
        "is the median of the ratios to imapfilter in the same round.", "",
        *lines,
    ], before="The parser")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help="its name without .scm; by default all")
    parser.add_argument("-n", type=int, default=15, help="rounds (default 15)")
    parser.add_argument("--build", type=pathlib.Path, help="the postoffice binary to measure; by default one is built")
    parser.add_argument("--beside", type=pathlib.Path, help="another one")
    parser.add_argument("--write", action="store_true")
    a = parser.parse_args()
    there = {path.stem for path in (PROJECT / "scripts").glob("*.scm")}
    if there != set(SCRIPTS):
        parser.error(f"add the arguments of {', '.join(sorted(there ^ set(SCRIPTS)))} to SCRIPTS")
    if wrong := set(a.scripts) - there:
        parser.error(f"there is no script {', '.join(sorted(wrong))}")
    build = release_build(a.build)
    if a.write and not (shutil.which("imapfilter") and SAMPLE.exists()):
        parser.error("--write needs imapfilter and its sample configuration, to which the figures are related")
    builds = {"": build, **({", beside": a.beside.resolve()} if a.beside else {})}
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postoffice-startup-"))
    try:
        (folder / "people.csv").write_text("email,name\nbob@example.org,Bob\n")
        (folder / "template.txt").write_text("Hello\nDear {name}\n")
        (folder / "away.txt").write_text("I am away.\n")
        servers = {protocol: Server(protocol) for protocol in GREETINGS}
        lines = table(programs(a.scripts or sorted(SCRIPTS), builds, servers, folder), servers, a.n, folder)
        print("\n".join(lines))
        if a.write:
            write(lines, a.n)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
