//! What Kentro may ask the system for.

use crate::allow_amx;

/// Whether this process may ask Linux for the tile registers of Intel CPUs with AMX
/// (Xeon since 2023), from now on: not if `allowed` is 0; by default it may.
///
/// The first search that is served by 8-bit codes asks for them
/// (`arch_prctl(ARCH_REQ_XCOMP_PERM)`). What Linux grants it doesn't take back, and
/// the whole process pays for it: signals need larger stacks from then on, and
/// `sigaltstack` refuses one of less than about 12 KB. If a thread has a smaller one
/// already, Linux refuses the registers, and Kentro does without. A seccomp filter
/// that kills whoever asks can't be found out about before: call this with 0 first,
/// or set the environment variable `KENTRO_ISA=vnni`.
///
/// With 0, searches that begin later neither ask for the registers nor use them. It
/// has no influence on results. May be called from any thread. Since 0.3.
#[unsafe(no_mangle)]
pub extern "C" fn kentro_allow_amx(allowed: i32) {
    allow_amx(allowed != 0);
}
