#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What `cmake --install` leaves is what users look for, at the places where their tools look, and nothing else: the
list here is the whole of it, so that no test, header or library of ours gets out. Installs into a temporary folder."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = ("mpa-controld", "mpa-frontend", "mpa-worker", "mpactl")
UNITS = ("mpa.target", "mpa-attach.socket", "mpa-metrics.socket", "mpa-controld.service", "mpa-frontend.service",
         "mpa-worker@.service")
# At the places that they have in the source, so that the links between them hold.
DOCUMENTS = ("README.md", "CHANGELOG.md", "LICENSE", "docs/schema/mpactl.json", "deploy/mpa.yaml",
             "deploy/grafana/mpa.json", "deploy/prometheus/mpa-rules.yaml", "deploy/prometheus/prometheus.yaml")
# What users have no need of, though README.md links to it for those who read on in the source.
SOURCE_ONLY = ("CONTRIBUTING.md", "docs/layers.txt", "tests/")
places = None


def read(path):
    with open(path) as file:
        return file.read()


def in_source(folder, ending):
    return [f"{folder}/{name}" for name in os.listdir(os.path.join(ROOT, folder)) if name.endswith(ending)]


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dest = tempfile.mkdtemp(prefix="mpa-install-")
        cls.addClassCleanup(shutil.rmtree, cls.dest)
        cls.install()

    @classmethod
    def install(cls):
        done = subprocess.run([places.cmake, "--install", places.build], capture_output=True, text=True,
                              env={**os.environ, "DESTDIR": cls.dest})
        assert done.returncode == 0, f"cmake --install (is everything built?): {done.stderr}"

    def path(self, *parts):
        return os.path.join(self.dest, os.path.join(*parts).lstrip("/"))

    def commands(self):
        return subprocess.run([self.path(places.bin, "mpactl"), "man"], capture_output=True, text=True,
                              check=True).stdout.split()

    def wanted(self):
        lib = os.path.join(places.prefix, "lib")
        yield from (os.path.join(places.bin, name) for name in PROGRAMS)
        yield from (os.path.join(places.prefix, places.units, name) for name in UNITS)
        yield os.path.join(places.rules, "50-mpa.rules")
        yield os.path.join(lib, "sysusers.d", "mpa.conf")
        yield os.path.join(lib, "tmpfiles.d", "mpa.conf")
        yield os.path.join(places.etc, "mpa", "mpa.yaml")
        yield os.path.join(places.data, "bash-completion", "completions", "mpactl")
        yield os.path.join(places.prefix, places.zsh, "_mpactl")
        yield from (os.path.join(places.doc, name)
                    for name in (*DOCUMENTS, *in_source("docs", ".md"), *in_source("docs/adr", ".md")))
        if places.has_manual:
            pages = [*PROGRAMS, *(f"mpactl-{command}" for command in self.commands())]
            yield from (os.path.join(places.man, "man8", f"{name}.8") for name in pages)

    def test_exactly_what_users_look_for_is_there(self):
        there = {os.path.join(folder, name)[len(self.dest):]
                 for folder, _, names in os.walk(self.dest) for name in names}
        wanted = set(self.wanted())
        self.assertEqual(sorted(wanted - there), [], "is missing")
        self.assertEqual(sorted(there - wanted), [], "is nothing for users")

    def test_what_uninstalls_by_the_manifest_leaves_nothing(self):
        # docs/deploy.md removes what is listed there, and the folder of the configuration.
        listed = set(read(os.path.join(places.build, "install_manifest.txt")).split("\n"))
        config = os.path.join(places.etc, "mpa", "mpa.yaml")
        self.assertEqual(sorted(set(self.wanted()) - listed - {config}), [])

    def test_every_command_has_its_page(self):
        if not places.has_manual:
            self.skipTest("scdoc is not installed: there are no manual pages (scripts/install-deps.sh build)")
        self.assertIn("status", self.commands())
        for name in ("mpactl-status.8", "mpa-controld.8"):
            self.assertRegex(read(self.path(places.man, "man8", name)), r"(?m)^\.TH ")

    def test_the_programs_run_and_have_no_trace_of_the_build(self):
        for name in PROGRAMS:
            done = subprocess.run([self.path(places.bin, name), "--help"], capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, 0, done.stderr)
        done = subprocess.run(["readelf", "-d", self.path(places.bin, "mpactl")], capture_output=True, text=True)
        self.assertNotRegex(done.stdout, "RPATH|RUNPATH")

    def test_everybody_can_read_and_nobody_else_can_write(self):
        for folder, _, names in os.walk(self.dest):
            for name in names:
                path = os.path.join(folder, name)
                wanted = 0o755 if os.path.dirname(path) == self.path(places.bin) else 0o644
                self.assertEqual(os.stat(path).st_mode & 0o777, wanted, path)

    def test_what_units_name_is_installed(self):
        for unit in UNITS:
            text = read(self.path(places.prefix, places.units, unit))
            self.assertNotRegex(text, r"@[A-Z_]+@", unit)
            for program in re.findall(r"(?m)^Exec\w+=[-+!:@]*(\S+)", text):
                self.assertTrue(os.access(self.path(program), os.X_OK), f"{unit}: {program}")
            for config in re.findall(r"--config (\S+)", text):
                self.assertTrue(os.path.exists(self.path(config)), f"{unit}: {config}")

    def test_the_configurations_are_valid(self):
        for path in (self.path(places.etc, "mpa/mpa.yaml"), self.path(places.doc, "deploy/mpa.yaml")):
            done = subprocess.run([self.path(places.bin, "mpactl"), "config", "check", path], capture_output=True,
                                  text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        json.loads(read(self.path(places.doc, "deploy/grafana/mpa.json")))
        json.loads(read(self.path(places.doc, "docs/schema/mpactl.json")))

    def test_links_between_documents_hold(self):
        for folder, _, names in os.walk(self.path(places.doc)):
            for name in (name for name in names if name.endswith(".md")):
                for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)", read(os.path.join(folder, name))):
                    target = os.path.normpath(os.path.join(folder, link))
                    in_doc = os.path.relpath(target, self.path(places.doc))
                    self.assertTrue(os.path.exists(target) or in_doc.startswith(SOURCE_ONLY),
                                    f"{name}: {link} is not installed")

    def test_a_second_install_keeps_what_an_operator_has_changed(self):
        config = self.path(places.etc, "mpa/mpa.yaml")
        before = read(config)
        with open(config, "a") as file:
            file.write("# changed\n")
        self.install()
        self.assertEqual(read(config), before + "# changed\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("cmake", "build", "prefix", "bin", "man", "data", "doc", "etc", "units", "rules", "zsh"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--has-manual", type=int, required=True)
    places = parser.parse_args()
    unittest.main(argv=sys.argv[:1])
