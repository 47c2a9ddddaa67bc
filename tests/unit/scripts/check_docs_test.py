#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The document check finds what it promises to find: run over a small tree with one mistake at a time."""
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))

GOOD = {
    "docs/layers.txt": "roots: .\ngenerated: x.h\nlib/base:\nlib/shm: lib/base # a comment\n",
    "docs/architecture.md": "<!-- folders -->\n| `lib/base` | floor | nothing |\n| `lib/shm` | memory | `lib/base` |\n"
                            "<!-- end -->\n",
    "docs/other.md": "See `lib/base/log.c`, `log_info()`, `rx_drop_runt`, [the map](architecture.md#a) and\n"
                     "`tests/unit/log_test.c` \"a line stays one line\".\n",
    "README.md": "[docs](docs/other.md), https://example.org and [web](https://example.org/x).\n"
                 "| `nic_failed … why=no_rights` | run as root |\n",
    "lib/shm/lane.h": "",
    "lib/base/log.c": "void log_info(void) {}\nX(rx_drop_runt)\nlog_error(\"nic_failed why=%s\", \"no_rights\");\n",
    "tests/unit/log_test.c": "{\"a line stays one line\", test},\n",
}


def check(changes):
    """Exit status and output of check-docs over GOOD with some files changed."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in {**GOOD, **changes}.items():
            os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
            with open(os.path.join(root, name), "w") as file:
                file.write(text)
        done = subprocess.run([sys.executable, os.path.join(ROOT, "scripts/check-docs"), root],
                              stdout=subprocess.PIPE, text=True)
        return done.returncode, done.stdout


class CheckDocs(unittest.TestCase):
    def finds(self, what, name, old, new):
        code, out = check({name: GOOD[name].replace(old, new)})
        self.assertIn(what, out)
        self.assertEqual(code, 1)

    def test_a_true_tree_passes(self):
        self.assertEqual(check({}), (0, "3 documents say what is there\n"))

    def test_a_new_folder_without_a_row_is_found(self):
        self.finds("folder lib/flow of docs/layers.txt has no row", "docs/layers.txt", "lib/base:\n",
                   "lib/base:\nlib/flow:\n")

    def test_a_row_with_other_includes_is_found(self):
        self.finds("lib/shm may include", "docs/architecture.md", "| `lib/base` |\n", "| nothing |\n")

    def test_a_row_too_many_is_found(self):
        self.finds("folder lib/shm is not in docs/layers.txt", "docs/layers.txt", "lib/shm:", "#")

    def test_a_file_that_is_gone_is_found(self):
        self.finds("no such file: lib/base/gone.c", "docs/other.md", "log.c", "gone.c")

    def test_a_function_that_is_gone_is_found(self):
        self.finds("no such function: log_gone()", "docs/other.md", "log_info", "log_gone")

    def test_a_counter_that_is_gone_is_found(self):
        self.finds("no such counter: rx_drop_gone", "docs/other.md", "rx_drop_runt", "rx_drop_gone")

    def test_a_dead_link_is_found(self):
        self.finds("dead link: gone.md", "docs/other.md", "architecture.md", "gone.md")

    def test_a_log_line_that_no_program_prints_is_found(self):
        self.finds('no program prints "no_money"', "README.md", "no_rights", "no_money")
        self.finds('no program prints "tap_failed"', "README.md", "nic_failed", "tap_failed")

    def test_a_promise_that_no_test_makes_is_found(self):
        self.finds("does not promise", "docs/other.md", "stays one line", "stays two lines")


unittest.main()
