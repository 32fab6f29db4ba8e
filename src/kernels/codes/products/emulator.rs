//! AMX for CPUs that lack it: the instructions that these refuse are read, byte by byte, and
//! done here, after Intel's manual (volume 2, chapters 3 and 4). So tests run the very
//! code that CPUs with AMX run.

use libc::{c_int, c_void, siginfo_t, ucontext_t};
use std::cell::RefCell;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// The registers of a thread.
struct Tiles {
    heights: [usize; 8],
    widths: [usize; 8],
    /// 16 rows of 64 bytes each.
    bytes: [[[u8; 64]; 16]; 8],
}

const NONE: Tiles = Tiles {
    heights: [0; 8],
    widths: [0; 8],
    bytes: [[[0; 64]; 16]; 8],
};

thread_local! {
    static TILES: RefCell<Tiles> = const { RefCell::new(NONE) };
}

/// General registers by their number in instructions.
const REGISTERS: [c_int; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// Whatever is not one of the instructions ends the process as it would have.
extern "C" fn on_refused(signal: c_int, _: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the system gives the context of the thread.
    let registers = unsafe { &mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs };
    let at = registers[libc::REG_RIP as usize];
    // SAFETY: an instruction of at most 11 bytes was read there, with more code after it.
    let code = unsafe { *(at as *const [u8; 11]) };
    let value = |number: u8| registers[REGISTERS[usize::from(number)] as usize];
    match TILES.with_borrow_mut(|tiles| tiles.run(&code, value)) {
        Some(length) => registers[libc::REG_RIP as usize] = at + length as i64,
        // SAFETY: the instruction is refused once more, and nobody catches that.
        None => unsafe {
            libc::signal(signal, libc::SIG_DFL);
        },
    }
}

/// The operand in memory: where it begins, and the value of its index register.
struct Operand {
    start: i64,
    stride: i64,
    length: usize,
}

impl Operand {
    /// From the byte ModRM on. `high`: the fourth bits of index and base.
    fn read(code: &[u8], (index, base): (u8, u8), value: impl Fn(u8) -> i64) -> Option<Self> {
        let (mode, register) = (code[0] >> 6, code[0] & 7);
        let (mut at, mut stride, mut base_number) = (1, 0, base | register);
        if register == 4 {
            let sib = code[1];
            at = 2;
            base_number = base | sib & 7;
            let index = index | sib >> 3 & 7;
            if index != 4 {
                stride = value(index) << (sib >> 6);
            }
        }
        let (displacement, bytes) = match mode {
            1 => (i64::from(code[at] as i8), 1),
            2 => {
                let four = code[at..at + 4].try_into().ok()?;
                (i64::from(i32::from_le_bytes(four)), 4)
            }
            // Without a base there are other rules, which nobody needs.
            0 if base_number & 7 != 5 => (0, 0),
            _ => return None,
        };
        Some(Operand {
            start: value(base_number) + displacement,
            stride,
            length: at + bytes,
        })
    }
}

impl Tiles {
    /// Does the instruction; returns how many bytes it has.
    fn run(&mut self, code: &[u8; 11], value: impl Fn(u8) -> i64) -> Option<usize> {
        let [prefix, bits, more, opcode, modrm, ..] = *code;
        // VEX of three bytes, map 0F38, W = 0, L = 0.
        if prefix != 0xc4 || bits & 0x1f != 2 || more & 0x84 != 0 {
            return None;
        }
        let high = |bit: u8| if bits & bit == 0 { 8 } else { 0 };
        let (reg, rm, third) = (modrm >> 3 & 7, modrm & 7, !more >> 3 & 15);
        let [reg, rm, third] = [reg, rm, third].map(usize::from);
        let in_register = modrm >> 6 == 3;
        let unused = third == 0;
        let operand = || Operand::read(&code[4..], (high(0x40), high(0x20)), &value);
        if opcode != 0x5e && !unused {
            return None;
        }
        match (opcode, more & 3, in_register) {
            // ldtilecfg
            (0x49, 0, false) if reg == 0 => {
                let operand = operand()?;
                self.configure(unsafe_bytes(operand.start))?;
                Some(4 + operand.length)
            }
            // tilerelease
            (0x49, 0, true) if reg == 0 && rm == 0 => {
                *self = NONE;
                Some(5)
            }
            // tilezero
            (0x49, 3, true) if rm == 0 => {
                self.bytes[reg] = [[0; 64]; 16];
                (self.heights[reg] > 0).then_some(5)
            }
            // tileloadd, tilestored: the operand has a byte SIB.
            (0x4b, way @ (2 | 3), false) if rm == 4 => {
                let operand = operand()?;
                let (height, width) = (self.heights[reg], self.widths[reg]);
                if height == 0 || width == 0 {
                    return None;
                }
                if way == 3 {
                    self.bytes[reg] = [[0; 64]; 16];
                }
                for (r, row) in self.bytes[reg].iter_mut().enumerate().take(height) {
                    let place = (operand.start + r as i64 * operand.stride) as *mut u8;
                    // SAFETY: the instruction would touch the same bytes.
                    unsafe {
                        match way {
                            3 => std::ptr::copy(place, row.as_mut_ptr(), width),
                            _ => std::ptr::copy(row.as_ptr(), place, width),
                        }
                    }
                }
                Some(4 + operand.length)
            }
            // tdpbssd
            (0x5e, 3, true) if third < 8 => self.multiply(reg, rm, third).map(|()| 5),
            _ => None,
        }
    }

    /// `None` where the CPU would refuse.
    fn configure(&mut self, config: [u8; 64]) -> Option<()> {
        let reserved = config[2..16]
            .iter()
            .chain(&config[32..48])
            .chain(&config[56..]);
        if config[0] != 1 || config[1] != 0 || reserved.into_iter().any(|&byte| byte != 0) {
            return None;
        }
        *self = NONE;
        for tile in 0..8 {
            let width = u16::from_le_bytes([config[16 + 2 * tile], config[17 + 2 * tile]]);
            let height = config[48 + tile];
            if width > 64 || height > 16 || (width == 0) != (height == 0) {
                return None;
            }
            self.widths[tile] = usize::from(width);
            self.heights[tile] = usize::from(height);
        }
        Some(())
    }

    /// sums += a · b. `None` where the CPU would refuse.
    fn multiply(&mut self, sums: usize, a: usize, b: usize) -> Option<()> {
        let (heights, widths) = (&self.heights, &self.widths);
        let depth = widths[a] / 4;
        let apart = sums != a && a != b && sums != b;
        let fit = heights[sums] == heights[a] && depth == heights[b] && widths[sums] == widths[b];
        if !apart || !fit || heights[sums] == 0 {
            return None;
        }
        for m in 0..heights[sums] {
            for n in 0..widths[sums] / 4 {
                let at = 4 * n..4 * n + 4;
                let old = self.bytes[sums][m][at.clone()].try_into().ok()?;
                let mut sum = i32::from_le_bytes(old);
                for k in 0..depth {
                    for byte in 0..4 {
                        let left = self.bytes[a][m][4 * k + byte] as i8;
                        let right = self.bytes[b][k][4 * n + byte] as i8;
                        sum = sum.wrapping_add(i32::from(left) * i32::from(right));
                    }
                }
                self.bytes[sums][m][at].copy_from_slice(&sum.to_le_bytes());
            }
        }
        Some(())
    }
}

fn unsafe_bytes(start: i64) -> [u8; 64] {
    // SAFETY: the instruction would read them.
    unsafe { *(start as *const [u8; 64]) }
}

static INSTALLED: AtomicBool = AtomicBool::new(false);

pub(super) fn is_installed() -> bool {
    INSTALLED.load(Ordering::Relaxed)
}

/// The instructions that the CPU refuses are done here from now on.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: an action of zeros is one, and the handler has the form that it says.
        let status = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_refused as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
            libc::sigaction(libc::SIGILL, &action, std::ptr::null_mut())
        };
        assert_eq!(status, 0);
        INSTALLED.store(true, Ordering::Relaxed);
    });
}

