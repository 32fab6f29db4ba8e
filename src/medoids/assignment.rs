//! Rows by their medoids.

use super::distances::Scaled;
use super::matrix::task_rows;
use super::tiles::COSINE_NOISE;
use crate::allocate::{copy, try_vec};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::{Centroids, Nearest, Request, Row, RowScratch};
use crate::seeding::copy_rows;
use crate::threads::Threads;

/// Rows by medoids, and how far they are.
pub(crate) struct Assignment {
    pub medoids: Vec<usize>,
    /// The medoids' values: n_clusters × dims.
    pub centroids: Vec<f32>,
    pub labels: Vec<u32>,
    /// Canonical distances to the medoids, not squared.
    pub distances: Vec<f64>,
    /// Their sum, each times what its row weighs: see [`Scaled::weight`].
    pub inertia: f64,
}

impl Assignment {
    /// Every row to its nearest medoid. A medoid without direction becomes the
    /// first: it is at the same distance from all medoids, so that only cluster
    /// 0 can have it.
    pub fn new(
        nearest: &mut Nearest<'_>,
        scaled: &Scaled<'_>,
        mut medoids: Vec<usize>,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let (points, metric) = (nearest.points(), nearest.metric());
        if let Some(place) = scaled.without_direction()
            && let Some(cluster) = medoids.iter().position(|&medoid| medoid == place)
        {
            medoids.swap(0, cluster);
        }
        let mut assignment = Assignment {
            centroids: copy_rows(points, metric, &medoids, threads)?,
            medoids,
            labels: threads.try_vec(UNASSIGNED, points.rows(), "labels")?,
            distances: threads.try_vec(0.0f64, points.rows(), "distances")?,
            inertia: 0.0,
        };
        let centroids = Centroids::new(&assignment.centroids, points.cols());
        let (labels, distances) = (&mut assignment.labels, &mut assignment.distances);
        nearest.search(
            Request::nearest(centroids, labels, Some(distances)),
            threads,
        )?;
        threads.in_steps(points.rows(), |part| {
            for row in part {
                let distance = metric.unsquared(distances[row]);
                distances[row] = distance;
                assignment.inertia += scaled.weight(row) * distance;
            }
            Ok(())
        })?;
        Ok(assignment)
    }

    /// Gives clusters that came out empty a medoid of their own: the row that
    /// is farthest from all others, as long as there is one that lies elsewhere
    /// than all medoids.
    ///
    /// Different rows may have one direction (cosine). With the Euclidean
    /// distance different medoids leave no cluster empty.
    pub fn filled(
        self,
        nearest: &mut Nearest<'_>,
        scaled: &Scaled<'_>,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        match self.fill_empty(nearest, threads)? {
            Some(medoids) => Self::new(nearest, scaled, medoids, threads),
            None => Ok(self),
        }
    }

    /// The medoids with others for empty clusters; `None` if there is nothing
    /// to change.
    fn fill_empty(
        &self,
        nearest: &Nearest<'_>,
        threads: &Threads<'_>,
    ) -> Result<Option<Vec<usize>>> {
        let (points, metric) = (nearest.points(), nearest.metric());
        let mut is_empty = try_vec(true, self.medoids.len(), "clusters")?;
        threads.in_steps(self.labels.len(), |part| {
            let labels = self.labels[part].iter();
            labels.for_each(|&label| is_empty[label as usize] = false);
            Ok(())
        })?;
        if !is_empty.contains(&true) {
            return Ok(None);
        }
        let mut medoids = copy(&self.medoids, "medoids")?;
        let mut least = copy(&self.distances, "distances")?;
        medoids.iter().for_each(|&row| least[row] = 0.0);
        let size = task_rows(points.cols());
        let mut farthest = try_vec((0.0, 0), least.len().div_ceil(size), "farthest rows")?;
        let mut values: Option<Vec<f32>> = None;
        let mut is_changed = false;
        for (medoid, _) in medoids.iter_mut().zip(is_empty).filter(|(_, empty)| *empty) {
            // Least distances follow the last new medoid.
            let tasks = least.chunks_mut(size).zip(&mut farthest).enumerate();
            let place = values.as_ref().map(|values| Row::new(values, metric));
            let state = RowScratch::default;
            threads.run(tasks, state, |scratch, (task, (least, farthest))| {
                if let Some(place) = &place {
                    for (row, least) in (task * size..).zip(least.iter_mut()) {
                        let distance = scratch.row(points, row, metric)?.distance_to(place);
                        *least = least.min(metric.unsquared(distance));
                    }
                }
                *farthest = (0.0, 0);
                for (&distance, row) in least.iter().zip(task * size..) {
                    if distance > farthest.0 {
                        *farthest = (distance, row);
                    }
                }
                Ok(())
            })?;
            let noise = match metric {
                Metric::Euclidean => 0.0,
                Metric::Cosine => f64::from(COSINE_NOISE),
            };
            let order = |a: &&(f64, usize), b: &&(f64, usize)| {
                let by_distance = a.0.total_cmp(&b.0);
                by_distance.then(b.1.cmp(&a.1))
            };
            let Some(&(distance, row)) = farthest.iter().max_by(order) else {
                break;
            };
            if distance <= noise {
                break;
            }
            *medoid = row;
            least[row] = 0.0;
            values = Some(copy_rows(points, metric, &[row], threads)?);
            is_changed = true;
        }
        Ok(is_changed.then_some(medoids))
    }
}
