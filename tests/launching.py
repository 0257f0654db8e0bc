"""How tests start a command in a process whose limits or signals are other ones than theirs."""

import sys

# Changes the process and then becomes the command. A preexec_fn would run between fork and exec in this process, which
# Python warns of where another test has started threads.
_LAUNCHER = """
import os, resource, signal, sys
largest, heeded, *command = sys.argv[1:]
if largest:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest), int(largest)))
if heeded:
    signal.signal(int(heeded), signal.SIG_DFL)
os.execv(command[0], command)
"""


def launched(*command, largest="", heeded=""):
    """Return the command line that starts `command`, whose first word is the path of a program.

    `largest` is the most bytes that a file may have, `heeded` a signal that is not ignored: what a shell runs in the
    background ignores SIGINT, and so do its children.
    """
    return [sys.executable, "-c", _LAUNCHER, str(largest), str(int(heeded) if heeded else ""), *map(str, command)]
