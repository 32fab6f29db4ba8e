//! What searches among the centroids of a trained model share, whoever asks and on
//! whatever thread.

use crate::allocate::{optional, resize};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::scan::ROWS;
use crate::metric::Metric;
use crate::nearest::any_centroids::AnyCentroids;
use crate::nearest::eight_bit::kept::KeptCodes;
use crate::nearest::eight_bit::search::{CodeScratch, CodeSearch};
use crate::nearest::engine::{MAX_TILE_DIMS, Setting};
use crate::nearest::scan::{Scan, inverse_norms};
use crate::nearest::sparse::{self, SparseCentroids};
use crate::nearest::tasks::{block_rows, parts};
use crate::nearest::vectors::{Centroids, Row};
use crate::points::Points;
use crate::threads::Threads;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

/// Rows of a call that are compared with the centroids as these lie, at most; and
/// rows from which kept codes are faster.
const FEW: usize = 192;
const SOME: usize = 4;

/// Rows of a call from which what the rows have in common is worth looking at.
const MANY: usize = 1 << 14;

/// Codes are kept once so many rows have been asked for that they would have served.
const WORTH_CODES: usize = 256;

/// Belongs to the centroids of one trained model: each search must name the same,
/// with the same bias or none. What it holds is made when it is first needed, and
/// done without where memory is refused.
#[derive(Default)]
pub(crate) struct Prepared {
    setting: OnceLock<Setting>,
    /// 1 / ‖c‖; none where all are 1 up to rounding.
    inverse_norms: OnceLock<Vec<f64>>,
    /// Of centroids without bias, and with.
    codes: [Codes; 2],
    /// The same for sparse rows.
    sparse: [OnceLock<SparseCentroids>; 2],
}

/// Codes, if they pay.
#[derive(Default)]
struct Codes {
    asked: AtomicUsize,
    making: Mutex<()>,
    made: OnceLock<Option<KeptCodes>>,
}

/// How rows are searched.
#[allow(clippy::large_enum_variant)] // there is one of it
enum Way<'a> {
    /// By the kept codes.
    Codes(CodeSearch<'a>),
    /// Centroids as they lie, with their norms.
    Scan(Option<&'a [f64]>),
}

/// A worker's buffers.
#[derive(Default)]
struct Scratch<'a> {
    block: Vec<f32>,
    unassigned: Vec<u32>,
    codes: CodeScratch,
    scan: Option<Scan<'a>>,
}

impl Prepared {
    /// Writes the `count` nearest centroids of every row, nearest first, to `labels`,
    /// and their distances, without bias, to `distances`; equals by index. `false`,
    /// and nothing written, if this is not the way to search so many rows.
    pub fn search(
        &self,
        points: &Points<'_>,
        (metric, centroids, bias): (Metric, &AnyCentroids, Option<&[f64]>),
        threads: &Threads<'_>,
        (count, labels, distances): (usize, &mut [u32], Option<&mut [f64]>),
    ) -> Result<bool> {
        let setting = self.setting();
        let (rows, dims) = (points.rows(), centroids.dim().1);
        if points.reads_sparse() && setting.engine.is_none() {
            let Some(sparse) = self.sparse(metric, centroids, bias)? else {
                return Ok(false);
            };
            let dense = match count > 1 && sparse::are_full(sparse.vectors(), metric, dims) {
                true => Some(Centroids::new(centroids.values()?, dims)),
                false => None,
            };
            let request = (count, labels, distances);
            sparse::search(points, (sparse, dense), setting.isa, threads, request)?;
            return Ok(true);
        }
        if rows > MANY || dims > MAX_TILE_DIMS || setting.engine.is_some() {
            return Ok(false);
        }
        let centroids = Centroids {
            values: centroids.values()?,
            dims,
            bias,
        };
        let codes = &self.codes[usize::from(centroids.bias.is_some())];
        let codes = codes.of(rows, setting, (metric, centroids), threads)?;
        let (way, task_rows) = match codes.and_then(|codes| codes.search(centroids, count)) {
            Some(search) => {
                let most = block_rows(rows, (dims, centroids.len()), threads);
                let task_rows = rows.div_ceil(threads.count()).clamp(1, most);
                (Way::Codes(search), task_rows)
            }
            None if rows > FEW => return Ok(false),
            None => match self.inverse_norms(metric, centroids)? {
                Some(norms) => (Way::Scan(norms), ROWS),
                None => return Ok(false),
            },
        };
        let chunk = task_rows * count;
        let distances = parts(distances, chunk, rows.div_ceil(task_rows))?;
        threads.run_long(
            labels.chunks_mut(chunk).zip(distances).enumerate(),
            Scratch::default,
            |scratch, (task, (labels, mut distances)), _| {
                let first = task * task_rows;
                let rows = first..first + labels.len() / count;
                let unassigned = &mut scratch.unassigned;
                resize(unassigned, rows.len(), UNASSIGNED, "labels")?;
                let values = points.block(rows.clone(), &mut scratch.block)?;
                let row = |i: usize| Row::new(&values[i * dims..][..dims], metric);
                let measured = distances.is_some();
                let mut found = |i: usize, ranked: &[(f64, u32)]| {
                    for (slot, &(value, j)) in (i * count..).zip(ranked) {
                        labels[slot] = j;
                        if let Some(distances) = distances.as_deref_mut() {
                            distances[slot] = match centroids.bias {
                                None => value,
                                Some(_) => row(i).distance(centroids.row(j as usize)),
                            };
                        }
                    }
                };
                match &way {
                    Way::Codes(search) if count == 1 => {
                        let hints = &unassigned[..rows.len()];
                        let found = |i: usize, j: u32, distance: &dyn Fn() -> f64| {
                            let known = measured && centroids.bias.is_none();
                            found(i, &[(if known { distance() } else { 0.0 }, j)]);
                        };
                        search.assign(0, values, hints, None, &mut scratch.codes, found)
                    }
                    Way::Codes(search) => search.top(0, values, &mut scratch.codes, found),
                    Way::Scan(norms) => {
                        let new = || Scan::new(setting.isa, metric, centroids, *norms);
                        let scan = scratch.scan.get_or_insert_with(new);
                        scan.search(values, count, measured, found)
                    }
                }
            },
        )?;
        Ok(true)
    }

