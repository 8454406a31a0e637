#!/usr/bin/env python3
"""House rules that a compiler does not check: layers, lengths, banned calls, dead files, formatting.

    tests/style/tidy.py [ROOT]    prints `file:line: [rule] what is wrong`, exits 1 when there is any

Only files that git tracks are read. Each rule is a function over the tree; tidy_selftest.py shows that each one fires.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
FILE_BYTES_MAX = 512 * 1024

HEADERS = (".h", ".hpp")
CODE = HEADERS + (".cpp",)
LAYERS = ("proto", "broker", "producer", "consumer", "cli")
# Folder -> folders whose files it may not include. The longest matching folder decides.
FORBIDDEN_FOLDERS = {
    "proto": ("broker", "producer", "consumer", "cli", "tests"),
    "broker": ("producer", "consumer", "cli", "tests"),
    "broker/log": ("broker", "producer", "consumer", "cli", "tests"),
    "broker/queue": ("broker", "producer", "consumer", "cli", "tests"),
    "producer": ("broker", "cli", "tests"),
    "consumer": ("broker", "cli", "tests"),
    "cli": ("broker", "tests"),
}
ZEROMQ = re.compile(r"zmq(_addon)?\.(h|hpp)")
FILES_OR_SOCKETS = re.compile(
    r"fstream|filesystem|fcntl\.h|unistd\.h|poll\.h|netdb\.h|sys/(socket|stat|epoll|mman|uio|file|types)\.h|"
    r"(netinet|arpa)/.*")
# Folder -> system headers it may not reach, directly or through headers of ours.
FORBIDDEN_SYSTEM = {
    "broker/log": ((ZEROMQ, "ZeroMQ"),),
    "broker/queue": ((ZEROMQ, "ZeroMQ"), (FILES_OR_SOCKETS, "files or sockets")),
}
# Who may use a mutex in broker/: what hands work between threads. The shard itself shares nothing.
MUTEX_USERS = re.compile(r"(shard_thread|commit|daemon|admin|user_book)[a-z_]*\.(h|cpp)$")
BINARY_ALLOWED = (".png",)
GENERATED = re.compile(r"(\.pb\.(h|cc)|\.(o|a|so|d|gch|pyc|class|exe))$|(^|/)(build|__pycache__|CMakeFiles)/")
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


class Tree:
    """The tracked files of a checkout: their text, and their text without comments and literals."""

    def __init__(self, root):
        self.root = Path(root).resolve()
        listed = subprocess.run(["git", "-C", str(self.root), "ls-files", "-z"], check=True, capture_output=True)
        names = [name for name in listed.stdout.decode().split("\0") if name]
        self.names = sorted(name for name in names if (self.root / name).is_file())
        self.bytes = {name: (self.root / name).read_bytes() for name in self.names}
        self.text = {name: data.decode("utf-8", "replace") for name, data in self.bytes.items() if b"\0" not in data}
        self.sources = [name for name in self.names if name.endswith(CODE) and name in self.text]
        self.code = {name: strip(self.text[name]) for name in self.sources}
        self.public = {name.split("/include/", 1)[1]: name for name in self.sources if "/include/telpher/" in name}
        self.includes = {name: list(self._includes(name)) for name in self.sources}

    def _includes(self, name):
        """Yields (line number, file of ours or None, what is written)."""
        for number, line in enumerate(self.text[name].splitlines(), 1):
            match = INCLUDE.match(line)
            if match:
                written = match.group(1) or match.group(2)
                yield number, self.resolve(name, written), written

    def resolve(self, name, written):
        beside = str(Path(name).parent / written)
        for candidate in (written, self.public.get(written), beside):
            if candidate in self.text:
                return candidate
        return None


def strip(text):
    """Replaces comments and literals by blanks, so that offsets and line numbers stay."""
    token = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^\s()\\]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|'
        r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)
    return token.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def folder_rule(table, name):
    """The entry of the longest folder in `table` that `name` lies in."""
    matches = [folder for folder in table if name.startswith(folder + "/")]
    return (max(matches, key=len), table[max(matches, key=len)]) if matches else (None, ())


def find(tree, names, pattern, rule, message):
    for name in names:
        code = tree.code.get(name, tree.text[name])
        for match in re.finditer(pattern, code):
            yield name, line_of(code, match.start()), rule, message.format(match.group(0).strip())


def check_layers(tree):
    """Folders include only what lies below them."""
    for name in tree.sources:
        layer, forbidden = folder_rule(FORBIDDEN_FOLDERS, name)
        for number, target, written in tree.includes[name]:
            place = target or written
            if any(place.startswith(folder + "/") for folder in forbidden) and not place.startswith(layer + "/"):
                yield name, number, "layers", f"{layer}/ may not include {written}"


def check_system_headers(tree):
    """The log does not see ZeroMQ, the queue neither that nor files nor sockets, not even through our own headers."""
    for name in tree.sources:
        layer, forbidden = folder_rule(FORBIDDEN_SYSTEM, name)
        if not layer:
            continue
        reached, pending = {name}, [(name, None)]
        while pending:
            current, first = pending.pop()
            for number, target, written in tree.includes[current]:
                number = first or number
                for pattern, what in forbidden:
                    if pattern.fullmatch(written):
                        yield name, number, "layers", f"{layer}/ knows no {what}: <{written}> in {current}"
                if target and target not in reached:
                    reached.add(target)
                    pending.append((target, number))


def check_public_headers(tree):
    """What is installed includes the standard library, tl::expected and itself."""
    for name in tree.public.values():
        for number, target, written in tree.includes[name]:
            standard = re.fullmatch(r"[a-z_]+", written) or written == "tl/expected.hpp"
            if not standard and not written.startswith("telpher/"):
                yield name, number, "public-header", f"a public header may not include {written}"


def check_lengths(tree):
    for name, text in tree.text.items():
        if name == "LICENSE" or name.endswith((".md", ".hex", ".json")):
            continue
        count = text.count("\n")
        if count > FILE_LINES_MAX:
            yield name, FILE_LINES_MAX + 1, "length", f"{count} lines, at most {FILE_LINES_MAX}: what could move out?"


SCOPE = re.compile(r"\s*(template\s*<.*>\s*)?(inline\s+)?(namespace|class|struct|union|enum|extern)\b(?!.*\))", re.S)


def functions(code):
    """Yields (first line, last line) of each outermost function, from its signature to its closing brace."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))  # noqa: E731
    code = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*|\balignas\([^()]*\)|\[\[.*?\]\]", blank, code, flags=re.M)
    open_blocks, start = [], 0
    for match in re.finditer(r"[{};]", code):
        here = match.start()
        if match.group(0) == "{":
            head = code[start:here]
            kind = "block"
            if all(kind == "scope" for kind, _ in open_blocks):
                if SCOPE.match(head):
                    kind = "scope"
                elif "(" in head and not head.rstrip().endswith("="):
                    kind = "function"
            open_blocks.append((kind, start + len(head) - len(head.lstrip())))
        elif match.group(0) == "}" and open_blocks:
            kind, first = open_blocks.pop()
            if re.match(r"\s*[,{)]", code[match.end():]):
                start = first  # `x_{1}` before a constructor's body, or a default argument: the signature goes on
                continue
            if kind == "function":
                yield line_of(code, first), line_of(code, here)
        start = match.end()


