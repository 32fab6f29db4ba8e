//! The float32 engine: fast scores with an error bound pick the candidates,
//! canonical distances decide between them.

pub(in crate::nearest) mod few_centroids;

use crate::allocate::{append, extend, push, resize, try_vec};
use crate::clusters::UNASSIGNED;
use crate::equal_rows::fingerprint;
use crate::error::Result;
use crate::kernels::aligned::Aligned;
use crate::kernels::cache::level_2;
use crate::kernels::pick::{Scores, pick};
use crate::kernels::tile::{Best, Kernels, Panels};
use crate::nearest::brute_force::{keep_least, nearest_of};
use crate::nearest::float32::few_centroids::FewSearch;
use crate::nearest::scores::{AffineMap, FAR, RowBound};
use crate::nearest::vectors::{Centroids, Row};
use crate::threads::Threads;
use std::sync::{Mutex, PoisonError};

/// Packed rows that the kernels run over at a time, in bytes, at least: as much as the
/// centroids take, up to half of the level-2 cache.
const LEAST_BYTES: usize = 16 << 10;

/// Centroids of a task.
const SOME: usize = 96;

/// What workers' buffers are for.
const PURPOSE: &str = "a search in float32";

/// One set of centroids, prepared for the kernels.
pub(in crate::nearest) struct TileSearch<'a> {
    affine: &'a AffineMap,
    centroids: Centroids<'a>,
    kernels: Kernels,
    panels: Panels,
    /// How the nearest of few centroids are found.
    few: Option<FewSearch>,
    /// Row slope that the start values of the panels allow for.
    slope: f64,
    /// ‖v‖, rounded up.
    norms: Vec<f32>,
    /// Upper minus lower bound of the score, for rows of at most `slope`.
    spreads: Vec<f32>,
    /// Centroids that are candidates of every row: too far for float32.
    always: Vec<u32>,
    /// What all-zero rows get (cosine only, where they are as far from all).
    zero_label: u32,
}

/// A worker's buffers.
#[derive(Default)]
pub(in crate::nearest) struct TileScratch {
    scales: Vec<f32>,
    packed: Aligned<f32>,
    squares: Vec<f32>,
    best: Best,
    labels: Vec<u32>,
    scores: Aligned<f32>,
    open: Vec<u32>,
    gathered: Vec<f32>,
    /// Rows that are copied to where they don't push each other out.
    copies: Vec<f32>,
    /// Of each row of a tile.
    slopes: Vec<f32>,
    constants: Vec<f32>,
    candidates: Vec<Vec<u32>>,
    ranked: Vec<(f64, u32)>,
}

