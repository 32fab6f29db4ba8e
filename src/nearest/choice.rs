//! Which engine serves a search, and its readying.

use crate::allocate::optional;
use crate::error::Result;
use crate::nearest::Nearest;
use crate::nearest::eight_bit::bounds::Bounds;
use crate::nearest::eight_bit::search::top::MOST as MOST_RANKED;
use crate::nearest::eight_bit::search::{CodeSearch, Query};
use crate::nearest::engine::Engine;
use crate::nearest::float32::TileSearch;
use crate::nearest::float32::few_centroids::FewSearch;
use crate::nearest::vectors::Centroids;
use crate::threads::Threads;

/// So few rows are compared in float32.
const FEW_ROWS: usize = 128;

/// Distance bounds are kept once a search changes fewer labels than this.
const SETTLED: f64 = 0.15;

impl<'a> Nearest<'a> {
    /// The engine for this search, with what it keeps between searches made.
    pub(super) fn choose_engine(
        &mut self,
        centroids: Centroids<'_>,
        labels: &[u32],
        count: usize,
        threads: &Threads<'_>,
    ) -> Result<Engine> {
        let (dims, clusters) = (centroids.dims, centroids.len());
        let setting = self.shared.setting;
        let mut engine = setting.choose(dims, clusters);
        let calls = self.calls;
        self.calls += 1;
        if matches!(engine, Engine::Principal | Engine::EightBit) {
            let free = setting.engine.is_none();
            // For few rows centroids in 8 bits take longer to make than to compare.
            if count > MOST_RANKED || free && self.points.rows() < FEW_ROWS {
                return Ok(Engine::Float32);
            }
            self.eight_bit.set_up(dims)?;
            let searches = surely(calls, self.searches);
            if free && self.eight_bit.pays(self.points, centroids, searches) {
                engine = Engine::Principal;
            }
            let query = Query {
                points: self.points,
                affine: &self.shared.affine,
                centroids,
                labels,
                order: None,
                count,
                kernels: setting.kernels(),
            };
            let only = self.searches == 1;
            let budget = self.shared.budget();
            let ready = (engine, only, searches);
            self.eight_bit.ready(query, ready, budget, threads)?;
        }
        Ok(engine)
    }

    /// What earlier searches among as many centroids tell the next, if there
    /// is memory for it; from when few rows change, for then it tells much.
    pub(super) fn take_bounds(
        &mut self,
        engine: Engine,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<Option<Bounds>> {
        let kept = self.bounds.take();
        let kept = kept.filter(|bounds| bounds.order().len() == centroids.len());
        let pays = self.changed < SETTLED && self.eight_bit.can_bound(engine);
        if kept.is_some() || !pays || centroids.bias.is_some() {
            return Ok(kept);
        }
        let most = self.eight_bit.room_for_bounds(self.points);
        let room = (most, self.shared.budget());
        let rows = self.points.rows();
        let bounds = Bounds::new(rows, centroids, room, &mut self.groups, threads);
        // Where memory is refused, there is more to search.
        Ok(optional(bounds)?.flatten())
    }

    /// Tries the engine on a sample of the rows, if that tells how to search.
    pub(super) fn try_out(
        &mut self,
        engine: Engine,
        centroids: Centroids<'_>,
        (labels, order, count): (&[u32], Option<&[u32]>, usize),
        threads: &Threads<'_>,
    ) -> Result<()> {
        if !matches!(engine, Engine::Principal | Engine::EightBit) {
            return Ok(());
        }
        let query = Query {
            points: self.points,
            affine: &self.shared.affine,
            centroids,
            labels,
            order,
            count,
            kernels: self.shared.setting.kernels(),
        };
        self.eight_bit.choose(engine, query, threads)
    }

    /// Readies an engine for the `count` nearest of these centroids.
    pub(super) fn prepare<'c>(
        &'c self,
        engine: Engine,
        centroids: Centroids<'c>,
        count: usize,
        threads: &Threads<'_>,
    ) -> Result<Search<'c>> {
        if engine == Engine::BruteForce {
            return Ok(Search::BruteForce);
        }
        let (affine, kernels) = (&self.shared.affine, self.shared.setting.kernels());
        if matches!(engine, Engine::Principal | Engine::EightBit)
            && let Some(search) = self.eight_bit.search((affine, kernels), centroids, count)
        {
            return Ok(Search::Codes(search));
        }
        let few = match engine {
            Engine::FewCentroids if count == 1 => {
                FewSearch::new(affine, self.shared.setting.isa, centroids)?
            }
            _ => None,
        };
        let search = TileSearch::new(affine, centroids, kernels, (count == 1, few), threads)?;
        Ok(Search::Float32(search))
    }
}

/// How many searches will surely come, where `expected` are in all, though there may be fewer,
/// and `calls` were: half of what is left, and more if as much came before.
fn surely(calls: usize, expected: usize) -> f64 {
    let left = match expected > calls {
        true => (expected - calls) as f64,
        false => calls as f64,
    };
    (0.5 * left).max((calls as f64).min(left)).max(1.0)
}

/// An engine with its centroids.
#[allow(clippy::large_enum_variant)] // there is one of it
pub(super) enum Search<'c> {
    BruteForce,
    Float32(TileSearch<'c>),
    Codes(CodeSearch<'c>),
}

impl Search<'_> {
    /// Whether [`Bounds`] tell this search something, and learn from it.
    pub fn can_bound(&self) -> bool {
        match self {
            Search::Codes(search) => search.can_bound(),
            Search::BruteForce | Search::Float32(_) => false,
        }
    }
}
