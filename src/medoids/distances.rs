//! Matrices of float32 distances, computed in tiles, and what points weigh in
//! them.

use super::matrix::{Distances, LEAST_WEIGHT, kept};
use super::tiles::{ScaledRows, Scratch, tile_len};
use crate::allocate::{collect, push, with_capacity};
use crate::error::Result;
use crate::kernels::pairwise::PANEL;
use crate::memory::Zeros;
use crate::metric::Metric;
use crate::points::Points;
use crate::threads::Threads;

/// The rows of the data with what their distances need.
pub(crate) struct Scaled<'a> {
    rows: ScaledRows<'a>,
    /// Relative to the largest; empty where all are equal.
    weights: Vec<f64>,
    unit: f64,
    fixed: f64,
}

impl<'a> Scaled<'a> {
    /// The rows must differ. `weights`: a positive one for each.
    pub fn new(
        points: &'a Points<'a>,
        metric: Metric,
        weights: &[f64],
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let (mut lightest, mut heaviest) = (f64::INFINITY, 0.0f64);
        threads.in_steps(weights.len(), |part| {
            for &weight in &weights[part] {
                (lightest, heaviest) = (lightest.min(weight), heaviest.max(weight));
            }
            Ok(())
        })?;
        let rows = ScaledRows::new(points, metric, threads)?;
        let mut scaled = Scaled {
            weights: Vec::new(),
            unit: heaviest / rows.factor,
            fixed: rows.zero.map_or(0.0, |row| weights[row]),
            rows,
        };
        if lightest < heaviest {
            scaled.weights = threads.try_vec(0.0, weights.len(), "weights")?;
            threads.in_steps(weights.len(), |part| {
                for row in part {
                    let relative = weights[row] / heaviest;
                    scaled.weights[row] = relative.max(LEAST_WEIGHT.into());
                }
                Ok(())
            })?;
        }
        Ok(scaled)
    }

    pub fn rows(&self) -> usize {
        self.rows.points.rows()
    }

    pub fn dims(&self) -> usize {
        self.rows.points.cols()
    }

    /// What a row weighs, relative to the heaviest; 0 if it has no direction:
    /// it costs the same whatever the medoids.
    pub fn weight(&self, row: usize) -> f64 {
        match self.rows.has_direction(row) {
            true => self.weights.get(row).copied().unwrap_or(1.0),
            false => 0.0,
        }
    }

    /// Whether rows weigh differently.
    pub fn is_weighted(&self) -> bool {
        !self.weights.is_empty()
    }

    /// The distances between all rows; each is computed once.
    ///
    /// O(n²·d) time, 4·n² bytes.
    pub fn all_pairs(&self, threads: &Threads<'_>) -> Result<Distances> {
        let n = self.rows.points.rows();
        let mut values = matrix(n, n)?;
        let tile = tile_len(self.dims());
        let all = collect(0..n as u32, "rows")?;
        let blocks = collect(all.chunks(tile), "tiles")?;
        let mut tiles = tiles(&mut values, n, tile)?;
        let mut tasks = Vec::new();
        for (i, rows) in blocks.iter().enumerate() {
            for (j, columns) in blocks.iter().enumerate().skip(i) {
                let upper = std::mem::take(&mut tiles[i * blocks.len() + j]);
                let lower = std::mem::take(&mut tiles[j * blocks.len() + i]);
                push(&mut tasks, (*rows, *columns, upper, lower), "tiles")?;
            }
        }
        threads.run(
            tasks.into_iter(),
            || (Scratch::default(), u32::MAX),
            |(scratch, packed), (rows, columns, mut upper, mut lower)| {
                let diagonal = lower.is_empty();
                if *packed != rows[0] {
                    self.rows.pack_rows(rows, scratch)?;
                    *packed = rows[0];
                }
                self.rows
                    .tile_of_packed(rows, columns, diagonal, scratch, |first, block| {
                        for (out, block) in upper.iter_mut().zip(block.chunks_exact(PANEL)) {
                            write_part(out, first, block);
                        }
                        // A diagonal tile mirrors itself.
                        let mirror = if diagonal { &mut upper } else { &mut lower };
                        for (lane, out) in mirror.iter_mut().skip(first).take(PANEL).enumerate() {
                            let column = block[lane..].iter().step_by(PANEL);
                            out.iter_mut().zip(column).for_each(|(out, &d)| *out = d);
                        }
                    })
            },
        )?;
        // As a medoid a zero row is at 1, as a point at 0: no mirror image.
        for zero in (0..n).filter(|&row| !self.rows.has_direction(row)) {
            values[zero * n..][..n].fill(1.0);
            values
                .iter_mut()
                .skip(zero)
                .step_by(n)
                .for_each(|d| *d = 0.0);
        }
        let mut distances = self.distances(values, &all)?;
        distances.weighted = self.is_weighted();
        distances.multiply(0, threads)?;
        Ok(distances)
    }

