//! Gives the shared library the name by which the programs that link it look
//! for it: major and minor version while the major one is 0, then the major
//! one. CMakeLists.txt and cargo-c (Cargo.toml) say the same.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let part = |name: &str| env::var(format!("CARGO_PKG_VERSION_{name}")).unwrap_or_default();
    let version = match part("MAJOR").as_str() {
        "0" => format!("0.{}", part("MINOR")),
        major => major.into(),
    };
    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let name = match os.as_str() {
        "linux" | "freebsd" | "netbsd" | "dragonfly" | "illumos" | "hurd" | "haiku" => {
            format!("-soname,libkentro.so.{version}")
        }
        "macos" => format!("-install_name,@rpath/libkentro.{version}.dylib"),
        _ => return, // Windows has no such names, Android and others no versions in them
    };
    println!("cargo:rustc-cdylib-link-arg=-Wl,{name}");
}
