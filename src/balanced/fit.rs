//! The alternation of exact assignments and centroids: see [`super`].

use super::candidates::{Costs, data_changed};
use super::prices::Choice;
use super::prices::sample::{self, PriceSample};
use super::size_bounds::{self, SizeBounds, SlidingBounds};
use super::transport::place::best_place;
use super::transport::{EqualRows, Transport};
use super::{certificate, medoid};
use crate::allocate::{collect, copy, try_vec};
use crate::clusters::Clusters;
use crate::config::Config;
use crate::error::Result;
use crate::fit::Fit;
use crate::kmeans::clustering::{Clustering, Complete};
use crate::kmeans::partition::Partition;
use crate::nearest::{AnyCentroids, Centroids, Nearest};
use crate::threads::{Iteration, Phase, Threads};
use crate::totals::update_centroids;
use std::time::Instant;

/// Approximate iterations end when the inertia falls by less than this
/// fraction, or when one row in so many is too much in its cluster.
const STALLED: f64 = 1e-4;
const TOO_MANY: usize = 4;

/// Prices that change by many orders of magnitude cost digits. A final
/// assignment with a larger gap than this is solved again, from the prices
/// found, up to so many times.
const EXACT: f64 = 1e-9;
const MAX_SOLVED: usize = 3;

/// Memory beside the data: O(n + k·d), 130 to 175 bytes a row at 64 dimensions
/// (750 where few dimensions and long ways make most rows look at all clusters);
/// of longer rows the search keeps codes, a byte a value. `centroids` are the
/// first, n_clusters × dimensions; the settings bound sizes, and the rows can
/// have such.
///
/// The first iterations assign every row, O(n·k·d). An exact one searches the
/// four nearest centroids of every row, and then takes O(n) and about k +
/// violations shortest paths over k nodes.
pub(crate) fn fit(
    nearest: &mut Nearest<'_>,
    config: &Config,
    centroids: Vec<f32>,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    let until = Until {
        goal: f64::INFINITY,
        iterations: config.iterations,
        verbose: config.verbose,
    };
    let fit = fit_until(until, nearest, config, centroids, threads, start)?;
    // Any inertia is below infinity, but not what is no number.
    fit.ok_or_else(data_changed)
}

/// When a run ends, and whether it speaks of its iterations.
#[derive(Clone, Copy)]
pub(super) struct Until {
    pub goal: f64,
    pub iterations: usize,
    pub verbose: bool,
}

/// [`fit`], but gives up, with `None`, once the inertia can come below the goal
/// only if iterations gain more than the last one did.
pub(super) fn fit_until(
    until: Until,
    nearest: &mut Nearest<'_>,
    config: &Config,
    centroids: Vec<f32>,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Option<Fit>> {
    let rows = nearest.points().rows();
    let equal_rows = EqualRows::find(nearest.points(), threads)?;
    let mut model = Model::start(rows, equal_rows, centroids, (config, until))?;
    let labels = match config.use_medoids || nearest.points().is_weighted() {
        true => None,
        false => Some(model.approximate(nearest, threads, start)?),
    };
    let mut choice = Choice::new(rows, config.n_clusters, threads)?;
    choice.labels = labels.unwrap_or(choice.labels);
    let mut last_inertia = f64::INFINITY;
    while model.n_iter < until.iterations {
        model.n_iter += 1;
        model.slide_bounds();
        threads.enter(Phase::Repairing);
        let changed = model.assign(nearest, &mut choice, threads)?;
        let inertia: f64 = choice.costs.iter().sum();
        model.report(threads, start, changed, inertia)?;
        let gain = last_inertia - inertia;
        let left = (until.iterations - model.n_iter) as f64;
        if inertia - left * gain.max(0.0) > until.goal {
            return Ok(None);
        }
        let converged = changed == 0 || gain < config.tolerance * last_inertia;
        last_inertia = inertia;
        model.update(nearest, &choice, threads)?;
        if converged || threads.stopping() {
            break;
        }
    }
    threads.enter(Phase::Labelling);
    model.finish(nearest, choice, threads).map(Some)
}

/// What one iteration hands to the next.
struct Model<'c> {
    config: &'c Config,
    until: Until,
    equal_rows: EqualRows,
    centroids: Vec<f32>,
    medoids: Vec<Option<u32>>,
    prices: Vec<f64>,
    sliding: SlidingBounds,
    bounds: SizeBounds,
    /// By how much the bounds move, and whether their last move was up.
    step: usize,
    rising: bool,
    n_iter: usize,
}