    /// The distances of some rows, the candidates, to others, the points; not
    /// weighted yet.
    ///
    /// O(candidates · points · d) time, 4 · candidates · points bytes.
    pub fn between(
        &self,
        candidates: &[u32],
        points: &[u32],
        threads: &Threads<'_>,
    ) -> Result<Distances> {
        let values = matrix(candidates.len(), points.len())?;
        let mut distances = self.distances(values, points)?;
        self.replace(&mut distances, 0, candidates, points, threads)?;
        Ok(distances)
    }

    /// [`between`](Self::between), each point standing for `weights` rows.
    pub fn between_weighted(
        &self,
        candidates: &[u32],
        points: &[u32],
        weights: &[f64],
        threads: &Threads<'_>,
    ) -> Result<Distances> {
        let mut distances = self.between(candidates, points, threads)?;
        distances.weighted = weights.iter().any(|&weight| weight != 1.0);
        for (kept_weight, &weight) in distances.weights.iter_mut().zip(weights) {
            *kept_weight = kept(weight);
        }
        distances.multiply(0, threads)?;
        Ok(distances)
    }

    fn distances(&self, values: Zeros, points: &[u32]) -> Result<Distances> {
        let weights = points.iter().map(|&row| kept(self.weight(row as usize)));
        Ok(Distances {
            values,
            points: points.len(),
            weights: collect(weights, "weights")?,
            weighted: false,
            unit: self.unit,
            fixed: self.fixed,
        })
    }

    /// Puts other candidates in the place of those from `first` on.
    pub fn replace(
        &self,
        distances: &mut Distances,
        first: usize,
        candidates: &[u32],
        points: &[u32],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let (width, tile) = (points.len(), tile_len(self.dims()));
        let values = &mut distances.values[first * width..][..candidates.len() * width];
        let mut tiles = tiles(values, width, tile)?.into_iter();
        let pairs = candidates
            .chunks(tile)
            .flat_map(|rows| points.chunks(tile).map(move |columns| (rows, columns)));
        let pairs = pairs.map(|(rows, columns)| (rows, columns, tiles.next().unwrap_or_default()));
        threads.run(
            collect(pairs, "tiles")?.into_iter(),
            Scratch::default,
            |scratch, (rows, columns, mut out)| {
                self.rows.tile(rows, columns, scratch, |first, block| {
                    for (out, block) in out.iter_mut().zip(block.chunks_exact(PANEL)) {
                        write_part(out, first, block);
                    }
                })
            },
        )?;
        distances.multiply(first, threads)
    }

    /// Adds the distances of each of some rows to all of `columns`, times what
    /// these weigh, to its sum.
    pub fn add_sums(
        &self,
        rows: &[u32],
        columns: &[u32],
        scratch: &mut Scratch,
        sums: &mut [f64],
    ) -> Result<()> {
        let tile = tile_len(self.dims());
        for (rows, sums) in rows.chunks(tile).zip(sums.chunks_mut(tile)) {
            for columns in columns.chunks(tile) {
                self.rows.tile(rows, columns, scratch, |first, block| {
                    let len = PANEL.min(columns.len() - first);
                    let columns = &columns[first..][..len];
                    for (sum, block) in sums.iter_mut().zip(block.chunks_exact(PANEL)) {
                        *sum += match self.is_weighted() {
                            true => self.weighted_sum(columns, block),
                            false => block[..len].iter().map(|&d| f64::from(d)).sum::<f64>(),
                        };
                    }
                })?;
            }
        }
        Ok(())
    }

