//! Lloyd's algorithm on sparse rows, with centroids that are sparse too: nothing of
//! clusters × dimensions numbers is made.

use super::by_cluster::{Gain, Means, RowsByCluster};
use super::steps::Steps;
use crate::allocate::{collect, try_vec};
use crate::clusters::{Clusters, UNASSIGNED};
use crate::error::Result;
use crate::kernels::isa::Isa;
use crate::kmeans::clustering::PRECISE;
use crate::kmeans::empty_clusters::rows_for_empty_clusters;
use crate::memory::Reserved;
use crate::metric::Metric;
use crate::nearest::sparse::{self, Known, SparseCentroids, Vectors};
use crate::nearest::{AnyCentroids, Nearest};
use crate::owned::TryArc;
use crate::points::{Points, SparseRows};
use crate::seeding::as_centroids;
use crate::threads::Threads;
use crate::totals::{ExactSum, Grid};

/// Rows per task.
const TASK_ROWS: usize = 1024;

/// From so many clusters, numbers a row, and products of both on it pays to know of
/// centroids that are too far for a row and have not moved enough: measured, see
/// docs/nearest.md.
const BOUNDS_FROM: (usize, usize, usize) = (256, 64, 1 << 16);

/// Pairs of row and cluster.
type Moves = Vec<(u32, u32)>;

/// Sparse rows in clusters, with the centroids of these.
pub(crate) struct Sparse<'n, 'a> {
    nearest: &'n Nearest<'a>,
    isa: Isa,
    /// Σ x² of every row.
    squares: Vec<f64>,
    grid: Grid,
    centroids: SparseCentroids,
    /// How far the other centroids are from each row, where that pays.
    bounds: Vec<f32>,
    labels: Vec<u32>,
    counts: Vec<usize>,
    /// The rows by label, and the means of the clusters, while they are known.
    clusters: Option<Clusters>,
    means: Option<Means>,
    /// Of all rows, the sum of what [`Means::gain`] is less than; once it was needed.
    spread: Option<f64>,
    _reserved: Reserved,
}

impl<'n, 'a> Sparse<'n, 'a> {
    /// In no cluster yet. One pass over the rows.
    pub fn new(
        nearest: &'n Nearest<'a>,
        isa: Isa,
        centroids: TryArc<Vectors>,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let (points, metric) = (nearest.points(), nearest.metric());
        let (rows, clusters) = (points.rows(), centroids.len());
        let first = SparseCentroids::of_vectors(centroids, points.cols(), None, metric)?;
        let grid = nearest.grid(threads)?;
        let bytes = rows * 20 + threads.count() * grid.width() * 16;
        let reserved = nearest.budget().reserve(bytes as u64);
        Ok(Sparse {
            nearest,
            isa,
            squares: squares(points, threads)?,
            grid,
            centroids: first,
            bounds: match bounds_pay(points, clusters) {
                true => threads.try_vec(f32::NEG_INFINITY, rows, "bounds")?,
                false => Vec::new(),
            },
            labels: threads.try_vec(UNASSIGNED, rows, "labels")?,
            counts: try_vec(0, clusters, "cluster sizes")?,
            clusters: None,
            means: None,
            spread: None,
            _reserved: reserved,
        })
    }

    /// The rows by label.
    fn by_cluster(&mut self, threads: &Threads<'_>) -> Result<RowsByCluster<'_>> {
        let clusters = match &mut self.clusters {
            Some(clusters) => clusters,
            none => none.insert(Clusters::from_labels(
                &self.labels,
                1,
                self.counts.len(),
                threads,
            )?),
        };
        Ok(RowsByCluster {
            points: self.nearest.points(),
            grid: &self.grid,
            squares: &self.squares,
            clusters,
            centroids: &self.centroids,
        })
    }

    /// Notes that labels are others now.
    fn labels_changed(&mut self) {
        (self.clusters, self.means) = (None, None);
        self.count();
    }

    /// Σ x², or with cosine the number of rows, each times its weight.
    fn spread(&mut self) -> f64 {
        let (points, squares) = (self.nearest.points(), &self.squares);
        let metric = self.nearest.metric();
        *self.spread.get_or_insert_with(|| {
            let mut sum = ExactSum::default();
            for (row, &square) in squares.iter().enumerate() {
                let own = if metric == Metric::Cosine {
                    1.0
                } else {
                    square
                };
                sum.add_product(points.weight(row), own);
            }
            sum.value()
        })
    }

    /// Counts the rows of each cluster.
    fn count(&mut self) {
        self.counts.fill(0);
        for &label in &self.labels {
            self.counts[label as usize] += 1;
        }
    }

    /// Rows for clusters that are empty.
    fn moves(&self, threads: &Threads<'_>) -> Result<Moves> {
        if !self.counts.contains(&0) {
            return Ok(Moves::new());
        }
        let (points, vectors) = (self.nearest.points(), self.centroids.vectors());
        let model = (&**vectors, self.nearest.metric());
        let clusters = (&self.labels[..], self.counts.len());
        rows_for_empty_clusters(self.nearest, clusters, threads, |distances| {
            sparse::measure(points, model, threads, &self.labels, distances)
        })
    }

    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// [`assign`](Steps::assign) among other centroids.
    pub fn assign_to(
        &mut self,
        centroids: &TryArc<Vectors>,
        threads: &Threads<'_>,
    ) -> Result<usize> {
        if !self.centroids.are(centroids) {
            self.centroids
                .set(centroids.clone(), !self.bounds.is_empty())?;
        }
        self.assign(threads)
    }

    /// The means of the clusters, and the sum of distances to these. Where the centroids
    /// are to be others then, they are assigned to next.
    pub fn means(&mut self, threads: &Threads<'_>) -> Result<(TryArc<Vectors>, f64)> {
        let spread = self.spread();
        self.centroids.rest();
        let means = self.by_cluster(threads)?.means(Gain::After, threads)?;
        let mut inertia = spread - means.gain;
        if inertia <= spread * PRECISE {
            self.centroids.set(means.vectors.clone(), false)?;
            self.bounds.fill(f32::NEG_INFINITY);
            inertia = self.exact_inertia(threads)?;
        }
        self.clusters = None;
        if self.bounds.is_empty() {
            self.centroids.leave(means.vectors.clone());
        }
        Ok((means.vectors, inertia))
    }
}

impl Steps for Sparse<'_, '_> {
    fn assign(&mut self, threads: &Threads<'_>) -> Result<usize> {
        let (points, labels) = (self.nearest.points(), &mut self.labels);
        let known = Some(Known {
            squares: &self.squares,
            bounds: &mut self.bounds,
        });
        let changed = sparse::assign(points, &self.centroids, self.isa, threads, labels, known)?;
        self.labels_changed();
        Ok(changed)
    }

