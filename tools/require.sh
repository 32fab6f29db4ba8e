#!/bin/sh
# Names each tool that is missing, with the command that installs it.
missing=0
require() {
    if ! command -v "$1" >/dev/null 2>&1; then
        echo "missing: $1; install it with: $2" >&2
        missing=1
    fi
}
require cargo "the installer at https://rustup.rs"
require gcc "apt-get install gcc (or your system's C compiler package)"
require g++ "apt-get install g++ (or your system's C++ compiler package)"
require python3 "apt-get install python3 python3-venv"
if [ $missing = 0 ] && ! python3 -c "import venv, ensurepip" 2>/dev/null; then
    echo "missing: Python's venv module; install it with: apt-get install python3-venv" >&2
    missing=1
fi
exit $missing
