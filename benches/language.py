#!/usr/bin/env python3
"""Measures operations of the language beside CPython and SBCL: scripts/dev/bench language.

  scripts/dev/bench language [OPERATION …] [-n RUNS] [--sizes N,N] [--build PATH] [--no-sbcl] [--write]

An operation is a function of n and of data that its setup makes. Each program runs it a number of
times in a process of its own; its time is the CPU time of the process, minus that of the same
program with no repetition, so start, compiling and setup do not count. All programs must print the
same answer. Runs alternate between the programs, and the ratio is the median over the runs.

An operation's growth is its time at the largest size, divided by its time at a tenth of it: about
10 if it is linear, 13 with n log n, 100 if it is quadratic. --write puts the table into
docs/performance.md. It fails if an operation is beyond the bounds.
"""
import argparse, dataclasses, datetime, math, os, pathlib, shutil, statistics, subprocess, sys, tempfile

from common import machine, release_build, write_section

BOUND = 10
SIZES = (1_000, 10_000, 100_000)
# These are quadratic by nature, in every language, or are looked up in long lists.
SHORT = (1_000, 10_000)
ENOUGH = 0.15  # seconds that one run of an operation should take
LONGEST = 15  # seconds that an operation may take in SBCL if it is quadratic there
LISP_PERMUTED = "(loop for i below n collect (mod (* i 7919) n))"
PYTHON_PERMUTED = "[i * 7919 % n for i in range(n)]"
# Half of the numbers occur twice.
LISP_TWICE = "(loop for i below n collect (mod (* i 7919) (floor n 2)))"
PYTHON_TWICE = "[i * 7919 % (n // 2) for i in range(n)]"
LISP_WORDS = '(mapcar (lambda (i) (format nil "word~a" i)) ' + LISP_TWICE + ")"
PYTHON_WORDS = "[f'word{i}' for i in " + PYTHON_TWICE + "]"
LISP_PAIRS = "(mapcar (lambda (i) (cons i 1)) " + LISP_TWICE + ")"
PYTHON_PAIRS = "[(i, 1) for i in " + PYTHON_TWICE + "]"
LISP_TWO = "(cons (loop for i below n collect i) (loop for i below n collect (+ i (floor n 2))))"
PYTHON_TWO = "(list(range(n)), [i + n // 2 for i in range(n)])"
LISP_TWO_WORDS = '(cons (loop for i below n collect (format nil "w~a" i)) (loop for i below n collect (format nil "w~a" (+ i (floor n 2)))))'
PYTHON_TWO_WORDS = "([f'w{i}' for i in range(n)], [f'w{i + n // 2}' for i in range(n)])"
LISP_MEGABYTE = "(let ((text (make-string 1000000 :initial-element #\\a))) (concatenate 'string text \"end\"))"
PYTHON_MEGABYTE = "'a' * 1000000 + 'end'"
LISP_ACCENTS = "(let ((text (make-string 1000000 :initial-element #\\é))) (concatenate 'string text \"end\"))"
PYTHON_ACCENTS = "'é' * 1000000 + 'end'"


@dataclasses.dataclass
class Operation:
    name: str
    lisp: str  # an expression of n and d
    python: str  # statements that set `answer`, a whole number
    lisp_data: str = "nil"
    python_data: str = "None"
    sizes: tuple = SIZES
    sbcl: str = ""  # where it differs


def loop(body):
    return f"(let ((sum 0)) (dotimes (i n) (setq sum (+ sum {body}))) sum)"


def python_loop(body):
    return f"answer = 0\nfor i in range(n):\n    answer += {body}"


