# SPDX-License-Identifier: BSD-3-Clause
"""mpactl in a terminal of some size: tmux is the terminal."""
import os
import re
import subprocess

import pytest

from controlled import wait_until


class Terminal:
    """A terminal of some size with one command in it."""

    def __init__(self, folder, columns, rows, command, term="tmux-256color"):
        self.folder = folder
        self.command = ["tmux", "-S", os.path.join(folder, "tmux"), "-f", "/dev/null"]
        script = (f"stty -a >{folder}/before; TERM={term} {command}; echo $? >{folder}/code; "
                  f"stty -a >{folder}/after; mv {folder}/code {folder}/done; read -r _")
        subprocess.run(self.command + ["new-session", "-d", "-x", str(columns), "-y", str(rows), script],
                       check=True, env={**os.environ, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"})

    def tmux(self, *words):
        return subprocess.run(self.command + list(words), check=True, stdout=subprocess.PIPE, text=True).stdout

    def screen(self):
        return "\n".join(line.rstrip() for line in self.tmux("capture-pane", "-p", "-J").splitlines())

    def key(self, *keys):
        self.tmux("send-keys", *keys)

    def shows(self, pattern, timeout=10):
        wait_until(lambda: re.search(pattern, self.screen()), f"{pattern!r} on\n{self.screen()}", timeout)

    def pid(self):
        shell = self.tmux("display", "-p", "#{pane_pid}").strip()
        with open(f"/proc/{shell}/task/{shell}/children") as children:
            return int(children.read().split()[0])

    def ended(self):
        """The exit code; the terminal must be as it was."""
        done = os.path.join(self.folder, "done")
        wait_until(lambda: os.path.exists(done), f"the end of it; screen:\n{self.screen()}")
        assert self.tmux("display", "-p", "#{alternate_on}").strip() == "0"
        assert self.tmux("display", "-p", "#{cursor_flag}").strip() == "1"
        read = [open(os.path.join(self.folder, name)).read() for name in ("before", "after", "done")]
        # The first line has the size.
        assert read[0].splitlines()[1:] == read[1].splitlines()[1:]
        return int(read[2])

    def close(self):
        subprocess.run(self.command + ["kill-server"], check=False, stderr=subprocess.DEVNULL)


@pytest.fixture
def terminal(tmp_path):
    """terminal(columns, rows, command): as many as a test wants."""
    made = []

    def make(columns, rows, command, **options):
        folder = tmp_path / f"terminal{len(made)}"
        folder.mkdir()
        made.append(Terminal(str(folder), columns, rows, command, **options))
        return made[-1]
    yield make
    for it in made:
        it.close()
