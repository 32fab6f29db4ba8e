//! How far clusters are apart: the mean silhouette of rows.

mod sparse;

use crate::allocate::{collect, try_vec};
use crate::config::invalid;
use crate::error::{KMeansError, Result};
use crate::kernels::sparse_panel;
use crate::metric::Metric;
use crate::nearest::Row;
use crate::points::Points;
use crate::rng::Rng;
use crate::sort::sort;
use crate::threads::{Poll, RunOptions, Threads};

/// Pairs of rows up to which every row is looked at.
const EXACT_PAIRS: usize = 100_000_000;

/// Rows of a sample at least.
const LEAST_SAMPLE: usize = 1_000;

/// Rows that are compared with all others in one pass over these.
const TASK_ROWS: usize = 16;
const SPARSE_TASK_ROWS: usize = sparse_panel::WIDTH;

const PURPOSE: &str = "silhouettes";

/// What [`silhouette`] finds out.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Silhouette {
    /// The mean over the rows that were looked at, from -1 to 1.
    pub score: f64,
    /// How many rows were looked at, each compared with all rows.
    pub rows: usize,
    /// Whether that were all rows: else the score is that of a sample.
    pub exact: bool,
}

/// The mean silhouette of the rows of `points` in the clusters that `labels` names
/// (any numbers, one a row; at least two different ones).
///
/// The silhouette of a row is (b − a) / max(a, b), where a is its mean distance to the
/// other rows of its cluster and b the least mean distance to those of another; 0 in a
/// cluster of its own. 1 is a row far from other clusters, −1 one that is in the wrong one.
/// The distance is Euclidean, not squared, or 1 − cosine.
///
/// `sample`: how many rows to look at; each is compared with all rows, so that the score is
/// that of all rows but for the draw. `None`: all up to 10,000 rows, of more so many that
/// there are 10⁸ pairs, and at least 1,000. `seed` draws them.
///
/// O(sample · rows · dimensions). P. J. Rousseeuw: Silhouettes, J. Comput. Appl. Math. 20
/// (1987).
pub fn silhouette(
    points: &Points<'_>,
    labels: &[u32],
    metric: Metric,
    sample: Option<usize>,
    seed: u64,
    options: RunOptions<'_>,
) -> Result<Silhouette> {
    let rows = points.rows();
    if labels.len() != rows {
        return Err(invalid(format_args!(
            "there are {} labels, but {rows} points; give one for each",
            labels.len()
        )));
    }
    if sample == Some(0) {
        return Err(invalid(
            "sample must be positive, got 0; leave it out for as many rows as are useful",
        ));
    }
    if points.is_weighted() {
        return Err(KMeansError::invalid_data(
            "silhouettes know no weights; leave them out, or repeat rows",
        ));
    }
    let useful = (EXACT_PAIRS / rows.max(1)).max(LEAST_SAMPLE);
    let looked_at = sample.unwrap_or(useful).min(rows);
    let work = looked_at as f64 * rows as f64 * points.cols() as f64;
    let threads = &Threads::new(options, work)?;
    let offset = points.check_for_offset(metric, threads)?;
    let points = &points.less(offset.as_deref());
    let (labels, sizes) = number(labels, threads)?;
    if sizes.len() < 2 {
        return Err(KMeansError::invalid_data(
            "all rows have the same label; silhouettes compare two clusters or more",
        ));
    }
    let mut sampled: Vec<u32> = match looked_at == rows {
        true => collect(0..rows as u32, PURPOSE)?,
        false => {
            let drawn = Rng::new(seed).distinct(looked_at, rows)?;
            collect(drawn.into_iter().map(|row| row as u32), PURPOSE)?
        }
    };
    sort(&mut sampled, threads, PURPOSE)?;
    let clusters = Clusters {
        points,
        metric,
        labels,
        sizes,
    };
    let silhouettes = clusters.silhouettes(&sampled, threads)?;
    Ok(Silhouette {
        score: silhouettes.iter().sum::<f64>() / looked_at as f64,
        rows: looked_at,
        exact: looked_at == rows,
    })
}

/// A worker's buffers.
#[derive(Default)]
struct Scratch {
    own: Vec<f32>,
    block: Vec<f32>,
    sparse: sparse::Scratch,
}

