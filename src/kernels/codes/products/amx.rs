//! AMX: a tile of sums in three registers of 16 × 16, with rows and steps of the panel
//! as they lie in memory.

use super::{Emulated, PANEL, ROWS, Sums, Tile};
use std::arch::asm;

/// The registers are as the kernels want them until this is dropped.
pub(in crate::kernels::codes) struct Amx(());

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    /// Bytes of a row of each tile.
    widths: [u16; 16],
    /// Rows of each tile.
    heights: [u8; 16],
}

/// Sums (0 to 2), 64 codes of 16 rows (3), 16 steps of the panel for 16 centroids
/// (4, 5); and half as many codes (6) and steps (7), where 32 dimensions are left.
const CONFIG: Config = Config {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    widths: [64, 64, 64, 64, 64, 64, 32, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    heights: [16, 16, 16, 16, 16, 16, 16, 8, 0, 0, 0, 0, 0, 0, 0, 0],
};

const _: () = assert!(size_of::<Config>() == 64 && ROWS == 16 && PANEL == 48);

impl Tile for Amx {
    #[inline(always)]
    unsafe fn new() -> Self {
        // SAFETY: the process may use the registers, and nothing else in it does: no
        // compiler knows of them.
        unsafe {
            asm!(
                "ldtilecfg [{config}]",
                config = in(reg) &CONFIG,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, readonly, preserves_flags),
            );
        }
        Amx(())
    }

    #[inline(always)]
    unsafe fn multiply(
        &self,
        rows: *const i8,
        stride: usize,
        panel: *const u8,
        dims: usize,
        sums: &mut Sums,
    ) {
        // SAFETY: the registers are configured as long as `self` is there. What is
        // loaded lies within 16 rows and the panel, as the caller promises; 16 rows of
        // sums are written.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "test {whole}, {whole}",
                "jz 3f",
                "2:",
                "tileloadd tmm3, [{rows} + {stride}*1]",
                "tileloadd tmm4, [{panel} + {line}*1]",
                "tileloadd tmm5, [{panel} + {line}*1 + 64]",
                "tdpbssd tmm0, tmm3, tmm4",
                "tileloadd tmm4, [{panel} + {line}*1 + 128]",
                "tdpbssd tmm1, tmm3, tmm5",
                "tdpbssd tmm2, tmm3, tmm4",
                "add {rows}, 64",
                "add {panel}, 3072",
                "dec {whole}",
                "jnz 2b",
                "3:",
                "test {half}, {half}",
                "jz 4f",
                "tileloadd tmm6, [{rows} + {stride}*1]",
                "tileloadd tmm7, [{panel} + {line}*1]",
                "tdpbssd tmm0, tmm6, tmm7",
                "tileloadd tmm7, [{panel} + {line}*1 + 64]",
                "tdpbssd tmm1, tmm6, tmm7",
                "tileloadd tmm7, [{panel} + {line}*1 + 128]",
                "tdpbssd tmm2, tmm6, tmm7",
                "4:",
                "tilestored [{sums} + {line}*1], tmm0",
                "tilestored [{sums} + {line}*1 + 64], tmm1",
                "tilestored [{sums} + {line}*1 + 128], tmm2",
                rows = inout(reg) rows => _,
                stride = in(reg) stride,
                panel = inout(reg) panel => _,
                // Bytes from one step of the panel to the next, and from one row of
                // sums to the next.
                line = in(reg) 4 * PANEL,
                whole = inout(reg) dims / 64 => _,
                half = in(reg) dims % 64,
                sums = in(reg) sums,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

impl Drop for Amx {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: there is a configuration.
        unsafe {
            asm!(
                "tilerelease",
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nomem, nostack, preserves_flags),
            );
        }
    }
}

/// Whether tiles of every shape come out as number by number.
///
/// # Safety
/// As for [`Amx::new`].
pub(super) unsafe fn is_right() -> bool {
    const DIMS: usize = 160;
    let (mut rows, mut panel) = ([0i8; ROWS * DIMS], [0u8; PANEL * DIMS]);
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        (state >> 24) as u8
    };
    rows.fill_with(|| next() as i8);
    panel.fill_with(&mut next);
    [32, 64, 96, 160].into_iter().all(|dims| {
        let [mut by_amx, mut expected] = [const { Sums([[-1; PANEL]; ROWS]) }; 2];
        // SAFETY: as the caller promises; all have 160 dimensions.
        unsafe {
            let (rows, panel) = (rows.as_ptr(), panel.as_ptr());
            Amx::new().multiply(rows, DIMS, panel, dims, &mut by_amx);
            Emulated.multiply(rows, DIMS, panel, dims, &mut expected);
        }
        by_amx == expected
    })
}