def check_functions(tree):
    """Functions of the product stay readable at once; the cases of a test may be as long as their story."""
    for name in tree.sources:
        if name.startswith("tests/"):
            continue
        for first, last in functions(tree.code[name]):
            if last - first + 1 > FUNCTION_LINES_MAX:
                yield name, first, "length", f"function of {last - first + 1} lines, at most {FUNCTION_LINES_MAX}"


def check_header_comments(tree):
    """A header says what it is, which thread owns it and how long it lives, before its first type."""
    for name in tree.sources:
        if not name.endswith(HEADERS):
            continue
        text = tree.text[name]
        comment = re.search(r"^\s*(//|/\*)", text, re.M)
        first_type = re.search(r"^(template\s*<.*>\s*)?(class|struct|enum)\b.*\{\s*$", tree.code[name], re.M)
        if not comment or (first_type and comment.start() > first_type.start()):
            yield name, 1, "header-comment", "no comment before the first type"
        if "#pragma once" not in text:
            yield name, 1, "pragma-once", "no #pragma once"


def check_calls(tree):
    ours = [name for name in tree.sources if name.startswith(LAYERS + ("tests",)) and not name.startswith("tests/bench/")]
    clock_free = [name for name in ours if name != "proto/base/clock.cpp"]
    yield from find(tree, clock_free, r"::now\s*\(", "clock",
                    "time comes from the injected Clock; only proto/base/clock.cpp reads one")
    queue = [name for name in ours if name.startswith("broker/queue/")]
    yield from find(tree, queue, r"\bClock\b|(\.|->)now\s*\(", "clock", "broker/queue is passed the time: {}")
    tests = [name for name in tree.text if name.startswith("tests/") and not name.startswith("tests/style/")]
    yield from find(tree, [name for name in tests if name.endswith(CODE)],
                    r"\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep|sleep)\s*\(", "sleep",
                    "a test waits for an event, not for time to pass")
    yield from find(tree, [name for name in tests if not name.endswith(CODE + (".md",))],
                    r"\btime\.sleep\s*\(|(^|[;&|]|\bdo|\bthen)[ \t]*sleep[ \t]+[0-9$]", "sleep",
                    "a test waits for an event, not for time to pass")
    broker = [name for name in ours if name.startswith("broker/") and not MUTEX_USERS.search(name)]
    yield from find(tree, broker, r"\bstd::(\w+_)?mutex\b|\bpthread_mutex_t\b", "mutex",
                    "{} in a file whose thread shares nothing")


