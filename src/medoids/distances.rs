//! Matrices of float32 distances, computed in tiles.
//!
//! Every row is first multiplied by a factor that makes one squared
//! difference serve both metrics: with cosine rows become unit vectors, of
//! which 1 − cos is half the squared distance; with Euclidean distance a power
//! of two, which rounds nothing, brings the data into a range where squares
//! neither overflow nor vanish.

use crate::allocate::{extend, try_vec};
use crate::error::Result;
use crate::memory::Zeros;
use crate::metric::Metric;
use crate::nearest::{GROUP, PANEL, Row, pack, squared_distances};
use crate::points::Points;
use crate::threads::Threads;

/// Rows and columns of a tile: whole groups and whole panels.
pub(crate) const TILE: usize = GROUP * PANEL;

/// Rows per task where every row of the data is read once.
const TASK_ROWS: usize = 1024;

/// 1 − cos below this is rounding noise between rows of one direction.
const COSINE_NOISE: f32 = 1e-14;

/// Distances of candidates (rows) to points (columns), in a unit of their own.
/// Each point may carry a weight, by which its column is multiplied.
pub(crate) struct Distances {
    values: Zeros,
    points: usize,
    /// What a distance of 1 stands for.
    unit: f64,
    /// What the points cost that no medoid can come closer to.
    fixed: f64,
}

impl Distances {
    pub fn points(&self) -> usize {
        self.points
    }

    pub fn candidates(&self) -> usize {
        self.values.len() / self.points
    }

    pub fn row(&self, candidate: usize) -> &[f32] {
        &self.values[candidate * self.points..][..self.points]
    }

    /// Lets the points, which are the first candidates, stand for all
    /// candidates and these for `rows` rows: each point gets the weight of the
    /// candidates that are nearest to it. As a medoid it costs itself what it
    /// costs those; a cost of nothing would favour points as medoids.
    pub fn weigh(&mut self, rows: usize, threads: &Threads<'_>) -> Result<()> {
        let (points, candidates) = (self.points, self.candidates());
        let mut nearest = try_vec((0usize, 0.0f32), candidates, "nearest points")?;
        let tasks = self
            .values
            .chunks(TILE * points)
            .zip(nearest.chunks_mut(TILE));
        threads.run(
            tasks,
            || (),
            |(), (rows, nearest)| {
                for (nearest, row) in nearest.iter_mut().zip(rows.chunks_exact(points)) {
                    let pairs = row.iter().copied().enumerate();
                    let least = pairs.min_by(|a, b| a.1.total_cmp(&b.1));
                    *nearest = least.expect("there are points");
                }
            },
        )?;
        let mut counts = try_vec(1usize, points, "weights")?;
        let mut sums = try_vec(0.0f64, points, "weights")?;
        for &(point, distance) in &nearest[points..] {
            counts[point] += 1;
            sums[point] += f64::from(distance);
        }
        let others = (candidates - points).max(1) as f64;
        let typical = sums.iter().sum::<f64>() / others;
        for point in 0..points {
            self.values[point * points + point] = match counts[point] {
                1 => typical as f32,
                count => (sums[point] / (count - 1) as f64) as f32,
            };
        }
        let share = rows as f64 / candidates as f64;
        let weights: Vec<f32> = counts.iter().map(|&n| (n as f64 * share) as f32).collect();
        let tasks = self.values.chunks_mut(TILE * points);
        threads.run(
            tasks,
            || (),
            |(), rows| {
                for row in rows.chunks_exact_mut(points) {
                    row.iter_mut().zip(&weights).for_each(|(d, w)| *d *= w);
                }
            },
        )
    }

    /// Makes candidate `to` the same as candidate `from`.
    pub fn copy_candidate(&mut self, from: usize, to: usize) {
        let row = from * self.points..(from + 1) * self.points;
        self.values.copy_within(row, to * self.points);
    }

    /// A sum of distances in the metric's own unit.
    pub fn loss(&self, sum: f64) -> f64 {
        sum * self.unit + self.fixed
    }
}

/// The rows of the data with what their distances need.
pub(crate) struct Scaled<'a> {
    points: &'a Points<'a>,
    metric: Metric,
    /// Multiplies each row; 0 for a row without direction (cosine).
    factors: Vec<f64>,
    unit: f64,
}

impl<'a> Scaled<'a> {
    pub fn new(points: &'a Points<'a>, metric: Metric, threads: &Threads<'_>) -> Result<Self> {
        let mut factors = try_vec(0.0f64, points.rows(), "row factors")?;
        let tasks = factors.chunks_mut(TASK_ROWS).enumerate();
        threads.run(tasks, Vec::new, |scratch, (task, factors)| {
            let first = task * TASK_ROWS;
            let block = points.block(first..first + factors.len(), scratch)?;
            for (factor, values) in factors.iter_mut().zip(block.chunks_exact(points.cols())) {
                *factor = match metric {
                    Metric::Cosine => Row::new(values, metric).inverse_norm(),
                    Metric::Euclidean => values.iter().fold(0.0, |max, v| v.abs().max(max)).into(),
                };
            }
            Ok(())
        })?;
        let mut unit = 1.0;
        if metric == Metric::Euclidean {
            let largest = factors.iter().copied().fold(0.0, f64::max);
            let factor = power_of_two_for(largest, points.cols());
            factors.fill(factor);
            unit = 1.0 / factor;
        }
        Ok(Scaled {
            points,
            metric,
            factors,
            unit,
        })
    }