impl<'a> TileSearch<'a> {
    /// With `distinct`, all but the first of identical centroids are left out.
    /// Rows are compared as they are where there are `few` centroids.
    pub fn new(
        affine: &'a AffineMap,
        centroids: Centroids<'a>,
        kernels: Kernels,
        (distinct, few): (bool, Option<FewSearch>),
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let (count, dims, height) = (centroids.len(), centroids.dims, kernels.shape.height);
        let padded = count.next_multiple_of(height);
        let mut panels = Panels {
            dims,
            values: threads.try_vec(0.0, padded * dims, "centroid panels")?,
            starts: try_vec(f32::NEG_INFINITY, padded, "centroid panels")?,
        };
        let mut norms = try_vec(0.0f32, count, "centroid norms")?;
        let mut spreads = try_vec(0.0f32, count, "centroid bounds")?;
        let slope = affine.row_bound(affine.common_norm).slope;
        let repeated = match distinct {
            true => repeated(centroids, threads)?,
            false => Vec::new(),
        };
        let some = SOME.next_multiple_of(height);
        let tasks = norms
            .chunks_mut(some)
            .zip(spreads.chunks_mut(some))
            .zip(panels.starts.chunks_mut(some))
            .zip(panels.values.chunks_mut(some * dims));
        let (has_few, others) = (few.is_some(), Mutex::new((few, Vec::new())));
        let others = || others.lock().unwrap_or_else(PoisonError::into_inner);
        threads.run(tasks.enumerate(), Vec::new, |values, (task, parts)| {
            resize(values, dims, 0.0, PURPOSE)?;
            let (((norms, spreads), starts), panels) = parts;
            for (i, (norm, spread)) in norms.iter_mut().zip(spreads).enumerate() {
                let j = task * some + i;
                if repeated.binary_search(&(j as u32)).is_ok() {
                    continue;
                }
                let Some(terms) = affine.centroid(centroids, j, values) else {
                    push(&mut others().1, j as u32, PURPOSE)?;
                    continue;
                };
                if has_few && let Some(few) = &mut others().0 {
                    few.set(j, values, terms);
                }
                let error = terms.error + slope * terms.norm;
                starts[i] = (terms.offset + error) as f32;
                *norm = (terms.norm * 1.000001) as f32;
                *spread = (2.000001 * error) as f32;
                let panel = &mut panels[i / height * height * dims..][..height * dims];
                for (t, &value) in values.iter().enumerate() {
                    panel[t * height + i % height] = value;
                }
            }
            Ok(())
        })?;
        let (few, mut always) = std::mem::take(&mut *others());
        always.sort_unstable();
        Ok(TileSearch {
            affine,
            centroids,
            kernels,
            panels,
            few,
            slope,
            norms,
            spreads,
            always,
            zero_label: zero_label(centroids),
        })
    }

    /// Calls `found` with each row's number in the block and its nearest
    /// centroid.
    pub fn assign(
        &self,
        values: &[f32],
        scratch: &mut TileScratch,
        mut found: impl FnMut(usize, u32),
    ) -> Result<()> {
        let (dims, width) = (self.centroids.dims, self.kernels.shape.width);
        let bytes = (4 * self.panels.values.len()).clamp(LEAST_BYTES, level_2() / 2);
        let rows = (bytes / (4 * dims * width)).max(1) * width;
        let mut labels = std::mem::take(&mut scratch.labels);
        let mut open = std::mem::take(&mut scratch.open);
        open.clear();
        for (number, values) in values.chunks(rows * dims).enumerate() {
            labels.clear();
            resize(&mut labels, values.len() / dims, UNASSIGNED, PURPOSE)?;
            match &self.few {
                _ if !self.always.is_empty() => (),
                Some(few) => few.label(values, &mut labels, &mut scratch.copies)?,
                None => self.label(values, scratch, &mut labels)?,
            }
            for (i, &label) in (number * rows..).zip(&labels) {
                match label {
                    UNASSIGNED => push(&mut open, i as u32, PURPOSE)?,
                    label => found(i, label),
                }
            }
        }
        self.label_open(values, &open, scratch, found)?;
        (scratch.labels, scratch.open) = (labels, open);
        Ok(())
    }

    /// Writes each row's nearest centroid to `labels`, unless float32 can't
    /// tell.
    fn label(&self, values: &[f32], scratch: &mut TileScratch, labels: &mut [u32]) -> Result<()> {
        self.pack(values, scratch)?;
        scratch.best.reset(scratch.squares.len())?;
        let next = values.as_ptr_range().end;
        self.kernels
            .find_best(&scratch.packed, &self.panels, &mut scratch.best, next);
        // For a row of the common norm; shorter ones need less.
        let most = self.affine.common_norm.powi(2) as f32;
        let slack = 2.0 * self.affine.row_bound(self.affine.common_norm).constant;
        let best = scratch.best.first.iter().zip(&scratch.best.second);
        let rows = scratch.scales.iter().zip(&scratch.squares).zip(best);
        for (i, ((&scale, &square), (&first, &second))) in rows.enumerate() {
            let nearest = scratch.best.index(i);
            let gap = f64::from(first) - f64::from(second);
            let spread = self.spreads.get(nearest as usize);
            let ahead = spread.is_some_and(|&spread| gap > f64::from(spread) + slack);
            if scale > 0.0 && square <= most && ahead {
                labels[i] = nearest;
            }
        }
        Ok(())
    }

