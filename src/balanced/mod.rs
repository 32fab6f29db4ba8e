//! Balanced K-means and K-medoids: cluster sizes that differ by no more than
//! `max_balance_diff`, at the least total cost for the centroids.
//!
//! Such an assignment is a nearest-centroid assignment under distance plus a
//! price for each cluster (Aurenhammer, Hoffmann & Aronov, 1998). The prices
//! live on from iteration to iteration:
//!
//! 1. from the first assignment on, sizes are in a [`Window`]: starting
//!    without a bound and narrowing it ends in worse local minima;
//! 2. in each iteration [`prices`] come near, [`transport`] repairs the rest
//!    exactly, the centroids follow, and the window floats to where the
//!    prices pull it;
//! 3. the last assignment, in the best place of the window, has a
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
use crate::nearest::{Nearest, UNASSIGNED};
use crate::threads::{Iteration, Threads};
use crate::update::update_centroids;
use crate::{lloyd, medoids, seeding};
use candidates::{Candidates, Costs};
use prices::Choice;
use std::time::Instant;
use transport::Transport;
use window::Window;

/// Clusters of each row that are looked at before all others: at least the
/// first, up to the second as long as all rows together have no more than
/// the third. Many make few rounds, few make fast ones.
const CANDIDATES: (usize, usize, usize) = (4, 16, 1 << 17);
/// Rounds of sweeps in one iteration, at most.
const MAX_ROUNDS: usize = 12;
/// One row in this many is a lot of rows.
const MANY: usize = 16;
/// So much larger prices than needed leave too few digits of the costs.
const COARSE: f64 = 1e4;

/// Memory beside the data: O(n + k·d), about 130 bytes a row.
///
/// An iteration searches the four nearest centroids of every row, O(n·k·d),
/// and then takes O(n) and about k + violations shortest paths over k nodes.
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
    let mut model = Model::start(nearest, config, threads)?;
    let mut last_inertia = f64::INFINITY;
    while model.n_iter < config.iterations {
        model.n_iter += 1;
        model.float_window();
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
        if converged {
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
    /// By how much the window moves, and whether its last move was up.
    step: usize,
    rising: bool,
    n_iter: usize,
}

impl<'c> Model<'c> {
    fn start(nearest: &mut Nearest<'_>, config: &'c Config, threads: &Threads<'_>) -> Result<Self> {
        let (rows, clusters) = (nearest.points().rows(), config.n_clusters);
        let width = config.max_balance_diff;
        let low = (rows / clusters).saturating_sub(width / 2);
        let (least, most, all) = CANDIDATES;
        let candidates = (all / rows).clamp(least, most).min(clusters);
        Ok(Model {
            config,
            centroids: seeding::seed(nearest, config, threads)?,
            medoids: vec![None; clusters],
            labels: try_vec(UNASSIGNED, rows, "labels")?,
            own: try_vec(0.0, rows, "costs")?,
            margins: try_vec(0.0, rows, "margins")?,
            prices: vec![0.0; clusters],
            candidates: Candidates::new(rows, candidates)?,
            window: Window::near(low, width, rows, clusters),
            step: width.div_ceil(4),
            rising: false,
            n_iter: 0,
        })
    }

    /// Moves the window to where the prices pull.
    fn float_window(&mut self) {
        let (rows, clusters) = (self.labels.len(), self.config.n_clusters);
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
        self.window = Window::near(low, self.config.max_balance_diff, rows, clusters);
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
        let many = choice.labels.len() / MANY;
        // Far from balance, prices only rise: how many rows leave is known,
        // but of those that would come only some have the cluster as candidate.
        let mut only_raise = self.window.violation(&choice.sizes) > many;
        for _ in 0..MAX_ROUNDS {
            let before = prices.clone();
            prices::sweep(
                candidates,
                self.window,
                only_raise,
                threads,
                prices,
                &mut choice,
            )?;
            let falls = before.iter().zip(prices.iter()).map(|(old, new)| old - new);
            candidates.prices_fell(falls.fold(f64::NEG_INFINITY, f64::max));
            let doubtful = candidates.doubtful(prices, choice.labels, choice.costs);
            // Costs that came with huge prices have lost digits.
            let is_coarse = greatest(&before) > COARSE * greatest(prices);
            if !costs.root && (is_coarse || doubtful > many) {
                candidates.fill(nearest, &costs, prices, threads)?;
            } else if doubtful > 0 {
                let (labels, own) = (&mut *choice.labels, &mut *choice.costs);
                candidates.resolve_doubtful(&costs, prices, threads, labels, own)?;
            }
            if doubtful > 0 || is_coarse {
                choice.update(candidates, prices, threads)?;
            }
            if doubtful <= many && !std::mem::take(&mut only_raise) {
                break;
            }
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