OPERATIONS = [
    Operation("aref", loop("(aref d i)"), python_loop("d[i]"), f"(coerce {LISP_PERMUTED} 'vector)", PYTHON_PERMUTED),
    Operation("elt of a vector", loop("(elt d i)"), python_loop("d[i]"), f"(coerce {LISP_PERMUTED} 'vector)", PYTHON_PERMUTED),
    Operation("nth in a loop", loop("(nth i d)"), python_loop("d[i]"), LISP_PERMUTED, PYTHON_PERMUTED, SHORT),
    Operation("char in 1 MB", loop("(if (char= (char d (mod (* i 7919) 1000000)) #\\a) 1 2)"), python_loop("1 if d[i * 7919 % 1000000] == 'a' else 2"), LISP_MEGABYTE, PYTHON_MEGABYTE),
    Operation("char in 1 MB of é", loop("(if (char= (char d (mod (* i 7919) 1000000)) #\\a) 1 2)"), python_loop("1 if d[i * 7919 % 1000000] == 'a' else 2"), LISP_ACCENTS, PYTHON_ACCENTS),
    Operation("subseq of 1 MB", loop("(let ((p (mod (* i 7919) 999000))) (length (subseq d p (+ p 20))))"), "answer = 0\nfor i in range(n):\n    p = i * 7919 % 999000\n    answer += len(d[p:p + 20])", LISP_MEGABYTE, PYTHON_MEGABYTE),
    Operation("subseq of 1 MB of é", loop("(let ((p (mod (* i 7919) 999000))) (length (subseq d p (+ p 20))))"), "answer = 0\nfor i in range(n):\n    p = i * 7919 % 999000\n    answer += len(d[p:p + 20])", LISP_ACCENTS, PYTHON_ACCENTS),
    Operation("position in 1 MB, bounds", loop("(let ((p (mod (* i 7919) 999000))) (if (position #\\e d :start p :end (+ p 20)) 1 2))"), "answer = 0\nfor i in range(n):\n    p = i * 7919 % 999000\n    answer += 2 if d.find('e', p, p + 20) < 0 else 1", LISP_MEGABYTE, PYTHON_MEGABYTE),
    Operation("find in 1 MB, bounds", loop("(let ((p (mod (* i 7919) 999000))) (if (find #\\e d :start p :end (+ p 20)) 1 2))"), "answer = 0\nfor i in range(n):\n    p = i * 7919 % 999000\n    answer += 2 if d.find('e', p, p + 20) < 0 else 1", LISP_MEGABYTE, PYTHON_MEGABYTE),
    Operation("count in 1 MB, bounds", loop("(let ((p (mod (* i 7919) 999000))) (count #\\a d :start p :end (+ p 20)))"), "answer = 0\nfor i in range(n):\n    p = i * 7919 % 999000\n    answer += d.count('a', p, p + 20)", LISP_MEGABYTE, PYTHON_MEGABYTE),
    Operation("search in 1 MB, bounds", loop("(let ((p (mod (* i 7919) 999000))) (if (search \"en\" d :start2 p :end2 (+ p 20)) 1 2))"), "answer = 0\nfor i in range(n):\n    p = i * 7919 % 999000\n    answer += 2 if d.find('en', p, p + 20) < 0 else 1", LISP_MEGABYTE, PYTHON_MEGABYTE),
    Operation("position in a list", "(position (- n 1) d)", "answer = d.index(n - 1)", "(loop for i below n collect i)", "list(range(n))"),
    Operation("position in a list, bounds", "(position (- n 1) d :start 10 :end n)", "answer = d.index(n - 1, 10, n)", "(loop for i below n collect i)", "list(range(n))"),
    Operation("find in a list, = and :key", "(cdr (find (- n 1) d :test #'= :key #'car))", "answer = next(p for p in d if p[0] == n - 1)[1]", "(loop for i below n collect (cons i 1))", "[(i, 1) for i in range(n)]"),
    Operation("count in a list, :test equal", "(count \"word1\" d :test #'equal)", "answer = d.count('word1')", LISP_WORDS, PYTHON_WORDS),
    Operation("count in a string", "(count #\\a d)", "answer = d.count('a')", "(make-string n :initial-element #\\a)", "'a' * n"),
    Operation("search in a string", "(search \"ab\" d)", "answer = d.find('ab')", "(concatenate 'string (make-string n :initial-element #\\a) \"b\")", "'a' * n + 'b'"),
    Operation("remove-duplicates", "(length (remove-duplicates d))", "answer = len(list(dict.fromkeys(d)))", LISP_TWICE, PYTHON_TWICE),
    Operation("remove-duplicates, equal", "(length (remove-duplicates d :test #'equal))", "answer = len(list(dict.fromkeys(d)))", LISP_WORDS, PYTHON_WORDS),
    Operation("remove-duplicates, string-equal", "(length (remove-duplicates d :test #'string-equal))", "answer = len({w.lower(): w for w in d})", LISP_WORDS, PYTHON_WORDS),
    Operation("remove-duplicates, :key", "(length (remove-duplicates d :key #'car))", "answer = len({p[0]: p for p in d})", LISP_PAIRS, PYTHON_PAIRS),
    Operation("union", "(length (union (car d) (cdr d)))", "known = set(d[0])\nanswer = len(d[0] + [e for e in d[1] if e not in known])", LISP_TWO, PYTHON_TWO),
    Operation("intersection", "(length (intersection (car d) (cdr d)))", "known = set(d[1])\nanswer = len([e for e in d[0] if e in known])", LISP_TWO, PYTHON_TWO),
    Operation("set-difference", "(length (set-difference (car d) (cdr d)))", "known = set(d[1])\nanswer = len([e for e in d[0] if e not in known])", LISP_TWO, PYTHON_TWO),
    Operation("intersection, string=", "(length (intersection (car d) (cdr d) :test #'string=))", "known = set(d[1])\nanswer = len([e for e in d[0] if e in known])", LISP_TWO_WORDS, PYTHON_TWO_WORDS),
    Operation("pushnew in a loop", "(let ((kept nil)) (dotimes (i n) (pushnew i kept)) (length kept))", "kept = []\nfor i in range(n):\n    if i not in kept:\n        kept.append(i)\nanswer = len(kept)", sizes=SHORT),
    Operation("pushnew in a loop, equal", "(let ((kept nil)) (dolist (w d) (pushnew w kept :test #'equal)) (length kept))", "kept = []\nfor w in d:\n    if w not in kept:\n        kept.append(w)\nanswer = len(kept)", LISP_WORDS, PYTHON_WORDS, sizes=SHORT),
    Operation("append at the end", "(let ((kept nil)) (dotimes (i n) (setq kept (append kept (list i)))) (length kept))", "kept = []\nfor i in range(n):\n    kept = kept + [i]\nanswer = len(kept)", sizes=SHORT),
    Operation("sort numbers", "(first (sort (copy-list d) #'<))", "answer = sorted(d)[0]", LISP_PERMUTED, PYTHON_PERMUTED),
    Operation("sort by key", "(cdr (first (sort (copy-list d) #'< :key #'car)))", "answer = sorted(d, key=lambda p: p[0])[0][1]", LISP_PAIRS, PYTHON_PAIRS),
    Operation("sort by a lambda as key", "(cdr (first (sort (copy-list d) #'< :key (lambda (p) (car p)))))", "answer = sorted(d, key=lambda p: p[0])[0][1]", LISP_PAIRS, PYTHON_PAIRS),
    Operation("sort strings", "(length (first (sort (copy-list d) #'string<)))", "answer = len(sorted(d)[0])", LISP_WORDS, PYTHON_WORDS),
    Operation("sort by a function", "(first (sort (copy-list d) (lambda (a b) (> a b))))", "answer = sorted(d, key=functools.cmp_to_key(lambda a, b: b - a))[0]", LISP_PERMUTED, PYTHON_PERMUTED),
    Operation("concatenate many", "(length (apply #'concatenate 'string d))", "answer = len(''.join(d))", LISP_WORDS, PYTHON_WORDS, sbcl="(length (with-output-to-string (text) (dolist (word d) (write-string word text))))"),
    Operation("concatenate in a loop", "(let ((text \"\")) (dotimes (i n) (setq text (concatenate 'string text \"ab\"))) (length text))", "text = ''\nfor i in range(n):\n    text = ''.join((text, 'ab'))\nanswer = len(text)", sizes=SHORT),
    Operation("string-split", "(length (string-split d \" \"))", "answer = len(d.split(' '))", "(format nil \"~{~a~^ ~}\" " + LISP_WORDS + ")", "' '.join(" + PYTHON_WORDS + ")",
              sbcl="(let ((start 0) (parts nil)) (loop (let ((end (position #\\Space d :start start))) (push (subseq d start end) parts) (if end (setq start (+ end 1)) (return)))) (length parts))"),
    Operation("lines of a text", "(let ((start 0) (sum 0)) (loop (let ((end (position #\\Newline d :start start))) (if end (progn (setq sum (+ sum (length (subseq d start end)))) (setq start (+ end 1))) (return)))) sum)",
              "start = answer = 0\nwhile True:\n    end = d.find('\\n', start)\n    if end < 0:\n        break\n    answer += len(d[start:end])\n    start = end + 1", "(format nil \"~{~a~%~}\" " + LISP_WORDS + ")", "''.join(w + '\\n' for w in " + PYTHON_WORDS + ")"),
    Operation("assoc, all of a list", "(let ((sum 0)) (dotimes (i n) (setq sum (+ sum (cdr (assoc i d))))) sum)", "answer = 0\nfor i in range(n):\n    answer += next(p for p in d if p[0] == i)[1]", "(loop for i below n collect (cons i 1))", "[(i, 1) for i in range(n)]", SHORT),
    Operation("assoc of strings, :test", "(let ((sum 0)) (dotimes (i 100) (setq sum (+ sum (cdr (assoc \"last\" d :test #'string=))))) sum)", "answer = 0\nfor i in range(100):\n    answer += next(p for p in d if p[0] == 'last')[1]", '(append (mapcar (lambda (w) (cons w 1)) ' + LISP_WORDS + ') (list (cons "last" 1)))', "[(w, 1) for w in " + PYTHON_WORDS + "] + [('last', 1)]", SHORT),
    Operation("hash table", "(let ((table (make-hash-table)) (sum 0)) (dolist (i d) (setf (gethash i table) 1)) (dolist (i d) (setq sum (+ sum (gethash i table)))) sum)", "table = {}\nanswer = 0\nfor i in d:\n    table[i] = 1\nfor i in d:\n    answer += table[i]", LISP_PERMUTED, PYTHON_PERMUTED),
    Operation("hash table of strings", "(let ((table (make-hash-table :test #'equal)) (sum 0)) (dolist (w d) (setf (gethash w table) 1)) (dolist (w d) (setq sum (+ sum (gethash w table)))) sum)", "table = {}\nanswer = 0\nfor w in d:\n    table[w] = 1\nfor w in d:\n    answer += table[w]", LISP_WORDS, PYTHON_WORDS),
    Operation("mapcar and reduce", "(reduce #'+ (mapcar (lambda (x) (* x 2)) d))", "answer = functools.reduce(operator.add, map(lambda x: x * 2, d))", LISP_PERMUTED, PYTHON_PERMUTED),
    Operation("reduce by a lambda", "(reduce (lambda (a b) (max a b)) d)", "answer = functools.reduce(lambda a, b: max(a, b), d)", LISP_PERMUTED, PYTHON_PERMUTED),
    Operation("mapcar of a named function", "(length (mapcar #'1+ d))", "answer = len([x + 1 for x in d])", LISP_PERMUTED, PYTHON_PERMUTED),
    Operation("remove-if", "(length (remove-if (lambda (x) (< x 500)) d))", "answer = len(list(filter(lambda x: not x < 500, d)))", LISP_PERMUTED, PYTHON_PERMUTED),
    Operation("loop collect", "(length (loop for x in d collect (+ x 1)))", "answer = len([x + 1 for x in d])", LISP_PERMUTED, PYTHON_PERMUTED),
    Operation("dolist and push", "(let ((made nil)) (dolist (x d) (push (+ x 1) made)) (length (nreverse made)))", "made = []\nfor x in d:\n    made.append(x + 1)\nmade.reverse()\nanswer = len(made)", LISP_PERMUTED, PYTHON_PERMUTED),
    Operation("format nil in a loop", loop("(length (format nil \"~a: ~a\" i \"text\"))"), python_loop("len('%s: %s' % (i, 'text'))")),
    Operation("string-upcase", "(length (string-upcase d))", "answer = len(d.upper())", "(make-string n :initial-element #\\a)", "'a' * n"),
    Operation("string-upcase in a loop", loop("(length (string-upcase \"some text\"))"), python_loop("len('some text'.upper())")),
    Operation("with-output-to-string", "(length (with-output-to-string (s) (dotimes (i n) (write-string \"word \" s))))", "out = io.StringIO()\nfor i in range(n):\n    out.write('word ')\nanswer = len(out.getvalue())"),
]