    /// Calls `found` with the number of each open row and its nearest centroid.
    fn label_open(
        &self,
        values: &[f32],
        open: &[u32],
        scratch: &mut TileScratch,
        mut found: impl FnMut(usize, u32),
    ) -> Result<()> {
        let dims = self.centroids.dims;
        for open in open.chunks(self.kernels.shape.width) {
            let mut gathered = std::mem::take(&mut scratch.gathered);
            gathered.clear();
            for &i in open {
                append(&mut gathered, &values[i as usize * dims..][..dims], PURPOSE)?;
            }
            self.candidates(&gathered, 1, scratch)?;
            for ((&i, candidates), values) in open
                .iter()
                .zip(&scratch.candidates)
                .zip(gathered.chunks_exact(dims))
            {
                let row = Row::new(values, self.affine.metric);
                let label = if self.is_zero(&row) {
                    self.zero_label
                } else if candidates.is_empty() {
                    nearest_of(&row, self.centroids, 0..self.centroids.len() as u32)
                } else {
                    nearest_of(&row, self.centroids, candidates.iter().copied())
                };
                found(i as usize, label);
            }
            scratch.gathered = gathered;
        }
        Ok(())
    }

    /// Calls `found` with each row's number in the block and its `count`
    /// nearest centroids with their distances, nearest first.
    pub fn top(
        &self,
        values: &[f32],
        count: usize,
        scratch: &mut TileScratch,
        mut found: impl FnMut(usize, &[(f64, u32)]),
    ) -> Result<()> {
        let (dims, width) = (self.centroids.dims, self.kernels.shape.width);
        for (block, values) in values.chunks(width * dims).enumerate() {
            self.candidates(values, count, scratch)?;
            for (i, values) in values.chunks_exact(dims).enumerate() {
                let row = Row::new(values, self.affine.metric);
                let candidates = &scratch.candidates[i];
                let measure = |j: u32| {
                    let distance = row.distance(self.centroids.row(j as usize));
                    (distance + self.centroids.bias(j as usize), j)
                };
                let ranked = &mut scratch.ranked;
                ranked.clear();
                if candidates.len() >= count && !self.is_zero(&row) {
                    extend(ranked, candidates.iter().copied().map(measure), PURPOSE)?;
                } else {
                    let all = 0..self.centroids.len() as u32;
                    extend(ranked, all.map(measure), PURPOSE)?;
                }
                keep_least(ranked, count);
                found(block * width + i, ranked);
            }
        }
        Ok(())
    }

    fn is_zero(&self, row: &Row<'_>) -> bool {
        row.inverse_norm() == 0.0
    }

    /// Packs whole tiles; the scale of a row that float32 can't hold is 0.
    fn pack(&self, values: &[f32], scratch: &mut TileScratch) -> Result<()> {
        let (dims, width) = (self.centroids.dims, self.kernels.shape.width);
        let rows = values.len() / dims;
        let padded = rows.next_multiple_of(width);
        scratch.scales.clear();
        let scales = values.chunks_exact(dims).map(|values| {
            let row = Row::new(values, self.affine.metric);
            self.affine.row_scale(&row).unwrap_or(0.0)
        });
        extend(&mut scratch.scales, scales, PURPOSE)?;
        scratch.packed.resize(0.0, padded * dims, PURPOSE)?;
        resize(&mut scratch.squares, padded, 0.0, PURPOSE)?;
        let tiles = scratch.packed.chunks_exact_mut(width * dims);
        let tiles = tiles.zip(scratch.squares.chunks_exact_mut(width));
        let rows = values.chunks(width * dims);
        for (((packed, squares), rows), scales) in tiles.zip(rows).zip(scratch.scales.chunks(width))
        {
            let centre = &self.affine.scaled_centre;
            self.kernels.pack(rows, scales, centre, packed, squares);
        }
        Ok(())
    }

