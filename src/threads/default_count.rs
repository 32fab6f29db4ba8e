//! How many threads a call uses that was not told: one number for the process,
//! which the environment or the program may set. It has no influence on results.

use crate::error::{KMeansError, Result};
use crate::text::text;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Read once, by the first call that needs it.
const VARIABLE: &str = "KENTRO_NUM_THREADS";

/// Nobody has set a number, so the environment's holds.
const UNSET: usize = 0;

/// All cores.
const ALL: usize = usize::MAX;

static CHOSEN: AtomicUsize = AtomicUsize::new(UNSET);

/// Sets how many threads a call uses that is given no number of its own, in the
/// whole process and from now on: from 1, or `None` for all cores the machine
/// grants. Without it the environment variable `KENTRO_NUM_THREADS` says so, as
/// it is when the number is first needed; without that, all cores.
///
/// For programs that share a machine with other work. It has no influence on
/// results, and a call's own `num_threads` comes first.
pub fn set_default_threads(num_threads: Option<usize>) -> Result<()> {
    match num_threads {
        Some(UNSET) => Err(KMeansError::InvalidParameter(
            "num_threads must be positive, got 0; by default all cores are used".into(),
        )),
        count => {
            CHOSEN.store(count.unwrap_or(ALL), Ordering::Relaxed);
            Ok(())
        }
    }
}

/// How many threads a call uses that is given no number of its own: at most as
/// many as the machine grants this process.
///
/// An error if `KENTRO_NUM_THREADS` says so and is no positive whole number.
pub fn default_threads() -> Result<usize> {
    let count = match CHOSEN.load(Ordering::Relaxed) {
        UNSET => of_environment()?,
        count => count,
    };
    Ok(count.min(available()))
}

/// The cores that the machine grants this process.
pub(super) fn available() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

fn of_environment() -> Result<usize> {
    static READ: OnceLock<std::result::Result<usize, String>> = OnceLock::new();
    let read = READ.get_or_init(|| match std::env::var_os(VARIABLE) {
        None => Ok(ALL),
        Some(value) => parse(&value.to_string_lossy()),
    });
    read.clone().map_err(KMeansError::InvalidParameter)
}

/// The number that the variable holds; empty is as good as not there.
fn parse(value: &str) -> std::result::Result<usize, String> {
    let text = value.trim();
    if text.is_empty() {
        return Ok(ALL);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(UNSET) => Err(refused(value)),
        Ok(count) => Ok(count),
        // More than fits are more than there are.
        Err(_) if digits => Ok(ALL),
        Err(_) => Err(refused(value)),
    }
}

fn refused(value: &str) -> String {
    text(format_args!(
        "the environment variable {VARIABLE} must be a whole number of threads from 1, \
         got {value:?}; unset it to use all cores"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_a_positive_whole_number() {
        assert_eq!(parse("3"), Ok(3));
        assert_eq!(parse(" 12\n"), Ok(12));
        assert_eq!(parse("99999999999999999999999"), Ok(ALL));
        for empty in ["", "  "] {
            assert_eq!(parse(empty), Ok(ALL));
        }
        for wrong in ["0", "-1", "two", "1.5", "2,1", "0x2"] {
            let text = parse(wrong).unwrap_err();
            assert!(text.contains("KENTRO_NUM_THREADS"), "{text}");
            assert!(text.contains(wrong), "{text}");
        }
    }
}
