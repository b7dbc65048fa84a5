"""Train, compare and explain image classifiers: the library behind the stages."""

import sys

if sys.platform == "win32":
    sys.exit("error: Windows: run it in WSL, the Windows Subsystem for Linux; native Windows is not supported")