    /// Fills `scratch.candidates` for the `count` nearest centroids of up to
    /// one tile of rows, ascending; none where float32 can't tell.
    fn candidates(&self, values: &[f32], count: usize, scratch: &mut TileScratch) -> Result<()> {
        let width = self.kernels.shape.width;
        self.pack(values, scratch)?;
        let scores = &mut scratch.scores;
        scores.resize(0.0, width * self.panels.starts.len(), PURPOSE)?;
        self.kernels.scores(&scratch.packed, &self.panels, scores);
        let (slopes, constants) = (&mut scratch.slopes, &mut scratch.constants);
        resize(slopes, width, 0.0, PURPOSE)?;
        resize(constants, width, 0.0, PURPOSE)?;
        let candidates = &mut scratch.candidates;
        resize(candidates, width, Vec::new(), PURPOSE)?;
        for i in 0..width {
            let norm = f64::from(scratch.squares[i]).sqrt();
            let RowBound { slope, constant } = self.affine.row_bound(norm);
            let usable = scratch.scales.get(i).is_some_and(|&s| s > 0.0) && norm <= FAR;
            slopes[i] = match usable {
                true => ((slope - self.slope).max(0.0) * 1.000001) as f32,
                false => f32::NAN, // compares false everywhere: no candidates
            };
            constants[i] = (2.000001 * constant) as f32;
            candidates[i].clear();
        }
        let scores = Scores {
            values: scores,
            starts: &self.panels.starts,
            norms: &self.norms,
            spreads: &self.spreads,
            slopes,
            constants,
        };
        pick(self.kernels, &scores, count, candidates)?;
        for candidates in candidates {
            if !candidates.is_empty() && !self.always.is_empty() {
                append(candidates, &self.always, PURPOSE)?;
                candidates.sort_unstable();
            }
        }
        Ok(())
    }
}

/// The centroids that repeat an earlier one, bias included; ascending.
pub(in crate::nearest) fn repeated(
    centroids: Centroids<'_>,
    threads: &Threads<'_>,
) -> Result<Vec<u32>> {
    let key = |j: usize| {
        let bias = centroids.bias(j).to_bits();
        fingerprint(centroids.row(j)) ^ (bias ^ (bias >> 32)) as u32
    };
    // Keys with their centroids in the low half.
    let mut keyed = try_vec(0u64, centroids.len(), "centroid keys")?;
    threads.run(
        keyed.chunks_mut(SOME).enumerate(),
        || (),
        |(), (task, keyed)| {
            for (j, slot) in (task * SOME..).zip(keyed) {
                *slot = (u64::from(key(j)) << 32) | j as u64;
            }
        },
    )?;
    keyed.sort_unstable();
    let same = |a: u32, b: u32| {
        let (a, b) = (a as usize, b as usize);
        centroids.bias(a) == centroids.bias(b) && centroids.row(a) == centroids.row(b)
    };
    let mut repeated = Vec::new();
    for group in keyed.chunk_by(|a, b| a >> 32 == b >> 32) {
        let first = group[0] as u32;
        let others = group[1..].iter().map(|&keyed| keyed as u32);
        let others = others.filter(|&j| same(first, j));
        extend(&mut repeated, others, "centroid keys")?;
    }
    repeated.sort_unstable();
    Ok(repeated)
}

/// What an all-zero row gets with cosine, being as far from all centroids.
pub(in crate::nearest) fn zero_label(centroids: Centroids<'_>) -> u32 {
    let values = (0..centroids.len()).map(|j| (1.0 + centroids.bias(j), j as u32));
    let least = values.reduce(|a, b| if b.0 < a.0 { b } else { a });
    least.map_or(0, |(_, j)| j)
}
