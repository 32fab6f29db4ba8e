//! How products of codes are made: a vector of sums at a time, or a whole tile of 16 rows ×
//! a panel of centroids, by AMX or number by number.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
mod emulator;

#[cfg(target_arch = "x86_64")]
pub(super) use amx::Amx;

use crate::kernels::isa::Isa;

/// Centroids per panel.
pub(crate) const PANEL: usize = 48;

/// Rows of a tile.
pub(crate) const ROWS: usize = 16;

/// How products of codes are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Products {
    /// In the vectors of the instruction set, some rows at a time.
    #[default]
    Vectors,
    /// In AMX tiles.
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// As in AMX tiles, by ordinary instructions: for tests where there are none.
    Emulated,
}

impl Products {
    /// What the environment variable `KENTRO_ISA` says, or the best that there is. Asks
    /// the system for what it must grant.
    pub fn chosen() -> Self {
        let isa = Isa::chosen();
        match Isa::asked() {
            "amx-emulated" if isa.has_codes() => Products::Emulated,
            #[cfg(target_arch = "x86_64")]
            _ if isa == Isa::Vnni && Isa::forced().is_none() && is_granted() => Products::Amx,
            _ => Products::Vectors,
        }
    }

    /// Whether whole tiles are multiplied: codes of panels are signed then, and
    /// all centroids of a panel have the same unit.
    pub fn in_tiles(self) -> bool {
        self != Products::Vectors
    }

    /// Whether this process can make them so.
    pub fn can_be_made(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Products::Amx => crate::kernels::amx_permission::was_granted() || is_emulated(),
            Products::Vectors | Products::Emulated => true,
        }
    }
}

/// Whether a test has set up what does the instructions where the CPU refuses them.
#[cfg(target_arch = "x86_64")]
fn is_emulated() -> bool {
    #[cfg(all(test, target_os = "linux"))]
    return emulator::is_installed();
    #[cfg(not(all(test, target_os = "linux")))]
    false
}

/// Whether this process can run the instructions; if the CPU lacks them, a test's handler
/// does them. Where it has them and the system refuses them, nothing can.
#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
pub(crate) fn amx_runs() -> bool {
    if crate::kernels::amx_permission::is_there() {
        return is_granted();
    }
    emulator::install();
    true
}

#[cfg(target_arch = "x86_64")]
fn is_granted() -> bool {
    // SAFETY: this is called once the registers are granted.
    crate::kernels::amx_permission::is_granted(|| unsafe { amx::is_right() })
}

/// Sums of products, rows × centroids.
#[derive(Clone, PartialEq, Debug)]
#[repr(C, align(64))]
pub(super) struct Sums(pub [[i32; PANEL]; ROWS]);

/// Makes the products of a tile.
pub(super) trait Tile {
    /// # Safety
    /// The CPU has the instructions, and the process may use them.
    unsafe fn new() -> Self;

    /// The products of 16 rows, which begin `stride` bytes after each other, with a panel.
    ///
    /// # Safety
    /// Rows and panel are valid for `dims` codes of each, a multiple of 32.
    unsafe fn multiply(
        &self,
        rows: *const i8,
        stride: usize,
        panel: *const u8,
        dims: usize,
        sums: &mut Sums,
    );
}

/// By ordinary instructions.
pub(super) struct Emulated;

impl Tile for Emulated {
    #[inline(always)]
    unsafe fn new() -> Self {
        Emulated
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
        for (r, sums) in sums.0.iter_mut().enumerate() {
            *sums = [0; PANEL];
            for t in (0..dims).step_by(4) {
                // SAFETY: as the caller promises.
                let (row, step) = unsafe {
                    let row = rows.add(r * stride + t).cast::<[i8; 4]>();
                    (*row, &*panel.add(t * PANEL).cast::<[[u8; 4]; PANEL]>())
                };
                for (sum, centroid) in sums.iter_mut().zip(step) {
                    for (&a, &b) in row.iter().zip(centroid) {
                        *sum = sum.wrapping_add(i32::from(a) * i32::from(b as i8));
                    }
                }
            }
        }
    }
}