struct Clusters<'a> {
    points: &'a Points<'a>,
    metric: Metric,
    labels: Vec<u32>,
    sizes: Vec<usize>,
}

impl Clusters<'_> {
    /// The silhouette of each of the rows.
    fn silhouettes(&self, rows: &[u32], threads: &Threads<'_>) -> Result<Vec<f64>> {
        let mut silhouettes = try_vec(0.0f64, rows.len(), PURPOSE)?;
        let task_rows = match self.points.reads_sparse() {
            true => SPARSE_TASK_ROWS,
            false => TASK_ROWS,
        };
        let tasks = rows
            .chunks(task_rows)
            .zip(silhouettes.chunks_mut(task_rows));
        let clusters = self.sizes.len();
        threads.run_long(tasks, Scratch::default, |scratch, (rows, out), poll| {
            let mut sums = try_vec(0.0f64, rows.len() * clusters, PURPOSE)?;
            match self.points.reads_sparse() {
                true => self.add_sparse(rows, &mut scratch.sparse, &mut sums, poll)?,
                false => self.add_dense(rows, scratch, &mut sums, poll)?,
            }
            for ((&row, sums), out) in rows.iter().zip(sums.chunks_exact(clusters)).zip(out) {
                *out = self.of_sums(self.labels[row as usize] as usize, sums);
            }
            Ok(())
        })?;
        Ok(silhouettes)
    }

    /// Adds the distances between some rows and all rows to the sums of each of the
    /// former, one for each cluster of the latter.
    fn add_dense(
        &self,
        rows: &[u32],
        scratch: &mut Scratch,
        sums: &mut [f64],
        poll: Poll<'_>,
    ) -> Result<()> {
        let (dims, clusters) = (self.points.cols(), self.sizes.len());
        let chosen = self.points.select(rows);
        let chosen = chosen.block(0..rows.len(), &mut scratch.own)?;
        let chosen = chosen.chunks_exact(dims);
        let chosen: Vec<Row<'_>> = collect(chosen.map(|row| Row::new(row, self.metric)), PURPOSE)?;
        let all = 0..self.points.rows();
        self.points
            .in_blocks(all, &mut scratch.block, poll, |first, block| {
                for (values, &label) in block.chunks_exact(dims).zip(&self.labels[first..]) {
                    let row = Row::new(values, self.metric);
                    for (one, sums) in chosen.iter().zip(sums.chunks_exact_mut(clusters)) {
                        sums[label as usize] += self.metric.unsquared(one.distance_to(&row));
                    }
                    poll()?;
                }
                Ok(())
            })
    }

    /// The silhouette of a row of the cluster `own` whose distances to the rows of
    /// each cluster add up to `sums`.
    fn of_sums(&self, own: usize, sums: &[f64]) -> f64 {
        if self.sizes[own] == 1 {
            return 0.0;
        }
        let inside = sums[own] / (self.sizes[own] - 1) as f64;
        let others = sums.iter().zip(&self.sizes).enumerate();
        let others = others.filter(|&(cluster, _)| cluster != own);
        let means = others.map(|(_, (sum, &size))| sum / size as f64);
        ratio(inside, means.fold(f64::INFINITY, f64::min))
    }
}

/// (b − a) / max(a, b): 0 where both are.
pub(crate) fn ratio(inside: f64, outside: f64) -> f64 {
    match inside.max(outside) {
        0.0 => 0.0,
        greater => (outside - inside) / greater,
    }
}

/// Labels as places among the different ones, and how many rows have each.
fn number(labels: &[u32], threads: &Threads<'_>) -> Result<(Vec<u32>, Vec<usize>)> {
    let mut different: Vec<u32> = collect(labels.iter().copied(), PURPOSE)?;
    sort(&mut different, threads, PURPOSE)?;
    different.dedup();
    let mut sizes = try_vec(0usize, different.len(), PURPOSE)?;
    let mut places = threads.try_vec(0u32, labels.len(), PURPOSE)?;
    threads.in_steps(labels.len(), |part| {
        for row in part {
            let place = different.partition_point(|&label| label < labels[row]);
            places[row] = place as u32;
            sizes[place] += 1;
        }
        Ok(())
    })?;
    Ok((places, sizes))
}