#[cfg(test)]
mod tests {
    use super::super::amx::{Amx, is_right};
    use super::super::{Emulated, PANEL, ROWS, Sums, Tile, amx_runs};
    use super::*;

    #[test]
    fn tiles_are_multiplied_as_number_by_number() {
        if !amx_runs() {
            return;
        }
        // SAFETY: the CPU has the instructions, or they are done here.
        unsafe {
            assert!(is_right());
            // Rows far apart; numbers of any size; no dimension at all.
            let rows: Vec<i8> = (0..ROWS * 1000).map(|i| (i * 31 % 257) as i8).collect();
            let panel: Vec<u8> = (0..PANEL * 960).map(|i| (i * 37 % 251) as u8).collect();
            let tile = Amx::new();
            for (stride, dims) in [(1000, 960), (32, 32), (100, 64), (999, 736), (64, 0)] {
                let [mut by_amx, mut expected] = [const { Sums([[7; PANEL]; ROWS]) }; 2];
                tile.multiply(rows.as_ptr(), stride, panel.as_ptr(), dims, &mut by_amx);
                Emulated.multiply(rows.as_ptr(), stride, panel.as_ptr(), dims, &mut expected);
                assert_eq!(by_amx, expected, "{dims} dimensions, {stride} apart");
            }
            let lowest = vec![i8::MIN; ROWS * 512];
            let mut sums = Sums([[0; PANEL]; ROWS]);
            tile.multiply(
                lowest.as_ptr(),
                512,
                lowest.repeat(3).as_ptr().cast(),
                512,
                &mut sums,
            );
            assert_eq!(sums, Sums([[512 << 14; PANEL]; ROWS]));
        }
        let released = |tiles: &mut Tiles| tiles.heights == [0; 8];
        assert!(TILES.with_borrow_mut(released));
    }
}
