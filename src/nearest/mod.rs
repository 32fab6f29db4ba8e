//! The hot core: for each row, its nearest centroid or centroids.
//!
//! **Contract.** Whatever engine runs, the answer for row i is the centroid j
//! with the least canonical distance D(i, j), the lowest j among equals.
//! D is computed in float64 by [`exact`]:
//!
//! * Euclidean: Σ (x − c)²;
//! * cosine: 1 − x·c / (‖x‖ ‖c‖) (1 for a zero row);
//! * plus the centroid's bias, where one is given.
//!
//! Engines filter by fast, approximate arithmetic with a proven error bound
//! and let canonical distances decide among what survives. Labels are
//! therefore the float64 brute-force labels: the same at any number of
//! threads, on any instruction set, and from any engine.

mod brute_force;
mod eight_bit;
mod engine;
mod few;
mod float32;
mod scores;
#[cfg(test)]
mod tests;
mod trees;
mod vectors;

use crate::allocate::{collect, optional, push, refill, try_vec};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::memory::{Budget, Reserved};
use crate::metric::Metric;
use crate::points::{BLOCK_BYTES, Points};
use crate::ranges::Range;
use crate::threads::Threads;
use crate::totals::{Grid, Totals};

pub(crate) use few::RowDistances;
pub(crate) use trees::SortedRows;
pub(crate) use vectors::{Centroids, Row};

use brute_force::{keep_least, measure_all, nearest_of_all};
use eight_bit::EightBit;
use eight_bit::bounds::{Bounds, Groups};
use eight_bit::search::top::MOST as MOST_RANKED;
use eight_bit::search::{HeadScratch, HeadSearch, Query};
use engine::{Engine, MAX_TILE_DIMS, Setting};
use float32::few_centroids::Direct;
use float32::{TileScratch, TileSearch};
use scores::Frame;

/// Rows of a task where each is only looked at, and of a block, at most: what a
/// worker searches between two polls.
const TASK_ROWS: usize = 1024;

/// Multiply-adds of a block, about, and rows that are worth a block whatever
/// they take; rows that have no bounds in float32 are searched one by one.
const BLOCK_WORK: usize = 1 << 32;
const BLOCK_ROWS: usize = 64;

/// Sorted rows are given up when a pass computes more than this fraction of
/// all distances: brute force is faster.
const SORTED_LIMIT: f64 = 0.25;

/// Distance bounds are kept once a search changes fewer labels than this.
const SETTLED: f64 = 0.15;

/// What all searches of one call share: how they compute, in which coordinates,
/// and the memory that they may take.
pub(crate) struct Shared {
    setting: Setting,
    frame: Frame,
    budget: Budget,
    /// Of every column, if known.
    ranges: Option<Vec<Range>>,
}

impl Shared {
    /// For searches over `points`, which must have passed [`Points::check`], and
    /// over others of that kind.
    pub fn new(points: &Points<'_>, metric: Metric, memory_limit: Option<u64>) -> Result<Self> {
        let setting = Setting::from_environment();
        Self::with_setting(points, metric, memory_limit, setting)
    }

    /// The memory of the call.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    fn with_setting(
        points: &Points<'_>,
        metric: Metric,
        memory_limit: Option<u64>,
        setting: Setting,
    ) -> Result<Self> {
        Ok(Shared {
            setting,
            frame: Frame::new(points, metric)?,
            budget: Budget::new(memory_limit),
            ranges: None,
        })
    }

    /// The ranges of all columns, which else are looked for when they are needed.
    pub fn with_ranges(mut self, ranges: Vec<Range>) -> Self {
        self.ranges = Some(ranges);
        self
    }

    pub fn nearest<'a>(&'a self, points: &'a Points<'a>) -> Nearest<'a> {
        Nearest {
            points,
            shared: self,
            calls: 0,
            searches: 1,
            eight_bit: EightBit::new(points, self.setting),
            bounds: None,
            changed: 1.0,
            sorted: None,
            sorting_pays: true,
        }
    }
}

