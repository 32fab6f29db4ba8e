//! AMX: whether this process may multiply tiles of 8-bit codes.
//!
//! Linux grants the registers to a process that asks for them, for good, and
//! asking has effects outside Kentro: so it is asked once, and not before a search
//! can use them.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

static ALLOWED: AtomicBool = AtomicBool::new(true);

/// What became of asking. No lock, for a forked child would wait for it forever.
static ASKED: AtomicU8 = AtomicU8::new(UNASKED);
const UNASKED: u8 = 0;
const GRANTED: u8 = 1;
const REFUSED: u8 = 2;

/// Whether the process may ask Linux for the tile registers of Intel CPUs with AMX
/// (Xeon since 2023), from now on; by default it may.
///
/// The first search that is served by 8-bit codes asks for them
/// (`arch_prctl(ARCH_REQ_XCOMP_PERM)`). What Linux grants it doesn't take back, and
/// the whole process pays for it: signals need larger stacks from then on, and
/// `sigaltstack` refuses one of less than about 12 KB. If a thread has a smaller one
/// already, Linux refuses the registers, and Kentro does without. A seccomp filter
/// that kills whoever asks can't be found out about before: call
/// this with `false` first, or set the environment variable `KENTRO_ISA=vnni`.
///
/// With `false`, searches that begin later neither ask for the registers nor use them.
/// It has no influence on results.
pub fn allow_amx(allowed: bool) {
    ALLOWED.store(allowed, Ordering::Relaxed);
}

/// Whether tiles may be multiplied; asks the system the first time, and whether they
/// then come out right.
pub(crate) fn is_granted(are_right: fn() -> bool) -> bool {
    if !ALLOWED.load(Ordering::Relaxed) {
        return false;
    }
    if ASKED.load(Ordering::Relaxed) == UNASKED {
        // Two threads may ask at a time: they get the same answer.
        let answer = if ask() && are_right() {
            GRANTED
        } else {
            REFUSED
        };
        ASKED.store(answer, Ordering::Relaxed);
    }
    was_granted()
}

/// Whether they were granted when that was asked.
pub(crate) fn was_granted() -> bool {
    ASKED.load(Ordering::Relaxed) == GRANTED
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn ask() -> bool {
    /// `ARCH_REQ_XCOMP_PERM`, and the number of the registers' state.
    const REQUEST: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers and touches no memory.
    let grant = || unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) } == 0;
    is_there() && grant()
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn ask() -> bool {
    false
}

/// Whether the CPU multiplies tiles of 8-bit numbers, of the size that the kernels
/// take, and the system saves them.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) fn is_there() -> bool {
    use std::arch::asm;
    use std::arch::x86_64::__cpuid_count;
    // SAFETY: every x86-64 CPU has the instruction.
    #[allow(unused_unsafe)]
    let leaf = |leaf, part| unsafe { __cpuid_count(leaf, part) };
    let (xsave, tiles) = (1 << 27, 1 << 24 | 1 << 25);
    if leaf(0, 0).eax < 0x1e || leaf(1, 0).ecx & xsave == 0 || leaf(7, 0).edx & tiles != tiles {
        return false;
    }
    let tile_state = 1 << 17 | 1 << 18;
    let saved: u32;
    // SAFETY: the system has enabled the instruction, as bit 27 says.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") saved, out("edx") _, options(nomem, nostack));
    }
    // Of palette 1: eight tiles of 16 rows of 64 bytes; of products: as many.
    let (palette, products) = (leaf(0x1d, 1), leaf(0x1e, 0).ebx);
    saved & tile_state == tile_state
        && palette.eax >> 16 == 1024
        && palette.ebx & 0xffff == 64
        && palette.ebx >> 16 >= 8
        && palette.ecx & 0xffff == 16
        && products & 0xff >= 16
        && products >> 8 & 0xffff >= 64
}
