//! Balanced K-means and K-medoids: cluster sizes that differ by no more than
//! `max_balance_diff`, at the least total cost for the centroids.
//!
//! Such an assignment is a nearest-centroid assignment under distance plus a
//! price for each cluster (Aurenhammer, Hoffmann & Aronov, 1998). The prices
//! live on from iteration to iteration:
//!
//! 1. a few iterations of Lloyd's algorithm without bound;
//! 2. a [`Window`] of sizes that shrinks from what came out to what is asked
//!    for; in each iteration [`prices`] come near, [`transport`] repairs the
//!    rest exactly, and the centroids follow;
//! 3. the last assignment, in the best place of the window, with a
//!    [`certificate`] of its optimality.

mod candidates;
mod certificate;
mod exits;
mod medoid;
mod prices;
mod transport;
mod window;

use crate::clusters::Clusters;
use crate::config::Config;
use crate::error::{Result, try_vec};
use crate::fit::Fit;
use crate::nearest::{Centroids, Nearest, UNASSIGNED};
use crate::threads::{Iteration, Threads};
use crate::update::update_centroids;
use crate::{lloyd, medoids, seeding};
use candidates::{Candidates, Costs};
use prices::Choice;
use std::time::Instant;
use transport::Transport;
use window::Window;

/// Clusters of each row that are looked at before all others.
const CANDIDATES: usize = 16;
/// Unbounded iterations to start with, at most.
const FREE_ITERATIONS: usize = 6;
/// What is left of the window's width an iteration later.
const SHRINK: f64 = 0.6;
/// If one row in this many must look at all clusters, all rows do: the search
/// for all at once is the faster one.
const MANY: usize = 16;
/// So much larger prices than needed leave too few digits of the costs.
const COARSE: f64 = 1e4;

/// Memory beside the data: O(n + k·d), about 250 bytes a row.
pub(crate) fn fit(
    nearest: &mut Nearest<'_>,
    config: &Config,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    let rows = nearest.points().rows();
    if config.max_balance_diff >= rows {
        return fit_unbounded(nearest, config, threads, start);
    }
    let mut model = Model::start(nearest, config, threads, start)?;
    let mut last_inertia = f64::INFINITY;
    while model.n_iter < config.iterations {
        model.n_iter += 1;
        model.next_window();
        let changed = model.assign(nearest, threads)?;
        let inertia: f64 = model.own.iter().sum();
        config.report(
            threads,
            Iteration {
                number: model.n_iter,
                inertia,
                changed,
                seconds: start.elapsed().as_secs_f64(),
            },
        )?;
        let gain = last_inertia - inertia;
        let converged = changed == 0 || gain < config.tolerance * last_inertia;
        last_inertia = inertia;
        model.update(nearest, threads)?;
        if converged && model.window.width() <= config.max_balance_diff {
            break;
        }
    }
    model.finish(nearest, threads)
}

/// Any sizes are within the bound: nothing has a price.
fn fit_unbounded(
    nearest: &mut Nearest<'_>,
    config: &Config,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    let mut fit = if config.use_medoids {
        medoids::fit(nearest, config, threads, start)?
    } else {
        let centroids = seeding::seed(nearest, config, threads)?;
        lloyd::fit(nearest, config, centroids, threads, start)?
    };
    fit.prices = Some(vec![0.0; config.n_clusters]);
    fit.balance_gap = Some(0.0);
    Ok(fit)
}

/// Writes the cluster of every row that is cheapest by distance plus price to
/// `labels`.
pub(crate) fn predict(
    nearest: &mut Nearest<'_>,
    config: &Config,
    (centroids, prices): (&[f32], &[f64]),
    threads: &Threads<'_>,
    labels: &mut [u32],
) -> Result<()> {
    let costs = Costs::new(nearest, centroids, config);
    let mut values = try_vec(0.0, labels.len(), "costs")?;
    certificate::cheapest(nearest, &costs, threads, prices, (labels, &mut values))
}

