#!/bin/sh
# Builds Kentro once, runs the same example from four languages and compares
# what they print. Run by `make demo`, which sets up .venv first.
set -eu
cd "$(dirname "$0")/.."
digits=examples/data/digits.csv
out=build/demo
mkdir -p "$out"

cargo build --release --quiet --example quickstart
python3 -m pip install --quiet --disable-pip-version-check --no-build-isolation ./bindings/python

library="-Iinclude -Ltarget/release -lkentro -Wl,-rpath,$PWD/target/release"
soname=libkentro.so.$(sed -n 's/^version = "\([0-9]*\.[0-9]*\).*/\1/p' Cargo.toml)
ln -sf libkentro.so "target/release/$soname"
gcc -std=c99 -O2 -Wall examples/quickstart.c -o "$out/quickstart-c" $library
g++ -std=c++17 -O2 -Wall examples/quickstart.cpp -o "$out/quickstart-cpp" $library

run() {
    name=$1
    shift
    "$@" >"$out/$name.txt"
    if cmp -s "$out/rust.txt" "$out/$name.txt"; then
        echo "$name: the same text"
    else
        echo "$name: a different text" >&2
        diff "$out/rust.txt" "$out/$name.txt" >&2 || true
        exit 1
    fi
}

target/release/examples/quickstart "$digits" | tee "$out/rust.txt"
echo
run C "$out/quickstart-c" "$digits"
run C++ "$out/quickstart-cpp" "$digits"
run Python python3 bindings/python/examples/digits.py "$digits" build/digits.png
echo "picture of the centroids: build/digits.png"