/// Searches over the same rows again and again. Keeps between calls what the
/// engines can reuse.
pub(crate) struct Nearest<'a> {
    points: &'a Points<'a>,
    shared: &'a Shared,
    /// Searches so far, and how many are expected.
    calls: usize,
    searches: usize,
    eight_bit: EightBit<'a>,
    /// What the searches before rule out for the next.
    bounds: Option<Bounds<'a>>,
    /// The fraction of labels that the last search changed.
    changed: f64,
    /// The rows sorted in space, if that pays; once it didn't, never again.
    sorted: Option<(Box<dyn SortedRows>, Reserved<'a>)>,
    sorting_pays: bool,
}

impl<'a> Nearest<'a> {
    /// Searches over other rows of the same space: they share settings,
    /// coordinates and memory.
    pub fn child<'b>(&self, points: &'b Points<'b>) -> Nearest<'b>
    where
        'a: 'b,
    {
        self.shared.nearest(points)
    }

    pub fn shared(&self) -> &'a Shared {
        self.shared
    }

    /// The memory of the call.
    pub fn budget(&self) -> &'a Budget {
        &self.shared.budget
    }

    /// How many searches are likely to come, at most.
    pub fn with_searches(mut self, expected: usize) -> Self {
        self.searches = expected;
        self
    }

    /// Drops what only searches without bias use.
    pub fn expect_bias(&mut self) {
        self.bounds = None;
        self.sorted = None;
    }

    pub fn points(&self) -> &'a Points<'a> {
        self.points
    }

    pub fn metric(&self) -> Metric {
        self.shared.frame.metric
    }

    /// The grid for sums of these rows.
    pub fn grid(&self, threads: &Threads<'_>) -> Result<Grid> {
        let (rows, cols) = (self.points.rows(), self.points.cols());
        let weights = self.points.weight_range();
        let found;
        let ranges = match (self.metric(), &self.shared.ranges, weights) {
            (Metric::Cosine, _, None) => return Grid::of_unit_rows(cols, rows),
            (Metric::Cosine, _, Some(weights)) => {
                return Grid::of_weighted_unit_rows(cols, weights, rows);
            }
            (Metric::Euclidean, Some(ranges), _) => ranges,
            (Metric::Euclidean, None, _) => {
                found = self.points.check_ranges(threads)?;
                &found
            }
        };
        match weights {
            None => Grid::of_rows(ranges, rows),
            Some(weights) => Grid::of_weighted_rows(ranges, weights, rows),
        }
    }

    /// Sorts the rows for many searches among few dimensions, where that pays.
    pub fn sort_rows(&mut self, n_clusters: usize, threads: &Threads<'_>) -> Result<()> {
        let free = self.shared.setting.engine.is_none()
            && self.metric() == Metric::Euclidean
            && !self.points.is_weighted();
        if self.sorted.is_none()
            && self.sorting_pays
            && free
            && let Some(bytes) = trees::bytes(self.points, n_clusters)
            && let Some(reserved) = self.budget().try_reserve(bytes)
        {
            let (isa, grid) = (self.shared.setting.isa, self.grid(threads)?);
            let sorted = trees::sort(self.points, n_clusters, isa, grid, threads)?;
            self.sorted = sorted.map(|sorted| (sorted, reserved));
        }
        if let Some((sorted, _)) = &mut self.sorted {
            sorted.reset();
        }
        Ok(())
    }

    pub fn sorted(&self) -> Option<&dyn SortedRows> {
        self.sorted.as_ref().map(|(sorted, _)| &**sorted)
    }

    /// Assigns by the sorted rows, and makes `totals` what the clusters add up to;
    /// `None` where rows are not sorted. Labels are only written when the rows are
    /// given up, for good, since other engines are faster.
    pub fn assign_sorted(
        &mut self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        labels: &mut [u32],
        totals: &mut Totals,
    ) -> Result<Option<SortedPass>> {
        let Some((sorted, _)) = &mut self.sorted else {
            return Ok(None);
        };
        let pass = sorted.assign(centroids, threads, totals)?;
        let all = labels.len() as f64 * centroids.len() as f64;
        let pays = pass.distances as f64 <= SORTED_LIMIT * all;
        if !pays {
            sorted.write_labels(labels, threads)?;
            self.sorted = None;
            self.sorting_pays = false;
        }
        Ok(Some(SortedPass {
            changed: pass.changed,
            wrote_labels: !pays,
        }))
    }

    /// Writes every row's nearest centroid to `labels`, and its canonical
    /// distance without bias to `distances`. What `labels` holds before is a
    /// hint ([`UNASSIGNED`] for none). Returns how many labels changed.
    pub fn assign(
        &mut self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        labels: &mut [u32],
        distances: Option<&mut [f64]>,
    ) -> Result<usize> {
        let task_rows = block_rows(centroids.dims, centroids.len());
        self.search_all(
            centroids,
            threads,
            (labels, distances),
            (task_rows, &mut Vec::new(), || Ok(())),
            |_: &mut (), _| (),
        )
    }

    /// [`assign`](Self::assign), and lets a visitor look at the rows of each
    /// task, block by block in order, while they are in the cache. Visitor i
    /// sees the rows from i · `task_rows` on, as many or what is left; missing
    /// visitors are made. Task rows are whole multiples of [`TASK_ROWS`].
    pub fn assign_visiting<V: Send>(
        &mut self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        labels: &mut [u32],
        (task_rows, visitors, make): (usize, &mut Vec<V>, impl FnMut() -> Result<V>),
        visit: impl Fn(&mut V, Visit<'_>) + Sync,
    ) -> Result<usize> {
        let task_rows = task_rows.next_multiple_of(TASK_ROWS);
        let visitors = (task_rows, visitors, make);
        self.search_all(centroids, threads, (labels, None), visitors, visit)
    }

    fn search_all<V: Send>(
        &mut self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        (labels, distances): (&mut [u32], Option<&mut [f64]>),
        (task_rows, visitors, mut make): (usize, &mut Vec<V>, impl FnMut() -> Result<V>),
        visit: impl Fn(&mut V, Visit<'_>) + Sync,
    ) -> Result<usize> {
        let engine = self.choose_engine(centroids, labels, 1, threads)?;
        let (points, metric) = (self.points, self.metric());
        let mut bounds = self.take_bounds(engine, centroids)?;
        let order = bounds.as_ref().map(Bounds::order);
        let search = self.prepare(engine, centroids, labels, order, 1, threads)?;
        let used = match &mut bounds {
            Some(bounds) if search.can_bound() => {
                bounds.follow(&self.shared.frame, centroids);
                Some(bounds.split())
            }
            _ => None,
        };
        let (groups, values) = used.unzip();
        let width = groups.map_or(0, Groups::len);
        let (rows, block_rows) = (labels.len(), block_rows(centroids.dims, centroids.len()));
        let tasks = rows.div_ceil(task_rows);
        while visitors.len() < tasks {
            push(visitors, make()?, "tasks")?;
        }
        let mut changed = try_vec(0usize, tasks, "change counts")?;
        let distances = parts(distances, task_rows, tasks)?;
        let row_bounds = parts(values, task_rows * width, tasks)?;
        let tasks = labels.chunks_mut(task_rows).zip(distances).zip(row_bounds);
        threads.run_long(
            tasks.zip(changed.iter_mut().zip(visitors)).enumerate(),
            Scratch::default,
            |scratch, (task, (((labels, mut distances), mut bounds), (changed, visitor))), poll| {
                let blocks = labels.chunks_mut(block_rows).enumerate();
                for (number, labels) in blocks {
                    let within = number * block_rows;
                    let first = task * task_rows + within;
                    let block = points.block(first..first + labels.len(), &mut scratch.block)?;
                    let hints: &mut Vec<u32> = &mut scratch.hints;
                    refill(hints, labels, "labels")?;
                    let mut found = |i: usize, label: u32, distance: &dyn Fn() -> f64| {
                        *changed += usize::from(labels[i] != label);
                        labels[i] = label;
                        if let Some(distances) = distances.as_deref_mut() {
                            distances[within + i] = distance();
                        }
                    };
                    let row = |i| Row::new(&block[i * centroids.dims..][..centroids.dims], metric);
                    let mut found_row = |i: usize, label: u32| {
                        found(i, label, &|| row(i).distance(centroids.row(label as usize)));
                    };
                    match &search {
                        Search::Head(search) => {
                            let scratch = &mut scratch.head;
                            let bounds = groups
                                .zip(bounds.as_deref_mut())
                                .map(|(groups, values)| groups.rows(values, within, hints.len()));
                            let found = |i: usize, distance: f64, label: u32| {
                                found(i, label, &|| distance);
                            };
                            search.assign(first, block, hints, bounds, scratch, found)?;
                        }
                        Search::Tile(search) => {
                            search.assign(block, &mut scratch.tile, found_row)?;
                        }
                        Search::Reference => {
                            for i in 0..hints.len() {
                                found_row(i, nearest_of_all(&row(i), centroids, poll)?);
                            }
                        }
                    }
                    let before = hints;
                    visit(
                        visitor,
                        Visit {
                            first,
                            block,
                            before,
                            labels,
                        },
                    );
                    poll()?;
                }
                Ok(())
            },
        )?;
        let changed = changed.iter().sum();
        self.bounds = bounds;
        self.changed = changed as f64 / rows as f64;
        Ok(changed)
    }

    /// The `count` nearest centroids of every row, nearest first, equals by
    /// index: `labels` is rows × count, and so are `distances` (with bias).
    pub fn top(
        &mut self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        count: usize,
        labels: &mut [u32],
        distances: Option<&mut [f64]>,
    ) -> Result<()> {
        debug_assert!(0 < count && count <= centroids.len());
        labels.fill(UNASSIGNED);
        let engine = self.choose_engine(centroids, labels, count, threads)?;
        let search = self.prepare(engine, centroids, labels, None, count, threads)?;
        let (points, metric) = (self.points, self.metric());
        let rows = labels.len() / count;
        let task_rows = block_rows(centroids.dims, centroids.len());
        let chunk = task_rows * count;
        let distances = parts(distances, chunk, rows.div_ceil(task_rows))?;
        threads.run_long(
            labels.chunks_mut(chunk).zip(distances).enumerate(),
            Scratch::default,
            |scratch, (task, (labels, mut distances)), poll| {
                let first = task * task_rows;
                let rows = first..first + labels.len() / count;
                let block = points.block(rows, &mut scratch.block)?;
                let mut found = |i: usize, ranked: &[(f64, u32)]| {
                    for (slot, &(distance, j)) in ranked.iter().enumerate() {
                        labels[i * count + slot] = j;
                        if let Some(distances) = distances.as_deref_mut() {
                            distances[i * count + slot] = distance;
                        }
                    }
                };
                match &search {
                    Search::Head(search) => {
                        search.top(first, block, &mut scratch.head, found)?;
                    }
                    Search::Tile(search) => {
                        search.top(block, count, &mut scratch.tile, found)?;
                    }
                    Search::Reference => {
                        let mut ranked = Vec::new();
                        for (i, values) in block.chunks_exact(centroids.dims).enumerate() {
                            let row = Row::new(values, metric);
                            measure_all(&row, centroids, &mut ranked, poll)?;
                            keep_least(&mut ranked, count);
                            found(i, &ranked);
                        }
                    }
                }
                Ok(())
            },
        )
    }

    /// The canonical distance of every row to the centroid that `labels` names.
    pub fn distances(
        &self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        labels: &[u32],
        distances: &mut [f64],
    ) -> Result<()> {
        let (points, metric) = (self.points, self.metric());
        let tasks = labels
            .chunks(TASK_ROWS)
            .zip(distances.chunks_mut(TASK_ROWS))
            .enumerate();
        threads.run_long(tasks, Vec::new, |scratch, (task, (labels, out)), poll| {
            let first = task * TASK_ROWS;
            let rows = first..first + labels.len();
            points.in_blocks(rows, scratch, poll, |at, block| {
                let rows = block.chunks_exact(centroids.dims);
                let labels = labels[at - first..].iter().zip(&mut out[at - first..]);
                for (values, (&label, out)) in rows.zip(labels) {
                    *out = Row::new(values, metric).distance(centroids.row(label as usize));
                }
                Ok(())
            })
        })
    }

    /// The engine for this search, with what it keeps between searches made.
    fn choose_engine(
        &mut self,
        centroids: Centroids<'_>,
        labels: &[u32],
        count: usize,
        threads: &Threads<'_>,
    ) -> Result<Engine> {
        let principal =
            self.eight_bit
                .pays(self.points, centroids.len(), self.calls, self.searches);
        let (dims, clusters) = (centroids.dims, centroids.len());
        let engine = self.shared.setting.choose(dims, clusters, principal);
        self.calls += 1;
        let engine = match engine {
            Engine::Head | Engine::Plain if count > MOST_RANKED => Engine::Tile,
            engine => engine,
        };
        if engine == Engine::Head {
            let query = Query {
                points: self.points,
                frame: &self.shared.frame,
                centroids,
                labels,
                order: None,
                count,
                kernels: self.shared.setting.kernels(),
            };
            let only = self.searches == 1;
            let budget = self.budget();
            self.eight_bit.ready(query, only, budget, threads)?;
        }
        Ok(engine)
    }

    /// What earlier searches among as many centroids tell the next, if there
    /// is memory for it; from when few rows change, for then it tells much.
    fn take_bounds(
        &mut self,
        engine: Engine,
        centroids: Centroids<'_>,
    ) -> Result<Option<Bounds<'a>>> {
        let kept = self.bounds.take();
        let kept = kept.filter(|bounds| bounds.order().len() == centroids.len());
        let pays = self.changed < SETTLED && matches!(engine, Engine::Head | Engine::Plain);
        if kept.is_some() || !pays || centroids.bias.is_some() {
            return Ok(kept);
        }
        let most = self.eight_bit.room_for_bounds(self.points);
        let bounds = Bounds::new(self.points.rows(), centroids, most, self.budget());
        // Where memory is refused, there is more to search.
        Ok(optional(bounds)?.flatten())
    }

    /// Readies an engine for the `count` nearest of these centroids.
    fn prepare<'c>(
        &'c self,
        engine: Engine,
        centroids: Centroids<'c>,
        labels: &[u32],
        order: Option<&[u32]>,
        count: usize,
        threads: &Threads<'_>,
    ) -> Result<Search<'c>> {
        if engine == Engine::Reference {
            return Ok(Search::Reference);
        }
        let (frame, kernels) = (&self.shared.frame, self.shared.setting.kernels());
        if matches!(engine, Engine::Head | Engine::Plain) {
            let query = Query {
                points: self.points,
                frame,
                centroids,
                labels,
                order,
                count,
                kernels,
            };
            if let Some(search) = self.eight_bit.search(engine, query, threads)? {
                return Ok(Search::Head(search));
            }
        }
        let direct = match engine {
            Engine::Direct if count == 1 => Direct::new(frame, self.shared.setting.isa, centroids)?,
            _ => None,
        };
        let search = TileSearch::new(frame, centroids, kernels, count == 1, direct)?;
        Ok(Search::Tile(search))
    }
}

