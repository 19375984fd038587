"""Runs a script as `python SCRIPT ARGUMENTS…` would, and leaves without taking the interpreter apart.

After Django that teardown is a quarter of the whole run, and only frees what the end of the process frees anyway. What
programs rely on at their end still happens: other threads are waited for, exit handlers run, output is flushed, and the
exit code is the script's.
"""

import atexit
import os
import sys
import threading
import traceback
import types


def run(path):
    """The exit code of the script, by the rules of SystemExit."""
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=path, __builtins__=__builtins__, __cached__=None)
    sys.modules["__main__"] = module
    try:
        with open(path, "rb") as file:
            exec(compile(file.read(), path, "exec"), module.__dict__)
    except SystemExit as exit:
        if exit.code is None or isinstance(exit.code, int):
            return (exit.code or 0) & 0xFF
        print(exit.code, file=sys.stderr)
        return 1
    except BaseException as error:
        # Without the frame of this file.
        traceback.print_exception(type(error), error, error.__traceback__.tb_next)
        return 1
    return 0


sys.argv = sys.argv[1:]
script = os.path.abspath(sys.argv[0])
if not getattr(sys.flags, "safe_path", False):
    sys.path[0] = os.path.dirname(script)
code = run(script)
threading._shutdown()
atexit._run_exitfuncs()
for stream in (sys.stdout, sys.stderr):
    try:
        stream.flush()
    except (OSError, ValueError):
        code = code or 120
os._exit(code)
