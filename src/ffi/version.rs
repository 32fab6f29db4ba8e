//! The version of the library that is running, to be compared with the
//! `KENTRO_VERSION_*` macros of the header that was compiled against.

use libc::c_char;
use std::ffi::CStr;

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("the package version holds a NUL"),
    };

/// The version of the library, such as "1.2.3": static, never to be freed.
/// Since 0.3.
#[unsafe(no_mangle)]
pub extern "C" fn kentro_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The version of the library as major << 16 | minor << 8 | patch. Since 0.3.
#[unsafe(no_mangle)]
pub extern "C" fn kentro_version_number() -> u32 {
    const MAJOR: u32 = parse(env!("CARGO_PKG_VERSION_MAJOR"));
    const MINOR: u32 = parse(env!("CARGO_PKG_VERSION_MINOR"));
    const PATCH: u32 = parse(env!("CARGO_PKG_VERSION_PATCH"));
    MAJOR << 16 | MINOR << 8 | PATCH
}

const fn parse(text: &str) -> u32 {
    match u32::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("a part of the package version is no number"),
    }
}
