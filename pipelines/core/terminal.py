"""Lets a command take and show any letter, whatever the terminal and the locale are; called first by what is run."""

import os
import sys


def settle() -> None:
    """Reads the arguments as UTF-8, and makes output show what the terminal lacks as an escape such as \\U0001f436.

    In a locale that says ASCII, Python takes Hangul in arguments and in file names for stray bytes: there the process
    begins again in Python's UTF-8 mode.
    """
    stray = any("\udc80" <= letter <= "\udcff" for word in sys.argv for letter in word)
    encoding = sys.getfilesystemencoding()
    if encoding == "ascii" or (stray and encoding != "utf-8"):
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
