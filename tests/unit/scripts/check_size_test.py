# SPDX-License-Identifier: BSD-3-Clause
"""check_size_test.py — the size gates find what breaks them, say where, and excuse what has a reason."""
import os
import subprocess
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(__file__), "..", "..", "..", "scripts", "check-size")


def run(**files):
    """Checks a tree of these files (name__c="text"); returns exit code and output."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            with open(os.path.join(root, name.replace("__", ".")), "w") as out:
                out.write(text)
        done = subprocess.run([SCRIPT, root], stdout=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stdout


def function(body, parameters="int a"):
    return f"int f({parameters});\nint f({parameters})\n{{\n{body}\n    return a;\n}}\n"


class CheckSize(unittest.TestCase):
    def accepted(self, text):
        code, output = run(x__c=text)
        self.assertEqual(code, 0, output)

    def refused(self, text, complaint):
        code, output = run(x__c=text)
        self.assertEqual(code, 1, output)
        self.assertIn(complaint, output)

    def test_a_long_function_is_refused(self):
        self.accepted(function("    a++;\n" * 75))
        self.refused(function("    a++;\n" * 80), "x.c:2: f() has 85 lines (at most 80)")

    def test_a_reason_excuses(self):
        self.accepted(function("    /* LONG: one table */\n" + "    a++;\n" * 80))
        self.refused(function("    /* LONG: */\n" + "    a++;\n" * 80), "lines")

    def test_long_files_are_refused(self):
        self.refused(function("") + "\n" * 800, "x.c: 806 lines (at most 800)")
        self.accepted("/* LONG: generated */\n" + function("") + "\n" * 800)
        code, output = run(x__c=function(""), y__h="\n" * 301)
        self.assertEqual((code, output.strip()), (1, "y.h: 301 lines (at most 300)"))

    def test_parameters_are_counted(self):
        self.accepted(function("", "int a, void (*b)(int, int), int c[2], int d, int e"))
        self.refused(function("", "int a, int b, int c, int d, int e, int g"), "x.c:1: f() has 6 parameters")
        self.accepted("int f(void);\nint f(void)\n{\n    return 1;\n}\n")

    def test_nesting_is_counted_with_and_without_braces(self):
        self.accepted(function("for (;;) if (a) while (a) a++;"))
        self.refused(function("for (;;) if (a) while (a) if (a) a++;"), "x.c:2: f() nests 4 deep (at most 3)")
        self.refused(function("for (;;) { if (a) { do { if (a) a++; } while (a); } }"), "nests 4 deep")
        self.refused(function("EACH(a, b) { EACH(b, c) { if (a) { if (a) a++; } } }"), "nests 4 deep")

    def test_a_chain_is_not_nesting(self):
        self.accepted(function("if (a) a++; else if (a) a--; else if (a) a++; else if (a) a--; else a = 1;"))

    def test_initialisers_are_not_nesting(self):
        self.accepted(function("struct s x = {{{{{1}}}}}; g((struct s){.a = {{{2}}}}); a = x.b ? (a) : (b);"))

    def test_a_case_is_not_nesting(self):
        body = "switch (a) { case 1: if (a) { while (a) a++; } break; case N(2): default: a--; }"
        self.accepted(function(body))
        self.refused(function(body.replace("a++", "if (a) a++")), "nests 4 deep")

    def test_comments_and_strings_are_not_code(self):
        self.accepted(function('/* if (a) { { { { */ a = "{{{{\\"{"[0] + \'{\'; // {{{{'))

    def test_a_function_cut_by_the_preprocessor_is_refused(self):
        self.refused(function("#ifdef X\n    a++;\n#endif"), "x.c:2: f() is cut by the preprocessor")

    def test_an_empty_tree_is_refused(self):
        self.assertEqual(run()[0], 1)


if __name__ == "__main__":
    unittest.main()
