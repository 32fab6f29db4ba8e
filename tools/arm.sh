#!/bin/sh
# Runs tests of kernels and sums for 64-bit ARM, in emulation; given "all", those of
# engines too, which takes minutes: on problems of few pairs where it can be chosen. Where something for that is missing, one line
# says what.
set -eu

target=aarch64-unknown-linux-gnu
have() { command -v "$1" >/dev/null 2>&1; }
if ! have qemu-aarch64-static || ! have aarch64-linux-gnu-gcc ||
    ! [ -d "$(rustc --print target-libdir --target $target 2>/dev/null)" ]; then
    echo "skipped: no emulator, linker or standard library for 64-bit ARM; on Debian:" \
        "apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static &&" \
        "rustup target add $target"
    exit 0
fi
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -L /usr/aarch64-linux-gnu"
export KENTRO_TEST_WORK=60000
case "${1-}" in
all) set -- nearest:: ;;
*) set -- nearest::scan nearest::few ;;
esac
exec cargo test --target $target --lib -- kernels:: totals:: "$@"