/// What one iteration hands to the next.
struct Model<'c> {
    config: &'c Config,
    centroids: Vec<f32>,
    medoids: Vec<Option<u32>>,
    labels: Vec<u32>,
    /// The cost of every row in its cluster.
    own: Vec<f64>,
    margins: Vec<f64>,
    prices: Vec<f64>,
    candidates: Candidates,
    window: Window,
    /// By what the window's width is multiplied each iteration.
    shrink: f64,
    /// By how much the window moves once it has its final width, and whether
    /// its last move was up.
    step: usize,
    rising: bool,
    n_iter: usize,
}

impl<'c> Model<'c> {
    /// A few iterations without bound.
    fn start(
        nearest: &mut Nearest<'_>,
        config: &'c Config,
        threads: &Threads<'_>,
        start: Instant,
    ) -> Result<Self> {
        let (rows, dims) = (nearest.points().rows(), nearest.points().cols());
        let clusters = config.n_clusters;
        let mut centroids = seeding::seed(nearest, config, threads)?;
        let mut labels = try_vec(UNASSIGNED, rows, "labels")?;
        let mut n_iter = 0;
        let free = Config {
            iterations: FREE_ITERATIONS.min(config.iterations / 4),
            ..config.clone()
        };
        if free.iterations > 0 {
            let fit = lloyd::fit(nearest, &free, centroids, threads, start)?;
            centroids = fit.centroids.into_raw_vec_and_offset().0;
            (labels, n_iter) = (fit.labels, fit.n_iter);
        } else {
            nearest.assign(Centroids::new(&centroids, dims), threads, &mut labels, None)?;
        }
        let sizes = sizes(&labels, clusters);
        let window = match Window::around(&sizes) {
            wide if wide.width() > config.max_balance_diff => wide,
            _ => Window::fitting(&sizes, config.max_balance_diff),
        };
        let ratio = config.max_balance_diff as f64 / window.width() as f64;
        let shrinking = (config.iterations - n_iter) as f64 / 2.0;
        Ok(Model {
            config,
            centroids,
            medoids: vec![None; clusters],
            labels,
            own: try_vec(0.0, rows, "costs")?,
            margins: try_vec(0.0, rows, "margins")?,
            prices: vec![0.0; clusters],
            candidates: Candidates::new(rows, clusters.min(CANDIDATES))?,
            window,
            shrink: SHRINK.min(ratio.powf(1.0 / shrinking)),
            step: config.max_balance_diff.div_ceil(4),
            rising: false,
            n_iter,
        })
    }