def check_leftovers(tree):
    texts = [name for name in tree.text if not name.startswith("tests/style/") and name != "LICENSE"]
    for name in texts:
        for match in re.finditer(r"\b(TODO|FIXME|XXX|HACK)\b", tree.text[name]):
            yield name, line_of(tree.text[name], match.start()), "leftover", match.group(0)


def check_tracked(tree):
    """Git holds sources, not what is made from them."""
    for name in tree.names:
        if GENERATED.search(name):
            yield name, 1, "generated", "made by a build"
        elif name not in tree.text and not name.endswith(BINARY_ALLOWED):
            yield name, 1, "binary", "not a text"
        elif len(tree.bytes[name]) > FILE_BYTES_MAX:
            yield name, 1, "large", f"{len(tree.bytes[name])} bytes, at most {FILE_BYTES_MAX}"


def check_dead_files(tree):
    """Every header is included, every source is built."""
    included = {target for name in tree.sources for _, target, _ in tree.includes[name] if target != name}
    for name in tree.sources:
        if name.endswith(HEADERS) and name not in included:
            # A public header is for users: enough that it is installed with a folder of them.
            if name not in tree.public.values():
                yield name, 1, "dead", "no file includes this header"
        elif name.endswith(".cpp") and not built(tree, name):
            yield name, 1, "dead", "no CMakeLists.txt of its folder or above lists this source"


def built(tree, name):
    path = Path(name)
    for folder in path.parents:
        lists = tree.text.get(str(folder / "CMakeLists.txt"), "")
        if re.search(rf"(?<![\w./-]){re.escape(str(path.relative_to(folder)))}(?![\w./-])", lists):
            return True
    return False


def check_format(tree):
    program = shutil.which("clang-format")
    if not program or ".clang-format" not in tree.text or not tree.sources:
        return
    command = [program, "--dry-run", "-Werror", "--style=file", *tree.sources]
    errors = subprocess.run(command, cwd=tree.root, capture_output=True, text=True, check=False).stderr
    seen = set()
    for match in re.finditer(r"^(.+?):(\d+):\d+: error: (.+)$", errors, re.M):
        if match.group(1) not in seen:  # the first place in a file is enough to run clang-format -i
            seen.add(match.group(1))
            yield match.group(1), int(match.group(2)), "format", match.group(3)


CHECKS = (check_layers, check_system_headers, check_public_headers, check_lengths, check_functions,
          check_header_comments, check_calls, check_leftovers, check_tracked, check_dead_files, check_format)


def problems(root):
    tree = Tree(root)
    return sorted({problem for check in CHECKS for problem in check(tree)})


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    try:
        found = problems(root)
    except (subprocess.CalledProcessError, FileNotFoundError):
        print("tidy: not a git checkout, nothing is tracked")
        return 77
    for name, line, rule, message in found:
        print(f"{name}:{line}: [{rule}] {message}")
    print(f"tidy: {len(found)} problem(s)" if found else "tidy: clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
