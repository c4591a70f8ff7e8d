# SPDX-License-Identifier: GPL-3.0-or-later
"""`rehearse completion`: what a shell needs to complete this command's words."""

from __future__ import annotations

from argcomplete.shell_integration import shellcode

from migration_rehearsal import exit_codes, subcommand

SHELLS = ("bash", "zsh", "fish")


def add(commands: subcommand.Subparsers) -> None:
    """The parser of `rehearse completion`."""
    one = subcommand.add(
        commands,
        "completion",
        "print the completion script of a shell",
        description="Print the completion script of a shell: subcommands, options, files, and the ids of past rehearsals.",
        examples=[
            "rehearse completion bash > ~/.local/share/bash-completion/completions/rehearse",
            "rehearse completion zsh > ~/.zfunc/_rehearse   # with fpath+=~/.zfunc before compinit",
            "rehearse completion fish > ~/.config/fish/completions/rehearse.fish",
        ],
    )
    one.add_argument("shell", choices=SHELLS)
    one.set_defaults(action=lambda given: run(given.shell))


def run(shell: str) -> int:
    """Print it; the exit code."""
    print(shellcode(["rehearse"], shell=shell).strip("\n"))
    return exit_codes.GO
