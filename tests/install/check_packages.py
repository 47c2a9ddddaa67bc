#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The packages that users are told to install are enough: those of `scripts/install-deps.sh build` to configure a tree,
those of deploy/Containerfile to run the programs. On this machine everything is installed, so what is missing there
does not show by itself."""
import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = ("dataplane/frontend/mpa-frontend", "dataplane/worker/mpa-worker", "controlplane/controld/mpa-controld",
            "controlplane/mpactl/mpactl")
FOR_TESTS_ONLY = ("cunit", "check")
places = None


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def package_of(library):
    """Of the programs' own architecture: others may be installed beside it."""
    triplet = output("gcc", "-print-multiarch").strip()
    found = output("dpkg-query", "--search", f"*/{triplet}/{library}")
    return found.split(":")[0]


def depends(package):
    fields = output("dpkg-query", "--show", "--showformat=${Depends}, ${Pre-Depends}", package)
    return {re.split(r"[ :(]", name.strip())[0] for name in fields.split(",") if name.strip()}


def container_packages():
    with open(os.path.join(ROOT, "deploy/Containerfile")) as file:
        last = file.read().split("apt-get install")[-1]
    return set(re.findall(r"\blib\S+", last.split("&&")[0]))


class Packages(unittest.TestCase):
    def test_a_tree_is_configured_without_what_only_tests_need(self):
        with tempfile.TemporaryDirectory(prefix="mpa-packages-") as folder:
            known = os.path.join(folder, "pkgconfig")
            os.mkdir(known)
            for path in output("pkg-config", "--variable", "pc_path", "pkg-config").strip().split(":"):
                for file in glob.glob(os.path.join(path, "*.pc")):
                    name = os.path.basename(file)
                    if name.removesuffix(".pc") not in FOR_TESTS_ONLY and not os.path.exists(f"{known}/{name}"):
                        os.symlink(file, f"{known}/{name}")
            done = subprocess.run([places.cmake, "-S", ROOT, "-B", f"{folder}/build", "-G", "Ninja",
                                   f"-DLWIP_SOURCE_DIR={places.lwip}"], capture_output=True, text=True,
                                  env={**os.environ, "PKG_CONFIG_LIBDIR": known})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no tests", done.stdout)

    def test_the_container_has_every_library_of_the_programs(self):
        if not places.has_plain_programs:
            self.skipTest("a sanitizer's libraries are in these programs, not in those of a container")
        listed = container_packages()
        there = listed.union(*(depends(package) for package in listed))
        for program in PROGRAMS:
            needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", os.path.join(places.build, program)))
            self.assertIn("libc.so.6", needed)
            for library in needed:
                if not library.startswith("ld-linux"):
                    self.assertIn(package_of(library), there, f"{program}: {library}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("cmake", "build", "lwip"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--has-plain-programs", type=int, required=True)
    places = parser.parse_args()
    unittest.main(argv=sys.argv[:1])