    /// A narrower window, or once it is narrow enough, one moved to where the
    /// prices pull.
    fn next_window(&mut self) {
        let (rows, clusters) = (self.labels.len(), self.config.n_clusters);
        let width = self.config.max_balance_diff;
        if self.window.width() > width {
            let narrower = (self.window.width() as f64 * self.shrink) as usize;
            let sizes = sizes(&self.labels, clusters);
            self.window = Window::fitting(&sizes, narrower.max(width));
            return;
        }
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
            true => self.window.low + self.step,
            false => self.window.low.saturating_sub(self.step),
        };
        self.window = Window::near(low, width, rows, clusters);
    }

    /// The best assignment within the window; returns how many labels changed.
    fn assign(&mut self, nearest: &mut Nearest<'_>, threads: &Threads<'_>) -> Result<usize> {
        let mut previous = try_vec(UNASSIGNED, self.labels.len(), "labels")?;
        previous.copy_from_slice(&self.labels);
        let mut transport = self.transport(nearest, threads)?;
        transport.solve(threads)?;
        self.prices = transport.prices();
        let pairs = self.labels.iter().zip(&previous);
        Ok(pairs.filter(|(new, old)| new != old).count())
    }

    /// The transport problem, near its solution: see [`Transport::solve`].
    fn transport<'s, 'p: 's>(
        &'s mut self,
        nearest: &mut Nearest<'p>,
        threads: &Threads<'_>,
    ) -> Result<Transport<'s>> {
        let costs = Costs::new(nearest, &self.centroids, self.config);
        let (candidates, prices) = (&mut self.candidates, &mut self.prices);
        candidates.fill(nearest, &costs, prices, threads)?;
        let mut choice = Choice {
            labels: &mut self.labels,
            costs: &mut self.own,
            margins: &mut self.margins,
            sizes: vec![0; prices.len()],
        };
        choice.update(candidates, prices, threads)?;
        let before = prices.clone();
        prices::sweep(candidates, self.window, threads, prices, &mut choice)?;
        let falls = before.iter().zip(prices.iter()).map(|(old, new)| old - new);
        candidates.prices_fell(falls.fold(f64::NEG_INFINITY, f64::max));
        let doubtful = candidates.doubtful(prices, choice.labels, choice.costs);
        // Costs that came with huge prices have lost digits.
        let is_coarse = greatest(&before) > COARSE * greatest(prices);
        if !costs.root && (is_coarse || doubtful > choice.labels.len() / MANY) {
            candidates.fill(nearest, &costs, prices, threads)?;
            choice.update(candidates, prices, threads)?;
        } else if doubtful > 0 {
            let (labels, own) = (&mut *choice.labels, &mut *choice.costs);
            candidates.resolve_doubtful(&costs, prices, threads, labels, own)?;
        }
        Ok(Transport::new(
            costs,
            candidates,
            &mut self.labels,
            &mut self.own,
            prices,
            self.window,
        ))
    }

    /// Moves the centroids to their rows.
    fn update(&mut self, nearest: &Nearest<'_>, threads: &Threads<'_>) -> Result<()> {
        let (points, metric) = (nearest.points(), nearest.metric());
        let clusters = Clusters::from_labels(&self.labels, 1, self.config.n_clusters)?;
        let centroids = &mut self.centroids;
        if self.config.use_medoids {
            let medoids = &mut self.medoids;
            medoid::update_medoids(points, metric, &clusters, threads, medoids, centroids)
        } else {
            update_centroids(points, metric, &clusters, threads, centroids)
        }
    }

    /// The final assignment and the proof that it is the best.
    fn finish(mut self, nearest: &mut Nearest<'_>, threads: &Threads<'_>) -> Result<Fit> {
        let (rows, clusters) = (self.labels.len(), self.config.n_clusters);
        let width = self.config.max_balance_diff;
        if self.window.width() > width {
            self.window = Window::fitting(&sizes(&self.labels, clusters), width);
        }
        let mut transport = self.transport(nearest, threads)?;
        transport.solve(threads)?;
        let lows = Window::lows(width, rows, clusters);
        let (window, prices) = window::search(transport, lows, threads)?;
        let costs = Costs::new(nearest, &self.centroids, self.config);
        let (labels, own) = (self.labels, self.own);
        let dual = (window, &prices[..]);
        let gap = certificate::relative_gap(nearest, &costs, threads, dual, (&labels, &own))?;
        let medoids = self.medoids.iter().flatten().map(|&row| row as usize);
        Ok(Fit {
            medoids: self.config.use_medoids.then(|| medoids.collect()),
            inertia: own.iter().sum(),
            n_iter: self.n_iter,
            prices: Some(prices),
            balance_gap: Some(gap),
            ..Fit::new(self.centroids, labels, clusters)
        })
    }
}

fn greatest(prices: &[f64]) -> f64 {
    prices.iter().map(|price| price.abs()).fold(0.0, f64::max)
}

fn sizes(labels: &[u32], clusters: usize) -> Vec<usize> {
    let mut sizes = vec![0; clusters];
    for &label in labels {
        sizes[label as usize] += 1;
    }
    sizes
}