impl<'c> Model<'c> {
    fn start(
        rows: usize,
        equal_rows: EqualRows,
        centroids: Vec<f32>,
        (config, until): (&'c Config, Until),
    ) -> Result<Self> {
        let clusters = config.n_clusters;
        let sliding = SlidingBounds::new(config, rows);
        let low = (rows / clusters).saturating_sub(sliding.width / 2);
        Ok(Model {
            config,
            until,
            equal_rows,
            centroids,
            medoids: try_vec(None, clusters, "medoids")?,
            prices: try_vec(0.0, clusters, "prices")?,
            sliding,
            bounds: sliding.near(low),
            step: sliding.width.div_ceil(4),
            rising: false,
            n_iter: 0,
        })
    }

    /// Iterations whose sizes are about right, as long as they pay. Returns
    /// the labels of the last.
    fn approximate(
        &mut self,
        nearest: &mut Nearest<'_>,
        threads: &Threads<'_>,
        start: Instant,
    ) -> Result<Vec<u32>> {
        threads.enter(Phase::Iterating);
        let points = nearest.points();
        let rows = points.rows();
        let drawn = sample::draw(points, self.config, threads)?;
        let sampled = points.select(&drawn);
        let mut sample_nearest = nearest.child(&sampled, self.config.iterations);
        let first = Centroids::new(&self.centroids, points.cols());
        let mut partition = Partition::new(nearest, first, threads)?;
        let mut sample = PriceSample::new(drawn.len(), rows, self.config.n_clusters, threads)?;
        let mut last_inertia = f64::INFINITY;
        let mut stalled = false;
        loop {
            if sample.can_see(self.bounds.width()) {
                self.slide_bounds();
            }
            let costs = Costs::new(&sample_nearest, &self.centroids, self.config)?;
            let prices = &mut self.prices;
            sample.balance(&mut sample_nearest, &costs, self.bounds, prices, threads)?;
            if stalled || self.n_iter == self.until.iterations || threads.stopping() {
                // Good prices for an exact assignment.
                break;
            }
            let centroids = Centroids::new(&self.centroids, points.cols());
            let changed = partition.assign(centroids.with_bias(prices), threads)?;
            let sizes = &partition.totals().counts;
            let each_bounds = try_vec(self.bounds, sizes.len(), "size bounds")?;
            if size_bounds::violation(&each_bounds, sizes) > rows / TOO_MANY {
                break;
            }
            self.n_iter += 1;
            sample.compare(sizes);
            let inertia = partition.inertia(centroids, threads)?;
            self.report(threads, start, changed, inertia)?;
            let totals = partition.totals();
            totals.write_centroids(&mut self.centroids, threads)?;
            if sample::is_much_work(points, self.config) {
                let costs = Costs::new(&sample_nearest, &self.centroids, self.config)?;
                sample.follow(&costs, &mut self.prices, threads)?;
            }
            let gain = last_inertia - inertia;
            stalled = changed == 0 || gain < STALLED * last_inertia;
            last_inertia = inertia;
        }
        partition.into_labels(threads)
    }

    fn report(
        &self,
        threads: &Threads<'_>,
        start: Instant,
        changed: usize,
        inertia: f64,
    ) -> Result<()> {
        let iteration = Iteration {
            number: self.n_iter,
            inertia,
            changed,
            seconds: start.elapsed().as_secs_f64(),
        };
        match self.until.verbose {
            true => self.config.report(threads, iteration),
            false => threads.report(&iteration),
        }
    }

    /// Moves the bounds to where the prices pull.
    fn slide_bounds(&mut self) {
        // A positive sum means that the upper bound costs more than the lower.
        let slope: f64 = self.prices.iter().sum();
        if slope == 0.0 {
            return;
        }
        let rising = slope > 0.0;
        if rising != self.rising {
            self.step /= 2;
        }
        self.rising = rising;
        let low = match rising {
            true => self.bounds.low + self.step,
            false => self.bounds.low.saturating_sub(self.step),
        };
        self.bounds = self.sliding.near(low);
    }

    /// The best assignment within the bounds; returns how many labels changed.
    fn assign(
        &mut self,
        nearest: &mut Nearest<'_>,
        choice: &mut Choice,
        threads: &Threads<'_>,
    ) -> Result<usize> {
        let previous = copy(&choice.labels, "labels")?;
        threads.poll()?;
        let mut transport = self.transport(nearest, choice, threads)?;
        transport.solve(threads)?;
        self.prices = transport.end(threads)?;
        let pairs = choice.labels.iter().zip(&previous);
        Ok(pairs.filter(|(new, old)| new != old).count())
    }

    /// The transport problem, near its solution: see [`Transport::solve`].
    fn transport<'s, 'p: 's>(
        &'s mut self,
        nearest: &mut Nearest<'p>,
        choice: &'s mut Choice,
        threads: &Threads<'_>,
    ) -> Result<Transport<'s>> {
        let costs = Costs::new(nearest, &self.centroids, self.config)?;
        let each_bounds = try_vec(self.bounds, self.prices.len(), "size bounds")?;
        let target = (&each_bounds[..], self.bounds);
        choice.balance_by_part(nearest, &costs, target, &mut self.prices, threads)?;
        let dual = (&self.prices[..], self.bounds);
        Transport::new(costs, choice, &self.equal_rows, dual, threads)
    }

    /// Moves the centroids to their rows, and the prices with them.
    fn update(
        &mut self,
        nearest: &Nearest<'_>,
        choice: &Choice,
        threads: &Threads<'_>,
    ) -> Result<()> {
        let (points, metric) = (nearest.points(), nearest.metric());
        let clusters = Clusters::from_labels(&choice.labels, 1, self.config.n_clusters, threads)?;
        let centroids = &mut self.centroids;
        update_centroids(
            points,
            nearest.grid(threads)?,
            &clusters,
            threads,
            centroids,
        )?;
        if self.config.use_medoids {
            let medoids = &mut self.medoids;
            medoid::update_medoids(points, metric, &clusters, threads, medoids, centroids)?;
        }
        let costs = Costs::new(nearest, &self.centroids, self.config)?;
        choice.follow(&costs, &mut self.prices, threads)
    }

    /// The final assignment and the proof that it is the best.
    fn finish(
        mut self,
        nearest: &mut Nearest<'_>,
        mut choice: Choice,
        threads: &Threads<'_>,
    ) -> Result<Fit> {
        let sliding = self.sliding;
        let mut gap = f64::INFINITY;
        for _ in 0..MAX_SOLVED {
            let mut transport = self.transport(nearest, &mut choice, threads)?;
            transport.solve(threads)?;
            (self.bounds, self.prices) = best_place(transport, sliding, threads)?;
            let costs = Costs::new(nearest, &self.centroids, self.config)?;
            let dual = (self.bounds, &self.prices[..]);
            let assignment = (&choice.labels[..], &choice.costs[..]);
            gap = certificate::relative_gap(nearest, &costs, threads, dual, assignment)?;
            if gap <= EXACT {
                break;
            }
        }
        // So that they are distances, for rows that weigh what is usual.
        let points = nearest.points();
        if points.is_weighted() {
            let total: f64 = (0..points.rows()).map(|row| points.weight(row)).sum();
            let mean = total / points.rows() as f64;
            self.prices.iter_mut().for_each(|price| *price /= mean);
        }
        let medoids = self.medoids.iter().flatten().map(|&row| row as usize);
        let medoids = match self.config.use_medoids {
            true => Some(collect(medoids, "medoids")?),
            false => None,
        };
        Ok(Fit {
            medoids,
            inertia: choice.costs.iter().sum(),
            n_iter: self.n_iter,
            prices: Some(self.prices),
            balance_gap: Some(gap),
            ..Fit::new(
                AnyCentroids::of_values(self.centroids, self.config.n_clusters)?,
                choice.labels,
                self.config.n_clusters,
            )?
        })
    }
}