    fn weighted_sum(&self, columns: &[u32], distances: &[f32]) -> f64 {
        let pairs = columns.iter().zip(distances);
        let costs = pairs.map(|(&row, &d)| self.weight(row as usize) * f64::from(d));
        costs.sum()
    }

    /// The row that has none, if there is one.
    pub fn without_direction(&self) -> Option<usize> {
        self.rows.zero
    }
}

/// Writes as much of `block` as there is room for after `first`.
fn write_part(out: &mut [f32], first: usize, block: &[f32]) {
    let out = &mut out[first..];
    let len = out.len().min(PANEL);
    out[..len].copy_from_slice(&block[..len]);
}

fn matrix(rows: usize, columns: usize) -> Result<Zeros> {
    Zeros::new(rows.saturating_mul(columns), "distance matrix")
}

/// Cuts a matrix of rows of `width` into tiles, in row-major order of tiles;
/// a tile is a slice of each of its rows.
fn tiles(values: &mut [f32], width: usize, tile: usize) -> Result<Vec<Vec<&mut [f32]>>> {
    let across = width.div_ceil(tile);
    let down = (values.len() / width).div_ceil(tile);
    let mut tiles = with_capacity(across * down, "tiles")?;
    for _ in 0..across * down {
        tiles.push(with_capacity(tile, "tiles")?);
    }
    for (i, row) in values.chunks_exact_mut(width).enumerate() {
        for (j, part) in row.chunks_mut(tile).enumerate() {
            push(&mut tiles[i / tile * across + j], part, "tiles")?;
        }
    }
    Ok(tiles)
}

#[cfg(test)]
mod tests {
    use super::super::matrix::TILE;
    use super::*;
    use ndarray::Array2;

    /// Distances in float64, in many dimensions: several tiles though the rows
    /// are few.
    #[test]
    fn tiles_of_any_width_hold_the_weighted_distances() {
        let (rows, dims) = (70, 150_000);
        assert_eq!(
            (tile_len(1), tile_len(4096), tile_len(dims)),
            (TILE, TILE, PANEL)
        );
        assert_eq!(tile_len(usize::MAX), PANEL);
        let data = Array2::from_shape_fn((rows, dims), |(i, t)| ((i * i + t) % 11) as f32);
        let points = Points::from(data.view());
        let threads = Threads::exactly(2, None).unwrap();
        let weights: Vec<f64> = (0..rows).map(|i| [1.0, 4.0, 0.5][i % 3]).collect();
        let scaled = Scaled::new(&points, Metric::Euclidean, &weights, &threads).unwrap();
        let all = scaled.all_pairs(&threads).unwrap();
        let numbers: Vec<u32> = (0..rows as u32).collect();
        let relative: Vec<f64> = weights.iter().map(|weight| weight / 4.0).collect();
        let some = scaled
            .between_weighted(&numbers[..40], &numbers, &relative, &threads)
            .unwrap();
        let mut sums = vec![0.0; rows];
        scaled
            .add_sums(&numbers, &numbers, &mut Scratch::default(), &mut sums)
            .unwrap();
        for (i, &found) in sums.iter().enumerate() {
            let mut sum = 0.0;
            for (j, &weight) in weights.iter().enumerate() {
                let pairs = data.row(i).into_iter().zip(data.row(j));
                let squares = pairs.map(|(x, y)| f64::from(x - y).powi(2));
                let expected = squares.sum::<f64>().sqrt() * weight;
                sum += expected;
                let near = |d: f32| (all.loss(d.into()) - expected).abs() <= 1e-3 * expected;
                assert!(near(all.row(i)[j]));
                assert!(i >= 40 || near(some.row(i)[j]));
            }
            assert!((all.loss(found) - sum).abs() <= 1e-3 * sum);
        }
    }
}
