#!/usr/bin/env python3
"""Shows that every rule of tidy.py fires on a doctored tree, at the right line, and stays quiet on a clean one."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import tidy  # noqa: E402

HEADER = "#pragma once\n// A type. Any thread; lives with its owner.\n"
CLEAN = {
    "proto/CMakeLists.txt": "library(a.cpp base/clock.cpp)\n",
    "proto/a.h": HEADER,
    "proto/a.cpp": '#include "proto/a.h"\n',
    "proto/base/clock.cpp": "auto f() { return std::chrono::steady_clock::now(); }\n",
    "proto/include/telpher/t.h": HEADER + '#include <string>\n#include <tl/expected.hpp>\n',
    "broker/CMakeLists.txt": "library(log/l.cpp queue/q.cpp shard.cpp commit_thread.cpp)\n",
    "broker/shard.cpp": '#include "proto/a.h"\n#include "telpher/t.h"\n',
    "broker/commit_thread.cpp": "std::mutex m;\n",
    "broker/log/l.cpp": "#include <fcntl.h>\n",
    "broker/queue/q.cpp": '#include "proto/a.h"\n',
}


class TidyTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        subprocess.run(["git", "init", "-q", str(self.root)], check=True)

    def tidy(self, changes):
        """Problems of the clean tree with `changes` written over it, as {(file, line, rule)}."""
        for name, text in {**CLEAN, **changes}.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        subprocess.run(["git", "-C", str(self.root), "add", "--all", "--force"], check=True)
        return {problem[:3] for problem in tidy.problems(self.root)}

    def expect(self, changes, *expected):
        self.assertEqual(self.tidy(changes), set(expected))

    def test_clean_tree(self):
        self.expect({})

    def test_untracked_files_are_not_read(self):
        self.tidy({})
        (self.root / "proto/wip.cpp").write_text("int x; // TODO\n")
        self.assertEqual(tidy.problems(self.root), [])

    def test_proto_knows_nobody(self):
        for place in ("broker", "producer", "consumer", "cli", "tests"):
            with self.subTest(place):
                self.expect({"proto/a.cpp": f'#include "proto/a.h"\n#include "{place}/x.h"\n'}, ("proto/a.cpp", 2, "layers"))

    def test_clients_and_broker_do_not_meet(self):
        lists = {f"{place}/CMakeLists.txt": "x.cpp\n" for place in ("producer", "consumer", "cli")}
        for place in ("producer", "consumer", "cli"):
            with self.subTest(place):
                self.expect({**lists, f"{place}/x.cpp": '#include "broker/b.h"\n'}, (f"{place}/x.cpp", 1, "layers"))
                (self.root / place / "x.cpp").unlink()
                self.expect({**lists, "broker/shard.cpp": f'#include "{place}/x.h"\n'}, ("broker/shard.cpp", 1, "layers"))

    def test_log_sees_no_rest_of_the_broker(self):
        self.expect({"broker/log/l.cpp": '#include "broker/shard.h"\n'}, ("broker/log/l.cpp", 1, "layers"))

    def test_log_sees_no_zeromq(self):
        self.expect({"broker/log/l.cpp": "\n#include <zmq.hpp>\n"}, ("broker/log/l.cpp", 2, "layers"))

    def test_log_sees_no_zeromq_through_a_header(self):
        self.expect({"proto/a.h": HEADER + "#include <zmq.h>\n", "broker/log/l.cpp": '\n#include "proto/a.h"\n',
                     "broker/queue/q.cpp": ""}, ("broker/log/l.cpp", 2, "layers"))

    def test_queue_sees_neither_files_nor_sockets(self):
        for header in ("fstream", "filesystem", "fcntl.h", "unistd.h", "sys/socket.h", "zmq.hpp"):
            with self.subTest(header):
                self.expect({"broker/queue/q.cpp": f"#include <{header}>\n"}, ("broker/queue/q.cpp", 1, "layers"))

    def test_queue_sees_no_clock(self):
        self.expect({"broker/queue/q.cpp": "void f(const Clock& c) {\n    c.now();\n}\n"},
                    ("broker/queue/q.cpp", 1, "clock"), ("broker/queue/q.cpp", 2, "clock"))

    def test_public_headers_stand_alone(self):
        for header in ('"proto/a.h"', "<zmq.hpp>", "<google/protobuf/message_lite.h>", '"proto/telpher.pb.h"'):
            with self.subTest(header):
                self.expect({"proto/include/telpher/t.h": HEADER + f"#include {header}\n"},
                            ("proto/include/telpher/t.h", 3, "public-header"))

    def test_file_length(self):
        self.expect({"proto/a.cpp": '#include "proto/a.h"\n' + "int x;\n" * 799})
        self.expect({"proto/a.cpp": '#include "proto/a.h"\n' + "int x;\n" * 800}, ("proto/a.cpp", 801, "length"))

    def test_function_length(self):
        def function(lines):
            return "namespace telpher {\n\nint f(int a,\n      int b) {\n" + "    g({1}, [] { h(); });\n" * (lines - 3) + "}\n\n}\n"
        self.expect({"broker/shard.cpp": function(70)})
        self.expect({"broker/shard.cpp": function(71)}, ("broker/shard.cpp", 3, "length"))

    def test_method_length(self):
        body = "    g();\n" * 69
        self.expect({"broker/shard.cpp": "struct A : B<int> {\n    void f() {\n" + body + "    }\n};\n"},
                    ("broker/shard.cpp", 2, "length"))

    def test_constructor_length(self):
        def constructor(lines):
            return "class alignas(8) A {\n    A(int x = {})\n        : x_{1}, y_{2} {\n" + "    g();\n" * (lines - 3) + "    }\n};\n"
        self.expect({"broker/shard.cpp": constructor(70)})
        self.expect({"broker/shard.cpp": constructor(71)}, ("broker/shard.cpp", 2, "length"))

    def test_long_tables_are_not_functions(self):
        self.expect({"broker/shard.cpp": "const auto kTable = {\n" + "    Row{f(1), 2},\n" * 90 + "};\n"})

    def test_header_comment(self):
        self.expect({"proto/a.h": "#pragma once\nclass A {\n    // too late\n};\n"}, ("proto/a.h", 1, "header-comment"))
        self.expect({"proto/a.h": "// A thing.\n"}, ("proto/a.h", 1, "pragma-once"))

    def test_clock(self):
        self.expect({"broker/shard.cpp": "// steady_clock::now() in words\nauto t = steady_clock::now();\n"},
                    ("broker/shard.cpp", 2, "clock"))

    def test_sleep_in_tests(self):
        lists = {"tests/CMakeLists.txt": "x.cpp bench/b.cpp\n"}
        for call in ("std::this_thread::sleep_for(1s);", "usleep(3);", "sleep(1);"):
            with self.subTest(call):
                self.expect({**lists, "tests/x.cpp": call + "\n"}, ("tests/x.cpp", 1, "sleep"))
        (self.root / "tests/x.cpp").unlink()
        self.expect({**lists, "tests/x.py": "import time\ntime.sleep(1)\n"}, ("tests/x.py", 2, "sleep"))
        (self.root / "tests/x.py").unlink()
        self.expect({**lists, "tests/x": "#!/bin/bash\nwhile true; do sleep 1; done\n"}, ("tests/x", 2, "sleep"))

    def test_bench_may_read_the_clock(self):
        self.expect({"tests/CMakeLists.txt": "bench/b.cpp\n", "tests/bench/b.cpp": "auto t = steady_clock::now();\n"})

    def test_mutex(self):
        for kind in ("std::mutex", "std::shared_mutex", "std::recursive_timed_mutex"):
            with self.subTest(kind):
                self.expect({"broker/shard.cpp": f"{kind} m;\n"}, ("broker/shard.cpp", 1, "mutex"))

    def test_leftovers(self):
        self.expect({"proto/a.h": HEADER + "// TODO later\n"}, ("proto/a.h", 3, "leftover"))
        self.expect({"proto/a.h": HEADER + "// FIXME\n"}, ("proto/a.h", 3, "leftover"))

    def test_generated_binary_and_large_files(self):
        self.expect({"proto/x.pb.h": HEADER + '#include "proto/x.pb.h"\n'}, ("proto/x.pb.h", 1, "generated"),
                    ("proto/x.pb.h", 1, "dead"))
        (self.root / "proto/x.pb.h").unlink()
        self.expect({"proto/data": b"a\0b"}, ("proto/data", 1, "binary"))
        (self.root / "proto/data").unlink()
        self.expect({"docs/data": "x" * (tidy.FILE_BYTES_MAX + 1)}, ("docs/data", 1, "large"))

    def test_dead_files(self):
        self.expect({"proto/b.h": HEADER}, ("proto/b.h", 1, "dead"))
        (self.root / "proto/b.h").unlink()
        self.expect({"proto/aa.cpp": ""}, ("proto/aa.cpp", 1, "dead"))

    def test_format(self):
        if not tidy.shutil.which("clang-format"):
            self.skipTest("no clang-format")
        self.expect({".clang-format": "BasedOnStyle: Google\n", "broker/shard.cpp": "int   x;\n",
                     "proto/base/clock.cpp": "", "proto/include/telpher/t.h": HEADER},
                    ("broker/shard.cpp", 1, "format"))


class StripTest(unittest.TestCase):
    def test_keeps_lines_and_drops_words(self):
        code = 'int a; // now\n/* x\ny */ auto s = "a // b\\""; auto r = R"(\n"{)"; int n = 1\'000; char c = \'"\';\nz'
        stripped = tidy.strip(code)
        self.assertEqual(len(stripped), len(code))
        self.assertEqual(stripped.count("\n"), code.count("\n"))
        self.assertIn("1'000", stripped)
        for word in ("now", "y */", "// b", "{"):
            self.assertNotIn(word, stripped)


if __name__ == "__main__":
    unittest.main()