    fn inertia(&mut self, threads: &Threads<'_>) -> Result<f64> {
        let spread = self.spread();
        self.centroids.rest();
        let means = self.by_cluster(threads)?.means(Gain::Before, threads)?;
        let inertia = spread - means.gain;
        self.means = Some(means);
        match inertia > spread * PRECISE {
            true => Ok(inertia),
            false => self.exact_inertia(threads),
        }
    }

    fn fill_empty(&mut self, threads: &Threads<'_>) -> Result<()> {
        let moves = self.moves(threads)?;
        for &(row, cluster) in &moves {
            self.labels[row as usize] = cluster;
            if let Some(bound) = self.bounds.get_mut(row as usize) {
                *bound = f32::NEG_INFINITY;
            }
        }
        if !moves.is_empty() {
            self.labels_changed();
        }
        Ok(())
    }

    fn update(&mut self, threads: &Threads<'_>) -> Result<()> {
        let means = match self.means.take() {
            Some(means) => means,
            None => {
                self.centroids.rest();
                self.by_cluster(threads)?.means(Gain::None, threads)?
            }
        };
        self.clusters = None;
        self.centroids.set(means.vectors, !self.bounds.is_empty())
    }

    fn exact_inertia(&mut self, threads: &Threads<'_>) -> Result<f64> {
        Ok(self.by_cluster(threads)?.inertia(threads)?.value())
    }

    fn label(&mut self, threads: &Threads<'_>) -> Result<f64> {
        self.assign(threads)?;
        self.exact_inertia(threads)
    }

    fn place_empty(&mut self, threads: &Threads<'_>) -> Result<bool> {
        let moves = self.moves(threads)?;
        if moves.is_empty() {
            return Ok(false);
        }
        let clusters = self.counts.len();
        let mut rows = try_vec(None, clusters, "rows of clusters")?;
        for &(row, cluster) in &moves {
            rows[cluster as usize] = Some(row);
        }
        let chosen: Vec<u32> = collect(rows.iter().flatten().copied(), "rows of clusters")?;
        let metric = self.nearest.metric();
        let places = as_centroids(
            &self.nearest.points().select(&chosen),
            metric,
            true,
            threads,
        )?
        .vectors(metric)?;
        let mut next = 0..;
        let mut place = try_vec(None, clusters, "rows of clusters")?;
        for (place, _) in place.iter_mut().zip(&rows).filter(|(_, row)| row.is_some()) {
            *place = next.next();
        }
        let vectors = Vectors::of(clusters, metric, |j| match place[j] {
            Some(place) => places.get(place),
            None => self.centroids.vectors().get(j as u32),
        })?;
        self.centroids
            .set(TryArc::new(vectors, "centroids")?, false)?;
        Ok(true)
    }

    fn finish(self, _: &Threads<'_>) -> Result<(AnyCentroids, Vec<u32>)> {
        let vectors = self.centroids.vectors().clone();
        Ok((
            AnyCentroids::of_vectors(vectors, self.grid.dims()),
            self.labels,
        ))
    }
}

/// Σ x² of every row.
fn squares(points: &Points<'_>, threads: &Threads<'_>) -> Result<Vec<f64>> {
    let mut squares = threads.try_vec(0.0f64, points.rows(), "lengths of rows")?;
    threads.run_long(
        squares.chunks_mut(TASK_ROWS).enumerate(),
        SparseRows::default,
        |block, (task, out), poll| {
            let first = task * TASK_ROWS;
            let range = first..first + out.len();
            points.in_sparse_blocks(range, block, poll, |at, rows| {
                let out = &mut out[at - first..];
                let pairs = out.iter_mut().zip(rows.rows());
                pairs.for_each(|(out, row)| *out = row.square());
                Ok(())
            })
        },
    )?;
    Ok(squares)
}

fn bounds_pay(points: &Points<'_>, clusters: usize) -> bool {
    let (from_clusters, from_numbers, from_products) = BOUNDS_FROM;
    let numbers = points.stored() / points.rows().max(1);
    clusters >= from_clusters
        && numbers >= from_numbers
        && numbers.saturating_mul(clusters) >= from_products
}
