//! The codes of the centroids, and their panels.

use crate::allocate::{append, collect, extend, push, resize, try_vec};
use crate::error::Result;
use crate::kernels::codes::{PANEL, Side, about};
use crate::nearest::eight_bit::codes::{Buffers, Coder, Rest};
use crate::nearest::eight_bit::search::{CodedCentroids, PURPOSE, Query};
use crate::nearest::float32::{repeated, zero_label};
use crate::nearest::scores::{AffineMap, CentroidTerms, FAR};
use crate::nearest::vectors::{Centroids, Row};
use crate::threads::Threads;

/// Centroids per task.
const CENTROIDS: usize = 48;

impl CodedCentroids {
    /// The centroids of a query, encoded in the memory of others `before`.
    pub(super) fn new(
        query: Query<'_, '_>,
        coder: &Coder,
        before: Option<Self>,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let (centroids, isa) = (query.centroids, query.kernels.isa());
        let (rows, dims, leading) = (centroids.len(), centroids.dims, coder.leading);
        let padded = rows.next_multiple_of(PANEL);
        let mut coded = match before {
            Some(before) => before,
            None => CodedCentroids {
                values: threads.try_vec(0.0, rows * dims, PURPOSE)?,
                ..CodedCentroids::default()
            },
        };
        coded.order.clear();
        match query.order {
            Some(order) => append(&mut coded.order, order, PURPOSE)?,
            None => extend(&mut coded.order, 0..rows as u32, PURPOSE)?,
        }
        let units = match coder.products.in_tiles() {
            true => share_units(query, &mut coded.order, threads)?,
            false => Vec::new(),
        };
        resize(&mut coded.slots, rows, 0, PURPOSE)?;
        for (slot, &j) in coded.order.iter().enumerate() {
            coded.slots[j as usize] = slot as u32;
        }
        // Slots without a centroid have a unit of 0, whatever their codes.
        let panels = &mut coded.panels;
        (panels.isa, panels.products, panels.stride) = (isa, coder.products, leading);
        panels.codes.resize(0, padded * leading, PURPOSE)?;
        panels.units.resize(0.0, padded, PURPOSE)?;
        panels.units.fill(0.0);
        resize(&mut coded.codes, rows * leading, 0, PURPOSE)?;
        resize(&mut coded.sides, rows, Side::default(), PURPOSE)?;
        let rests = rows * coder.prefixes();
        resize(&mut coded.rests, rests, Rest::default(), PURPOSE)?;
        resize(&mut coded.values, rows * dims, 0.0, PURPOSE)?;
        resize(&mut coded.terms, rows, CentroidTerms::default(), PURPOSE)?;
        resize(&mut coded.inverse_norms, rows, 1.0, PURPOSE)?;
        coded.always.clear();
        coded.zero_label = zero_label(centroids);
        let repeated = match query.count {
            1 => repeated(centroids, threads)?,
            _ => Vec::new(),
        };
        coded.encode(
            (query.affine, coder, centroids),
            (&repeated, &units),
            threads,
        )?;
        Ok(coded)
    }

    /// Centroids that are `left_out` get no code, others one in the given units or in
    /// units of their own.
    fn encode(
        &mut self,
        (affine, coder, centroids): (&AffineMap, &Coder, Centroids<'_>),
        (left_out, units): (&[u32], &[f32]),
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
                let units = units.get(first..).unwrap_or_default();
                coded.fill(first, search, (left_out, units), (scales, buffers))
            },
        )?;
        for always in &always {
            append(&mut self.always, always, PURPOSE)?;
        }
        let (order, codes, sides) = (&self.order, &self.codes, &self.sides);
        // What the codes are offset by beyond what their panels want.
        let beyond = match coder.products.in_tiles() {
            true => about(coder.isa()).offset as u8,
            false => 0,
        };
        let panels = self.panels.codes.chunks_mut(PANEL * leading);
        threads.run(
            panels
                .zip(self.panels.units.chunks_mut(PANEL))
                .zip(order.chunks(PANEL)),
            || (),
            |(), ((panel, of_panel), order)| {
                for (lane, (&j, unit)) in order.iter().zip(of_panel).enumerate() {
                    *unit = match units.get(j as usize) {
                        Some(&shared) => shared,
                        None => sides[j as usize].unit,
                    };
                    let steps = panel.chunks_exact_mut(4 * PANEL);
                    let codes = codes[j as usize * leading..][..leading].chunks_exact(4);
                    for (step, codes) in steps.zip(codes) {
                        step[4 * lane..][..4].copy_from_slice(codes);
                    }
                }
                if beyond != 0 {
                    panel
                        .iter_mut()
                        .for_each(|code| *code = code.wrapping_sub(beyond));
                }
            },
        )
    }
}

/// Puts centroids in the order of their greatest coordinates, so that those of a panel can
/// share a unit at little loss; returns the unit of each centroid.
fn share_units(query: Query<'_, '_>, order: &mut [u32], threads: &Threads<'_>) -> Result<Vec<f32>> {
    let (affine, centroids) = (query.affine, query.centroids);
    let largest = f32::from(about(query.kernels.isa()).of_centroids.largest);
    let mut greatest = try_vec(0.0f32, centroids.len(), PURPOSE)?;
    let tasks = greatest.chunks_mut(CENTROIDS).enumerate();
    threads.run(
        tasks,
        || (),
        |(), (task, greatest)| {
            for (j, greatest) in (task * CENTROIDS..).zip(greatest) {
                let row = Row::new(centroids.row(j), affine.metric);
                let scale = affine.row_scale(&row).unwrap_or(0.0);
                let most = greatest_coordinate(row.values, scale, &affine.scaled_centre);
                // Farther ones have no code.
                if f64::from(most) <= FAR {
                    *greatest = most;
                }
            }
            Ok(())
        },
    )?;
    order.sort_unstable_by(|&a, &b| {
        let values = (greatest[a as usize], greatest[b as usize]);
        values.1.total_cmp(&values.0).then(a.cmp(&b))
    });
    let mut units = try_vec(0.0, centroids.len(), PURPOSE)?;
    for panel in order.chunks(PANEL) {
        // A little more, for coordinates are computed anew.
        let most = greatest[panel[0] as usize] * 1.00001;
        for &j in panel {
            units[j as usize] = (most / largest).max(f32::MIN_POSITIVE);
        }
    }
    Ok(units)
}

/// The greatest magnitude of x · scale − centre.
fn greatest_coordinate(values: &[f32], scale: f32, centre: &[f32]) -> f32 {
    let mut most = [0.0f32; 16];
    let blocks = values.chunks(16).zip(centre.chunks(16));
    for (values, centre) in blocks {
        for ((most, value), centre) in most.iter_mut().zip(values).zip(centre) {
            *most = most.max((value * scale - centre).abs());
        }
    }
    most.into_iter().fold(0.0, f32::max)
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
        (left_out, units): (&[u32], &[f32]),
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
        let (cross, kernels) = (coder.cross_slack(), about(coder.isa()));
        coder.encode(
            affine,
            values,
            scales,
            (kernels.of_centroids, units),
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
                    *to = (i32::from(code) + kernels.offset) as u8;
                }
            },
        )
    }
}