    fn setting(&self) -> &Setting {
        match self.setting.get() {
            Some(setting) => setting,
            None => {
                // Nobody waits for it, nor a child that was forked meanwhile.
                let setting = Setting::from_environment();
                self.setting.get_or_init(|| setting)
            }
        }
    }

    /// Centroids for sparse rows; `None` where there is no memory.
    fn sparse(
        &self,
        metric: Metric,
        centroids: &AnyCentroids,
        bias: Option<&[f64]>,
    ) -> Result<Option<&SparseCentroids>> {
        let kept = &self.sparse[usize::from(bias.is_some())];
        if kept.get().is_none() {
            // Nobody waits for who makes them.
            let made = centroids.vectors(metric).and_then(|vectors| {
                SparseCentroids::of_vectors(vectors, centroids.dim().1, bias, metric)
            });
            let made = optional(made)?;
            return Ok(made.map(|made| kept.get_or_init(|| made)));
        }
        Ok(kept.get())
    }

    /// As [`Scan::new`] wants them; `None` where there is no memory.
    fn inverse_norms(
        &self,
        metric: Metric,
        centroids: Centroids<'_>,
    ) -> Result<Option<Option<&[f64]>>> {
        let norms = match self.inverse_norms.get() {
            Some(norms) => norms,
            None => {
                let mut norms = Vec::new();
                if optional(inverse_norms(centroids, metric, &mut norms))?.is_none() {
                    return Ok(None);
                }
                self.inverse_norms.get_or_init(|| norms)
            }
        };
        Ok(Some((!norms.is_empty()).then_some(&norms[..])))
    }
}

impl Codes {
    /// The codes for a search of so many rows, where they pay. Nobody waits for who
    /// makes them.
    fn of(
        &self,
        rows: usize,
        setting: &Setting,
        (metric, centroids): (Metric, Centroids<'_>),
        threads: &Threads<'_>,
    ) -> Result<Option<&KeptCodes>> {
        if rows < SOME {
            return Ok(None);
        }
        if let Some(made) = self.made.get() {
            return Ok(made.as_ref());
        }
        let asked = self.asked.fetch_add(rows, Ordering::Relaxed) + rows;
        if asked >= WORTH_CODES
            && let Ok(_making) = self.making.try_lock()
            && self.made.get().is_none()
            && let Some(made) = optional(KeptCodes::new(setting, metric, centroids, threads))?
        {
            return Ok(self.made.get_or_init(|| made).as_ref());
        }
        Ok(None)
    }
}

/// Says nothing of the model.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}

impl PartialEq for Prepared {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
