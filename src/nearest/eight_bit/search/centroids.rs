//! The codes of the centroids, and their panels.

use crate::allocate::{append, collect, copy, push, resize, try_vec};
use crate::error::Result;
use crate::kernels::aligned::Aligned;
use crate::kernels::codes::{CodePanels, PANEL, Side, largest_code, offset};
use crate::nearest::eight_bit::codes::{Buffers, Coder, Rest};
use crate::nearest::eight_bit::search::{CodedCentroids, PURPOSE, Query};
use crate::nearest::float32::{repeated, zero_label};
use crate::nearest::scores::{AffineMap, CentroidTerms};
use crate::nearest::vectors::{Centroids, Row};
use crate::threads::Threads;

/// Centroids per task.
const CENTROIDS: usize = 48;

impl CodedCentroids {
    /// The centroids of a query, encoded.
    pub(super) fn new(query: Query<'_, '_>, coder: &Coder, threads: &Threads<'_>) -> Result<Self> {
        let (centroids, isa) = (query.centroids, query.kernels.isa());
        let (rows, dims, leading) = (centroids.len(), centroids.dims, coder.leading);
        let padded = rows.next_multiple_of(PANEL);
        let offset = offset(isa);
        let order = match query.order {
            Some(order) => copy(order, PURPOSE)?,
            None => collect(0..rows as u32, PURPOSE)?,
        };
        let mut coded = CodedCentroids {
            order,
            panels: CodePanels {
                isa,
                codes: Aligned::new(offset as u8, padded * leading, PURPOSE)?,
                units: Aligned::new(0.0, padded, PURPOSE)?,
                stride: leading,
            },
            codes: try_vec(offset as u8, rows * leading, PURPOSE)?,
            sides: try_vec(Side::default(), rows, PURPOSE)?,
            rests: try_vec(Rest::default(), rows * coder.prefixes(), PURPOSE)?,
            values: threads.try_vec(0.0, rows * dims, PURPOSE)?,
            terms: try_vec(CentroidTerms::default(), rows, PURPOSE)?,
            inverse_norms: try_vec(1.0, rows, PURPOSE)?,
            always: Vec::new(),
            zero_label: zero_label(centroids),
        };
        let repeated = match query.count {
            1 => repeated(centroids, threads)?,
            _ => Vec::new(),
        };
        coded.encode(query.affine, coder, centroids, &repeated, threads)?;
        Ok(coded)
    }

    /// Centroids that are `left_out` get no code.
    fn encode(
        &mut self,
        affine: &AffineMap,
        coder: &Coder,
        centroids: Centroids<'_>,
        left_out: &[u32],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let (dims, leading, prefixes) = (centroids.dims, coder.leading, coder.prefixes());
        let tasks = centroids.len().div_ceil(CENTROIDS);
        let mut always = try_vec(Vec::new(), tasks, "centroids")?;
        let coded = self
            .codes
            .chunks_mut(CENTROIDS * leading)
            .zip(self.sides.chunks_mut(CENTROIDS))
            .zip(self.rests.chunks_mut(CENTROIDS * prefixes))
            .zip(self.values.chunks_mut(CENTROIDS * dims))
            .zip(self.terms.chunks_mut(CENTROIDS))
            .zip(self.inverse_norms.chunks_mut(CENTROIDS))
            .zip(always.iter_mut())
            .map(
                |((((((codes, sides), rests), values), terms), inverse_norms), always)| Coded {
                    codes,
                    sides,
                    rests,
                    values,
                    terms,
                    inverse_norms,
                    always,
                },
            );
        let coded = collect(coded, PURPOSE)?;
        threads.run(
            coded.into_iter().enumerate(),
            || (Vec::new(), Buffers::default()),
            |(scales, buffers), (task, coded)| {
                let first = task * CENTROIDS;
                let search = (affine, coder, centroids);
                coded.fill(first, search, left_out, (scales, buffers))
            },
        )?;
        for always in &always {
            append(&mut self.always, always, PURPOSE)?;
        }
        let (order, codes, sides) = (&self.order, &self.codes, &self.sides);
        let panels = self.panels.codes.chunks_mut(PANEL * leading);
        threads.run(
            panels
                .zip(self.panels.units.chunks_mut(PANEL))
                .zip(order.chunks(PANEL)),
            || (),
            |(), ((panel, units), order)| {
                for (lane, (&j, unit)) in order.iter().zip(units).enumerate() {
                    *unit = sides[j as usize].unit;
                    let steps = panel.chunks_exact_mut(4 * PANEL);
                    let codes = codes[j as usize * leading..][..leading].chunks_exact(4);
                    for (step, codes) in steps.zip(codes) {
                        step[4 * lane..][..4].copy_from_slice(codes);
                    }
                }
            },
        )
    }
}

/// Some of the centroids, for one task to encode.
struct Coded<'s> {
    codes: &'s mut [u8],
    sides: &'s mut [Side],
    rests: &'s mut [Rest],
    values: &'s mut [f32],
    terms: &'s mut [CentroidTerms],
    inverse_norms: &'s mut [f64],
    always: &'s mut Vec<u32>,
}

impl Coded<'_> {
    /// `first` is the number of the first. Those that are `left_out` get no
    /// code, nor do those that go to `always`.
    fn fill(
        self,
        first: usize,
        search: (&AffineMap, &Coder, Centroids<'_>),
        left_out: &[u32],
        (scales, buffers): (&mut Vec<f32>, &mut Buffers),
    ) -> Result<()> {
        let (affine, coder, centroids) = search;
        let (dims, leading, prefixes) = (affine.dims, coder.leading, coder.prefixes());
        scales.clear();
        resize(scales, self.terms.len(), 0.0, PURPOSE)?;
        for (i, values) in self.values.chunks_exact_mut(dims).enumerate() {
            let j = first + i;
            let row = Row::new(centroids.row(j), affine.metric);
            self.inverse_norms[i] = row.inverse_norm();
            if left_out.binary_search(&(j as u32)).is_ok() {
                continue;
            }
            let terms = affine.centroid(centroids, j, values);
            if let (Some(terms), Some(scale)) = (terms, affine.row_scale(&row)) {
                self.terms[i] = terms;
                scales[i] = scale;
            } else {
                push(self.always, j as u32, PURPOSE)?;
            }
        }
        let values = &centroids.values[first * dims..][..self.values.len()];
        let (cross, isa) = (coder.cross_slack(), coder.isa());
        let (largest, offset) = (largest_code(isa), offset(isa));
        coder.encode(
            affine,
            values,
            scales,
            largest,
            buffers,
            |i, code, mut side, rests| {
                side.start = f32::NEG_INFINITY;
                if side.unit > 0.0 {
                    let CentroidTerms { offset, error, .. } = self.terms[i];
                    side.start = (offset + error + 1e-6 * offset.abs()) as f32;
                    side.norm *= (1.0001 * cross) as f32;
                }
                self.sides[i] = side;
                self.rests[i * prefixes..][..prefixes].copy_from_slice(rests);
                let codes = &mut self.codes[i * leading..][..leading];
                for (to, &code) in codes.iter_mut().zip(code) {
                    *to = (i32::from(code) + offset) as u8;
                }
            },
        )
    }
}
