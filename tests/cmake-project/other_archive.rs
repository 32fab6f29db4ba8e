//! A static library of another project, with Rust's standard library in it.

use std::collections::HashMap;
use std::panic;

/// Counts with a map that allocates.
#[unsafe(no_mangle)]
pub extern "C" fn other_words(n: i32) -> i32 {
    let mut counts = HashMap::new();
    for i in 0..n {
        *counts.entry(format!("word {}", i % 7)).or_insert(0) += 1;
    }
    counts.len() as i32
}

/// 1 if a panic is caught.
#[unsafe(no_mangle)]
pub extern "C" fn other_panics() -> i32 {
    panic::set_hook(Box::new(|_| {}));
    panic::catch_unwind(|| panic!("on purpose")).is_err().into()
}
