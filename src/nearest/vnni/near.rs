//! Sweeps over single groups of centroids, for the rows that may have one of
//! them within reach.

use super::{CodePanels, CodeRows, Hit, LANES, PANEL, ROWS, Terms};
use std::arch::x86_64::*;
use std::ops::Range;

/// Distance bounds of consecutive rows to one group of centroids, in steps of
/// some length.
pub(in crate::nearest) struct Group<'a> {
    /// Vectors of [`LANES`] centroids.
    pub vectors: Range<usize>,
    /// How far its centroids have moved in all.
    pub moved: f32,
    /// For each row: its distance was at least this, less what was `moved`.
    pub bounds: &'a mut [u16],
}

/// What the bounds need of the rows.
#[derive(Default)]
pub(in crate::nearest) struct Reaches {
    /// Centroids farther than this, in steps, are out of reach.
    pub reaches: Vec<f32>,
    /// Half the squared distance is this, less a score, or more.
    pub offsets: Vec<f32>,
    /// Scratch: the rows that are swept.
    pub chosen: Vec<u32>,
}

impl CodePanels {
    /// Sweeps the rows that may have a centroid of the group within reach:
    /// appends to `hits`, and renews their bounds. `steps` is the number of
    /// steps in a unit of length. The CPU must have AVX-512 VNNI.
    pub fn sweep_near(
        &self,
        terms: &Terms,
        codes: &[i8],
        rows: &CodeRows,
        reaches: &mut Reaches,
        (group, steps): (Group<'_>, f32),
        hits: &mut Vec<Hit>,
    ) {
        self.check(terms, codes, rows);
        let count = rows.units.len();
        assert!(reaches.reaches.len() == count && reaches.offsets.len() == count);
        assert!(group.bounds.len() == count && group.vectors.end * LANES <= self.units.len());
        reaches.chosen.resize(count.next_multiple_of(LANES), 0);
        let Reaches {
            reaches,
            offsets,
            chosen,
        } = reaches;
        let mut tile = Tile {
            products: [[[0; LANES]; WIDE]; ROWS],
            most: [[0.0; LANES]; ROWS],
        };
        // SAFETY: the lengths are checked, there is room for a hit for every
        // row and vector, and engines are chosen by the CPU's features.
        unsafe {
            let count = choose(reaches, &group, chosen);
            hits.reserve(count * group.vectors.len() + 1);
            let mut sweep = Sweep {
                panels: self,
                terms,
                codes,
                rows,
                offsets,
                group,
                steps,
                hits,
            };
            for chosen in chosen[..count].chunks(ROWS) {
                sweep.tile(chosen, &mut tile);
            }
        }
    }
}

/// Writes the rows that may have a centroid of the group within reach to
/// `chosen`; returns how many.
///
/// # Safety
/// A reach and a bound for each row, and room for them in whole vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn choose(reaches: &[f32], group: &Group<'_>, chosen: &mut [u32]) -> usize {
    let mut count = 0;
    let moved = _mm512_set1_ps(group.moved);
    let lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    let pairs = group.bounds.chunks(LANES).zip(reaches.chunks(LANES));
    for (number, (bounds, reaches_here)) in pairs.enumerate() {
        let mask = (!0u16) >> (LANES - bounds.len());
        // SAFETY: as many bounds and reaches as the mask says; at most as
        // many rows are chosen as were seen, and a vector fits after them.
        unsafe {
            let bounds = _mm256_maskz_loadu_epi16(mask, bounds.as_ptr().cast());
            let bounds = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(bounds));
            let reach = _mm512_maskz_loadu_ps(mask, reaches_here.as_ptr());
            let far = _mm512_add_ps(reach, moved);
            let near = _mm512_mask_cmp_ps_mask::<_CMP_LE_OQ>(mask, bounds, far);
            let rows = _mm512_add_epi32(lanes, _mm512_set1_epi32((number * LANES) as i32));
            let rows = _mm512_maskz_compress_epi32(near, rows);
            _mm512_storeu_si512(chosen.as_mut_ptr().add(count).cast(), rows);
            count += near.count_ones() as usize;
        }
    }
    count
}

/// A sweep of one group.
struct Sweep<'a> {
    panels: &'a CodePanels,
    terms: &'a Terms,
    codes: &'a [i8],
    rows: &'a CodeRows,
    offsets: &'a [f32],
    group: Group<'a>,
    /// In a unit of length.
    steps: f32,
    hits: &'a mut Vec<Hit>,
}

/// Vectors of centroids of a tile: with one, loading rows would take longer
/// than to multiply them.
const WIDE: usize = 2;

/// Results of a tile.
#[repr(align(64))]
struct Tile {
    /// Rows × vectors × centroids.
    products: [[[i32; LANES]; WIDE]; ROWS],
    /// The greatest score of each row, over vectors.
    most: [[f32; LANES]; ROWS],
}

