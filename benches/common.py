"""What the measuring programs share: the release build, a proxy, a section of docs/performance.md."""
import os, pathlib, platform, queue, re, socket, subprocess, threading, time

PROJECT = pathlib.Path(__file__).resolve().parents[1]


def release_build(given):
    """The postoffice binary to measure: the one that is given, or else a new release build."""
    if given:
        return given.resolve()
    subprocess.run(["cargo", "build", "--release", "--quiet", "--bin", "postoffice"], cwd=PROJECT, check=True)
    return (pathlib.Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target")) / "release" / "postoffice").resolve()


def machine():
    """The processors in words."""
    try:
        lines = open("/proc/cpuinfo").read().splitlines()
    except OSError:
        lines = []
    return f"{os.cpu_count()} × {next((line.split(':')[1].strip() for line in lines if line.startswith('model name')), platform.machine())}"


def write_section(title, lines, before=None):
    """Replaces the section of this title in docs/performance.md, or puts it before another one, or at the end."""
    page = PROJECT / "docs" / "performance.md"
    parts = [part.strip("\n") for part in re.split(r"^(?=## )", page.read_text(), flags=re.MULTILINE)]
    titles = [part.split("\n")[0].removeprefix("## ") for part in parts]
    section = "\n".join([f"## {title}", "", *lines]).strip("\n")
    if title in titles:
        parts[titles.index(title)] = section
    else:
        parts.insert(titles.index(before) if before in titles else len(parts), section)
    page.write_text("\n\n".join(parts) + "\n")


class Proxy:
    """Passes on what clients and a server send, each byte `delay` seconds late; counts commands and bytes."""

    def __init__(self, target, delay=0):
        self.target, self.delay = target, delay
        self.commands = self.sent = self.received = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client = self.listener.accept()[0]
            server = socket.create_connection(("127.0.0.1", self.target))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pump(client, server, True)
            self.pump(server, client, False)

    def pump(self, source, sink, is_client):
        waiting = queue.Queue()

        def read():
            data = b"first"
            while data:
                try:
                    data = source.recv(262144)
                except OSError:
                    data = b""
                if is_client:
                    self.sent += len(data)
                    self.commands += len(re.findall(rb"^[A-Za-z]*\d+ (?:UID|[A-Z]{4,})\b", data, re.MULTILINE))
                else:
                    self.received += len(data)
                waiting.put((time.monotonic() + self.delay, data))

        def write():
            while True:
                due, data = waiting.get()
                time.sleep(max(0, due - time.monotonic()))
                try:
                    if not data:
                        return sink.shutdown(socket.SHUT_WR)
                    sink.sendall(data)
                except OSError:
                    return

        for work in (read, write):
            threading.Thread(target=work, daemon=True).start()
