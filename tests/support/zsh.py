# SPDX-License-Identifier: BSD-3-Clause
"""A real zsh at a pseudo terminal, with our completion and nothing of anybody's settings: a line is typed, Tab pressed,
and both what was offered and what the line became are told. Offers are seen where the completion system hands them
to the shell, in `compadd`: what a screen shows depends on its size."""
import os
import pty
import select
import shutil
import time

PROMPT = "MPA%"
# Completion as everybody has it after compinit, but for menus, colours and the question "do you wish to see all?".
# Ctrl-G presses Tab, writes down what came of it and clears the line.
SETTINGS = r"""
PS1=MPA%% PS2= RPS1=
unsetopt beep zle_bracketed_paste prompt_sp prompt_cr 2>/dev/null; zle_bracketed_paste=()
setopt no_list_beep
LISTMAX=1000
fpath=($MPA_FUNCTIONS $fpath)
autoload -Uz compinit && compinit -u -d $MPA_FOLDER/dump
compadd() {
    local -a offered
    if (( ${@[(I)-[OAD]]} == 0 )); then
        builtin compadd -O offered "$@"
        print -rl -- $offered >>$MPA_FOLDER/offered
    fi
    builtin compadd "$@"
}
mpa-tab() {
    : >$MPA_FOLDER/offered
    zle expand-or-complete
    print -r -- "$BUFFER" >$MPA_FOLDER/line
    mv $MPA_FOLDER/line $MPA_FOLDER/done
    zle kill-whole-line
}
zle -N mpa-tab && bindkey '^G' mpa-tab
print ready >$MPA_FOLDER/ready
"""


def is_there():
    return shutil.which("zsh") is not None


class Zsh:
    def __init__(self, folder, functions, programs, cwd):
        """`functions`: the folder with _mpactl, `programs`: that of mpactl; files are completed in `cwd`."""
        self.folder = str(folder)
        with open(os.path.join(self.folder, ".zshrc"), "w") as settings:
            settings.write(SETTINGS)
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            # -d: without the settings of the machine, which could run compinit of their own.
            os.execvpe("zsh", ["zsh", "-d", "-i"],
                       {"PATH": f"{programs}:{os.environ['PATH']}", "TERM": "dumb", "HOME": str(cwd), "ZDOTDIR": self.folder,
                        "LANG": "C.UTF-8", "MPA_FOLDER": self.folder, "MPA_FUNCTIONS": str(functions),
                        # A sanitizer's look for leaks takes longer than the completion.
                        "ASAN_OPTIONS": "detect_leaks=0"})
        self.said = b""
        self.wait_for("ready")

    def wait_for(self, name, timeout=15):
        """The content of that file, once it is there; reads the terminal meanwhile, or zsh would wait for us."""
        path, end = os.path.join(self.folder, name), time.monotonic() + timeout
        while not os.path.exists(path):
            assert time.monotonic() < end, f"zsh: no {name}; it said:\n{self.said.decode(errors='replace')}"
            if select.select([self.terminal], [], [], 0.02)[0]:
                self.said += os.read(self.terminal, 4096)
        with open(path) as file:
            text = file.read()
        os.unlink(path)
        return text

    def complete(self, line):
        """(what was offered, each word once, in order; what the line is after Tab)."""
        os.write(self.terminal, line.encode() + b"\x07")
        became = self.wait_for("done").rstrip("\n")
        with open(os.path.join(self.folder, "offered")) as file:
            return list(dict.fromkeys(word for word in file.read().split("\n") if word)), became

    def close(self):
        os.close(self.terminal)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