    pub fn rows(&self) -> usize {
        self.points.rows()
    }

    pub fn dims(&self) -> usize {
        self.points.cols()
    }

    /// The distances between all rows; each is computed once.
    ///
    /// O(n²·d) time, 4·n² bytes.
    pub fn all_pairs(&self, threads: &Threads<'_>) -> Result<Distances> {
        let n = self.points.rows();
        let mut values = matrix(n, n)?;
        let all: Vec<usize> = (0..n).collect();
        let blocks: Vec<&[usize]> = all.chunks(TILE).collect();
        let mut tiles = tiles(&mut values, n);
        let mut tasks = Vec::new();
        for (i, rows) in blocks.iter().enumerate() {
            for (j, columns) in blocks.iter().enumerate().skip(i) {
                let upper = std::mem::take(&mut tiles[i * blocks.len() + j]);
                let lower = std::mem::take(&mut tiles[j * blocks.len() + i]);
                tasks.push((*rows, *columns, upper, lower));
            }
        }
        threads.run(
            tasks.into_iter(),
            || (Scratch::default(), usize::MAX),
            |(scratch, packed), (rows, columns, mut upper, mut lower)| {
                let diagonal = lower.is_empty();
                if *packed != rows[0] {
                    self.pack_rows(rows, scratch)?;
                    *packed = rows[0];
                }
                self.tile_of_packed(rows, columns, diagonal, scratch, |first, block| {
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
        for zero in (0..n).filter(|&row| !self.has_direction(row)) {
            values[zero * n..][..n].fill(1.0);
            values
                .iter_mut()
                .skip(zero)
                .step_by(n)
                .for_each(|d| *d = 0.0);
        }
        Ok(Distances {
            values,
            points: n,
            unit: self.unit,
            fixed: self.without_direction() as f64,
        })
    }

    /// The distances of some rows, the candidates, to others, the points.
    ///
    /// O(candidates · points · d) time, 4 · candidates · points bytes.
    pub fn between(
        &self,
        candidates: &[usize],
        points: &[usize],
        threads: &Threads<'_>,
    ) -> Result<Distances> {
        let mut distances = Distances {
            values: matrix(candidates.len(), points.len())?,
            points: points.len(),
            unit: self.unit,
            fixed: self.without_direction() as f64,
        };
        self.replace(&mut distances, 0, candidates, points, threads)?;
        Ok(distances)
    }

    /// Puts other candidates in the place of those from `first` on.
    pub fn replace(
        &self,
        distances: &mut Distances,
        first: usize,
        candidates: &[usize],
        points: &[usize],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let width = points.len();
        let values = &mut distances.values[first * width..][..candidates.len() * width];
        let mut tiles = tiles(values, width).into_iter();
        let tasks: Vec<_> = candidates
            .chunks(TILE)
            .flat_map(|rows| points.chunks(TILE).map(move |columns| (rows, columns)))
            .map(|(rows, columns)| (rows, columns, tiles.next().unwrap_or_default()))
            .collect();
        threads.run(
            tasks.into_iter(),
            Scratch::default,
            |scratch, (rows, columns, mut out)| {
                self.tile(rows, columns, scratch, |first, block| {
                    for (out, block) in out.iter_mut().zip(block.chunks_exact(PANEL)) {
                        write_part(out, first, block);
                    }
                })
            },
        )
    }

    /// Sums of the distances of each of some rows, at most [`TILE`], to all
    /// of `columns`.
    pub fn sums(
        &self,
        rows: &[usize],
        columns: &[usize],
        scratch: &mut Scratch,
    ) -> Result<Vec<f64>> {
        let mut sums = try_vec(0.0, rows.len(), "sums of distances")?;
        for columns in columns.chunks(TILE) {
            self.tile(rows, columns, scratch, |first, block| {
                let len = PANEL.min(columns.len() - first);
                for (sum, block) in sums.iter_mut().zip(block.chunks_exact(PANEL)) {
                    *sum += block[..len].iter().map(|&d| f64::from(d)).sum::<f64>();
                }
            })?;
        }
        Ok(sums)
    }

    /// Whether a row can be near anything: a zero row has no direction, and
    /// costs the same whatever the medoids.
    pub fn has_direction(&self, row: usize) -> bool {
        self.factors[row] != 0.0
    }

    /// How many rows have none.
    pub fn without_direction(&self) -> usize {
        self.factors.iter().filter(|&&factor| factor == 0.0).count()
    }

    /// The distances of data rows `rows` to data rows `columns`, at most
    /// [`TILE`] each. `write` gets them in blocks of [`PANEL`] columns: the
    /// first column, then rows × PANEL distances.
    fn tile(
        &self,
        rows: &[usize],
        columns: &[usize],
        scratch: &mut Scratch,
        write: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        self.pack_rows(rows, scratch)?;
        self.tile_of_packed(rows, columns, false, scratch, write)
    }

    fn pack_rows(&self, rows: &[usize], scratch: &mut Scratch) -> Result<()> {
        self.gather(rows, &mut scratch.raw, &mut scratch.rows)?;
        pack::<GROUP>(&scratch.rows, self.points.cols(), &mut scratch.groups);
        Ok(())
    }

    /// [`tile`](Self::tile) of rows that are packed; with `above_diagonal` only
    /// the distances of rows up to the last column of each block.
    fn tile_of_packed(
        &self,
        rows: &[usize],
        columns: &[usize],
        above_diagonal: bool,
        scratch: &mut Scratch,
        mut write: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let dims = self.points.cols();
        self.gather(columns, &mut scratch.raw, &mut scratch.rows)?;
        pack::<PANEL>(&scratch.rows, dims, &mut scratch.panels);
        scratch.block.resize(TILE * PANEL, 0.0);
        let panels = scratch.panels.chunks_exact(PANEL * dims);
        for (part, (panel, columns)) in panels.zip(columns.chunks(PANEL)).enumerate() {
            let first = part * PANEL;
            let rows = match above_diagonal {
                true => &rows[..rows.len().min(first + PANEL)],
                false => rows,
            };
            let padded = rows.len().next_multiple_of(GROUP);
            let block = &mut scratch.block[..padded * PANEL];
            squared_distances(&scratch.groups[..padded * dims], panel, block);
            match self.metric {
                Metric::Euclidean => block.iter_mut().for_each(|d| *d = d.sqrt()),
                Metric::Cosine => {
                    for distance in block.iter_mut() {
                        let half = 0.5 * *distance;
                        *distance = if half < COSINE_NOISE { 0.0 } else { half };
                    }
                    self.correct_zero_rows(rows, columns, block);
                }
            }
            write(first, &block[..rows.len() * PANEL]);
        }
        Ok(())
    }

    /// A zero row is at distance 1 from everything. As a point that is a
    /// constant, which is left to [`Distances::fixed`].
    fn correct_zero_rows(&self, rows: &[usize], columns: &[usize], block: &mut [f32]) {
        for (distances, &row) in block.chunks_exact_mut(PANEL).zip(rows) {
            if !self.has_direction(row) {
                distances.fill(1.0);
            }
        }
        for (lane, &column) in columns.iter().enumerate() {
            if !self.has_direction(column) {
                block[lane..]
                    .iter_mut()
                    .step_by(PANEL)
                    .for_each(|d| *d = 0.0);
            }
        }
    }

    /// The given data rows, each multiplied by its factor.
    fn gather(&self, rows: &[usize], raw: &mut Vec<f32>, out: &mut Vec<f32>) -> Result<()> {
        out.clear();
        for run in rows.chunk_by(|a, b| a + 1 == *b) {
            let block = self.points.block(run[0]..run[0] + run.len(), raw)?;
            for (values, &row) in block.chunks_exact(self.points.cols()).zip(run) {
                let factor = self.factors[row];
                let scaled = values.iter().map(|&v| (f64::from(v) * factor) as f32);
                extend(out, scaled, "rows")?;
            }
        }
        Ok(())
    }
}

/// What one worker needs to compute tiles.
#[derive(Default)]
pub(crate) struct Scratch {
    raw: Vec<f32>,
    rows: Vec<f32>,
    groups: Vec<f32>,
    panels: Vec<f32>,
    block: Vec<f32>,
}

/// The power of two that brings values up to `largest` as far up as sums of
/// squares over `dims` dimensions stay finite.
fn power_of_two_for(largest: f64, dims: usize) -> f64 {
    if largest == 0.0 {
        return 1.0;
    }
    // (2 · 2^e)² · dims must stay below 2^126.
    let highest = 62.0 - (dims as f64).log2().ceil() / 2.0;
    (highest - largest.log2().ceil()).floor().exp2()
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
fn tiles(values: &mut [f32], width: usize) -> Vec<Vec<&mut [f32]>> {
    let across = width.div_ceil(TILE);
    let down = (values.len() / width).div_ceil(TILE);
    let mut tiles: Vec<Vec<&mut [f32]>> = Vec::new();
    tiles.resize_with(across * down, || Vec::with_capacity(TILE));
    for (i, row) in values.chunks_exact_mut(width).enumerate() {
        for (j, part) in row.chunks_mut(TILE).enumerate() {
            tiles[i / TILE * across + j].push(part);
        }
    }
    tiles
}