/// What came of assigning sorted rows.
pub(crate) struct SortedPass {
    /// Rows that went to another cluster.
    pub changed: usize,
    pub wrote_labels: bool,
}

/// Some rows that were just assigned, and their labels before and after.
pub(crate) struct Visit<'v> {
    /// The number of the first row.
    pub first: usize,
    pub block: &'v [f32],
    pub before: &'v [u32],
    pub labels: &'v [u32],
}

/// Rows of a block: few bytes and little work, however many dimensions and
/// centroids there are. Divides [`TASK_ROWS`], so that blocks are the same in
/// every search among as many centroids.
fn block_rows(dims: usize, clusters: usize) -> usize {
    let fitting = BLOCK_BYTES / (size_of::<f32>() * dims);
    let quick = BLOCK_WORK / (dims * clusters);
    let least = match dims > MAX_TILE_DIMS {
        true => 1,
        false => BLOCK_ROWS,
    };
    let rows = fitting.min(quick).clamp(least, TASK_ROWS);
    1 << rows.ilog2()
}

/// `count` parts of `len` values, or that many times none.
fn parts<T>(values: Option<&mut [T]>, len: usize, count: usize) -> Result<Vec<Option<&mut [T]>>> {
    match values {
        Some(values) => collect(values.chunks_mut(len).map(Some), "tasks"),
        None => collect((0..count).map(|_| None), "tasks"),
    }
}

/// An engine with its centroids.
#[allow(clippy::large_enum_variant)] // there is one of it
enum Search<'c> {
    Reference,
    Tile(TileSearch<'c>),
    Head(HeadSearch<'c>),
}

impl Search<'_> {
    /// Whether [`Bounds`] tell this search something, and learn from it.
    fn can_bound(&self) -> bool {
        match self {
            Search::Head(search) => search.can_bound(),
            Search::Reference | Search::Tile(_) => false,
        }
    }
}

/// A worker's buffers.
#[derive(Default)]
struct Scratch {
    block: Vec<f32>,
    hints: Vec<u32>,
    tile: TileScratch,
    head: HeadScratch,
}