def lisp_program(operation, size, repetitions, sbcl):
    body = operation.sbcl if sbcl and operation.sbcl else operation.lisp
    return (f"(defun data (n) n {operation.lisp_data})\n(defun operation (n d) n d {body})\n"
            f"(let ((d (data {size})) (answer 0)) (dotimes (repetition {repetitions}) (setq answer (operation {size} d))) (princ answer))\n")


def python_program(operation, size, repetitions):
    body = operation.python.replace("\n", "\n    ")
    return (f"import functools, io, operator\ndef data(n):\n    return {operation.python_data}\ndef operation(n, d):\n    {body}\n    return answer\n"
            f"def main():\n    d = data({size})\n    answer = 0\n    for repetition in range({repetitions}):\n        answer = operation({size}, d)\n    print(answer, end='')\nmain()\n")


class Client:
    """A program that runs operations: its command, and the file that it reads."""

    def __init__(self, name, command, folder):
        self.name, self.command, self.folder = name, command, folder

    def run(self, operation, size, repetitions):
        """Returns the CPU seconds of the process, and the answer."""
        python = self.name == "CPython"
        text = python_program(operation, size, repetitions) if python else lisp_program(operation, size, repetitions, self.name == "SBCL")
        file = self.folder / ("program.py" if python else "program.lisp")
        file.write_text(text, encoding="utf-8")
        child = subprocess.Popen([*self.command, file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": "C.UTF-8"})
        answer, said = child.stdout.read(), child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f"{self.name} failed at {operation.name}:\n{said.decode(errors='replace')}{answer.decode(errors='replace')[:2000]}")
        return used.ru_utime + used.ru_stime, answer.decode()

    def calibrate(self, operation, size):
        """Returns how many repetitions take long enough to be measured, and the answer."""
        base, _ = self.run(operation, size, 0)
        repetitions = 1
        while True:
            seconds, answer = self.run(operation, size, repetitions)
            took = seconds - base
            if took >= ENOUGH * 0.7 or repetitions >= 300_000:
                return repetitions, answer
            repetitions = min(300_000, max(repetitions * 2, min(repetitions * 30, int(repetitions * ENOUGH / max(took, 0.001)))))


def measure(clients, operation, size, runs):
    """Returns for each client the median time in milliseconds, and its median ratio to CPython's."""
    repetitions, answers = {}, {}
    for client in clients:
        repetitions[client.name], answers[client.name] = client.calibrate(operation, size)
    if len(set(answers.values())) > 1:
        sys.exit(f"{operation.name}: answers differ: {answers}")
    rows = []
    for _ in range(runs):
        row = {}
        for client in clients:
            base, _ = client.run(operation, size, 0)
            seconds, _ = client.run(operation, size, repetitions[client.name])
            row[client.name] = max(seconds - base, 1e-9) / repetitions[client.name] * 1000
        rows.append(row)
    times = {client.name: statistics.median(row[client.name] for row in rows) for client in clients}
    return times, statistics.median(row["postoffice"] / row["CPython"] for row in rows)


def shown(milliseconds):
    return f"{milliseconds:.4f}" if milliseconds < 0.1 else f"{milliseconds:.2f}" if milliseconds < 10 else f"{milliseconds:.1f}"


def table(operations, clients, sizes, runs):
    head = ["operation", "elements", *(client.name for client in clients), "ratio to CPython", "growth"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    beyond = []
    print("\n".join(lines), flush=True)
    for operation in operations:
        before = None
        for size in [size for size in sizes if size in operation.sizes]:
            # Where another program takes quadratic time, its row would take minutes.
            able = [client for client in clients if not before or before[1].get(client.name, math.inf) * 100 < 1000 * LONGEST or client.name != "SBCL"]
            times, ratio = measure(able, operation, size, runs)
            growth = f"{times['postoffice'] / before[1]['postoffice']:.0f}" if before and before[0] * 10 == size else ""
            before = (size, times)
            lines.append(f"| {operation.name} | {size} | " + " | ".join(shown(times[client.name]) if client.name in times else "–" for client in clients) + f" | {ratio:.1f} | {growth} |")
            print(lines[-1], flush=True)
            if ratio > BOUND:
                beyond.append(f"{operation.name} at {size}: {ratio:.1f} × CPython")
            if growth and operation.sizes == SIZES and int(growth) > 25:
                beyond.append(f"{operation.name} at {size}: {growth} × its time at a tenth")
    return lines, beyond


def write(lines, versions, beyond):
    write_section("The language", [
        f"Written by `scripts/dev/bench language --write` on {datetime.date.today()}: {', '.join(versions)}; {machine()}.",
        "Times are CPU milliseconds of one operation, without the start of the program and the making of its",
        "data. The ratio is the median over paired runs. Growth is the time divided by that at a tenth of the",
        "size: about 10 if it is linear. Some operations are quadratic, so they have no row for 100,000",
        "elements; `–` stands for one that is quadratic in SBCL only.", "",
        *lines, "",
        f"Not within {BOUND} × CPython and n log n:" if beyond else f"All are within {BOUND} × CPython and n log n.", "",
        *(f"- {row}" for row in beyond),
    ])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operations", nargs="*", metavar="OPERATION", help="the start of an operation's name; by default all")
    parser.add_argument("-n", type=int, default=3, help="paired runs (default 3)")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--build", type=pathlib.Path, help="the postoffice binary to measure; by default one is built")
    parser.add_argument("--no-sbcl", action="store_true")
    parser.add_argument("--write", action="store_true")
    a = parser.parse_args()
    operations = [o for o in OPERATIONS if not a.operations or any(o.name.startswith(name) for name in a.operations)]
    if not operations:
        parser.error("there is no such operation: " + ", ".join(o.name for o in OPERATIONS))
    binary = release_build(a.build)
    with tempfile.TemporaryDirectory(prefix="postoffice-bench-") as folder:
        folder = pathlib.Path(folder)
        clients = [Client("postoffice", [binary, "run"], folder), Client("CPython", [sys.executable], folder)]
        versions = [subprocess.run([binary.resolve(), "--version"], capture_output=True, text=True).stdout.strip(), f"CPython {sys.version.split()[0]}"]
        if shutil.which("sbcl") and not a.no_sbcl:
            clients.append(Client("SBCL", ["sbcl", "--script"], folder))
            versions.append(subprocess.run(["sbcl", "--version"], capture_output=True, text=True).stdout.strip())
        lines, beyond = table(operations, clients, [int(size) for size in a.sizes.split(",")], a.n)
    if a.write:
        write(lines, versions, beyond)
    if beyond:
        sys.exit("beyond the bounds:\n  " + "\n  ".join(beyond))


main()