impl Sweep<'_> {
    /// # Safety
    /// Lengths as `CodePanels::check` wants them; the rows `chosen`, at most
    /// ROWS, and the group's vectors exist; room for all hits.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn tile(&mut self, chosen: &[u32], tile: &mut Tile) {
        // A tile that isn't full repeats the last row.
        let row: [usize; ROWS] = std::array::from_fn(|r| chosen[r.min(chosen.len() - 1)] as usize);
        tile.most = [[f32::NEG_INFINITY; LANES]; ROWS];
        let Range { start, end } = self.group.vectors;
        for first in (start..end).step_by(WIDE) {
            // SAFETY: as above; past the end, the last vector is repeated.
            unsafe {
                let vectors = std::array::from_fn(|v| (first + v).min(end - 1));
                self.multiply(&row, vectors, tile);
                for (v, &vector) in vectors[..WIDE.min(end - first)].iter().enumerate() {
                    self.compare(&row[..chosen.len()], v, vector, tile);
                }
            }
        }
        // SAFETY: LANES values a row.
        let most = tile
            .most
            .each_ref()
            .map(|most| unsafe { _mm512_loadu_ps(most.as_ptr()) });
        for (&i, score) in row[..chosen.len()].iter().zip(maxima(most)) {
            let half = (self.offsets[i] - score).max(0.0);
            let distance = self.steps * (2.0 * half).sqrt();
            // More than all rounding is taken off.
            let bound = 0.999999 * (distance + 0.999998 * self.group.moved);
            // SAFETY: a number that is not negative nor NaN.
            let bound = unsafe { bound.min(65535.0).to_int_unchecked::<i32>() };
            self.group.bounds[i] = bound as u16;
        }
    }

    /// # Safety
    /// The rows and vectors exist.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn multiply(&self, row: &[usize; ROWS], vectors: [usize; WIDE], tile: &mut Tile) {
        let stride = self.panels.stride;
        let mut sums = [[_mm512_setzero_si512(); WIDE]; ROWS];
        // SAFETY: rows and vectors hold `stride` ≥ `dims` codes.
        unsafe {
            let codes = row.map(|i| self.codes.as_ptr().add(i * stride));
            let centroids = vectors.map(|vector| {
                let (panel, shift) = (vector * LANES / PANEL, vector * LANES % PANEL);
                let at = panel * PANEL * stride + 4 * shift;
                self.panels.codes.as_ptr().add(at)
            });
            for t in (0..self.terms.dims).step_by(4) {
                let c = centroids.map(|codes| _mm512_loadu_si512(codes.add(t * PANEL).cast()));
                for (codes, sums) in codes.iter().zip(&mut sums) {
                    let row = _mm512_set1_epi32(codes.add(t).cast::<i32>().read_unaligned());
                    for (sum, &c) in sums.iter_mut().zip(&c) {
                        *sum = _mm512_dpbusd_epi32(*sum, c, row);
                    }
                }
            }
        }
        for (sums, out) in sums.iter().zip(&mut tile.products) {
            for (&sum, out) in sums.iter().zip(out) {
                // SAFETY: LANES values a vector.
                unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sum) };
            }
        }
    }

    /// Compares the scores of vector `v` of the tile with the thresholds.
    ///
    /// # Safety
    /// The rows and the vector exist; room for their hits.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn compare(&mut self, row: &[usize], v: usize, vector: usize, tile: &mut Tile) {
        let rows = self.rows;
        let (panel, shift) = (vector * LANES / PANEL, vector * LANES % PANEL);
        // SAFETY: a vector has LANES terms of each kind.
        let [unit, start, tail] = [&self.panels.units, &self.terms.starts, &self.terms.tails]
            .map(|terms| unsafe { _mm512_loadu_ps(terms.as_ptr().add(vector * LANES)) });
        let (out, mut len) = (self.hits.as_mut_ptr(), self.hits.len());
        let tiles = tile.products.iter().zip(&mut tile.most);
        for (&i, (products, most)) in row.iter().zip(tiles) {
            // SAFETY: LANES values a row; at most one hit for each row and
            // vector, kept if it is reached.
            unsafe {
                let sum = _mm512_loadu_si512(products[v].as_ptr().cast());
                let sum = _mm512_add_epi32(sum, _mm512_set1_epi32(rows.starts[i]));
                let product = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), unit);
                let score = _mm512_fmadd_ps(product, _mm512_set1_ps(rows.units[i]), start);
                let upper = _mm512_fmadd_ps(_mm512_set1_ps(rows.tails[i]), tail, score);
                let so_far = _mm512_loadu_ps(most.as_ptr());
                _mm512_storeu_ps(most.as_mut_ptr(), _mm512_max_ps(so_far, upper));
                let threshold = _mm512_set1_ps(rows.thresholds[i]);
                let reached = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(upper, threshold);
                out.add(len).write(Hit {
                    row: i as u32,
                    panel: panel as u32,
                    mask: u64::from(reached) << shift,
                });
                len += usize::from(reached != 0);
            }
        }
        // SAFETY: `len` hits are written.
        unsafe { self.hits.set_len(len) };
    }
}

/// The greatest value of each vector.
#[inline]
#[target_feature(enable = "avx512f")]
fn maxima(vectors: [__m512; ROWS]) -> [f32; ROWS] {
    // Halves, then quarters of pairs of vectors are put side by side.
    let halves = |a, b| {
        let low = _mm512_shuffle_f32x4::<0b01_00_01_00>(a, b);
        _mm512_max_ps(low, _mm512_shuffle_f32x4::<0b11_10_11_10>(a, b))
    };
    let quarters = |a, b| {
        let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b);
        _mm512_max_ps(even, _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b))
    };
    let [a, b, c, d, e, f, g, h] = vectors;
    let (first, last) = (
        quarters(halves(a, b), halves(c, d)),
        quarters(halves(e, f), halves(g, h)),
    );
    let pairs = _mm512_max_ps(
        _mm512_unpacklo_ps(first, last),
        _mm512_unpackhi_ps(first, last),
    );
    let pairs = _mm512_max_ps(pairs, _mm512_permute_ps::<0b01_00_11_10>(pairs));
    let mut lanes = [0.0f32; LANES];
    // SAFETY: 16 values of 32 bits.
    unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), pairs) };
    std::array::from_fn(|r| lanes[r % 4 * 4 + r / 4])
}
