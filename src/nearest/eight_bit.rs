//! What the 8-bit engines keep between searches.

use super::codes::{Coder, RowCodes, SMALL};
use super::engine::{Engine, Setting};
use super::frame::Frame;
use super::head::{HeadSearch, Query, Source};
use super::level::cost;
use super::tile::Kernels;
use crate::error::Result;
use crate::points::Points;
use crate::threads::Threads;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) struct EightBit {
    setting: Setting,
    plain: Coder,
    principal: Principal,
    /// Principal codes are not worth another try.
    hopeless: AtomicBool,
}

/// Codes that cost that many times as much as float32 tiles are not tried
/// again.
const HOPELESS: f64 = 4.0;

/// The rows in 8 bits, made when they first pay.
enum Principal {
    Untried,
    /// They would take too much memory.
    Refused,
    Made(Box<(Coder, RowCodes)>),
}

impl EightBit {
    pub fn new(points: &Points<'_>, setting: Setting) -> Self {
        EightBit {
            setting,
            plain: Coder::plain(points.cols(), Kernels::new(setting.isa)),
            principal: Principal::Untried,
            hopeless: AtomicBool::new(false),
        }
    }

    /// Whether the codes of all rows are there, or likely worth their making for
    /// searches among so many centroids. `calls`: searches so far; `expected`:
    /// in all, though there may be fewer.
    pub fn pays(
        &self,
        points: &Points<'_>,
        centroids: usize,
        calls: usize,
        expected: usize,
    ) -> bool {
        if matches!(self.principal, Principal::Made(_)) {
            return true;
        }
        let (isa, dims) = (self.setting.isa, points.cols());
        let saved = cost::saved_by_codes(isa, dims, centroids);
        let price = cost::making_codes(isa, dims, points.rows());
        let remaining = match expected > calls {
            true => (expected - calls) as f64,
            false => calls as f64,
        };
        // Half of what is expected will surely come, and more if as much came
        // before.
        let surely = (0.5 * remaining).max((calls as f64).min(remaining));
        saved * surely.max(1.0) >= price
    }

    /// Makes the codes of all rows in at most `limit` bytes, unless that was
    /// tried before.
    pub fn ready(
        &mut self,
        points: &Points<'_>,
        frame: &Frame,
        limit: u64,
        threads: &Threads<'_>,
    ) -> Result<()> {
        if matches!(self.principal, Principal::Untried) {
            self.principal = Principal::Refused;
            let kernels = Kernels::new(self.setting.isa);
            if let Some(coder) = Coder::principal(points, frame, kernels, threads)?
                && let Some(codes) = RowCodes::of_points(points, frame, &coder, limit, threads)?
            {
                self.principal = Principal::Made(Box::new((coder, codes)));
            }
        }
        Ok(())
    }

    /// Bytes that [`Bounds`](super::bounds::Bounds) may take: with the codes,
    /// a byte for each value of the data, or [`SMALL`].
    pub fn room_for_bounds(&self, points: &Points<'_>, limit: u64) -> u64 {
        let codes = match &self.principal {
            Principal::Made(made) => made.1.bytes(),
            Principal::Untried | Principal::Refused => 0,
        };
        let most = SMALL.max(points.rows() as u64 * points.cols() as u64);
        most.min(limit).saturating_sub(codes)
    }

    /// A search by the kind of codes that makes it fastest; `None` if float32
    /// tiles are likely faster than both.
    pub fn search<'c>(
        &'c self,
        engine: Engine,
        query: Query<'_, 'c>,
        threads: &Threads<'_>,
    ) -> Result<Option<HeadSearch<'c>>> {
        let search = |coder, source| HeadSearch::new(query, (coder, source), threads);
        let mut least = HeadSearch::tile_cost(query.centroids, query.kernels);
        let mut best = None;
        let forced = self.setting.engine == Some(Engine::Head);
        if let (Engine::Head, Principal::Made(made)) = (engine, &self.principal)
            && (forced || !self.hopeless.load(Ordering::Relaxed))
        {
            let (coder, codes) = &**made;
            let (found, cost) = search(coder, Source::Kept(codes))?;
            let hopeless = cost > HOPELESS * least;
            self.hopeless.store(hopeless, Ordering::Relaxed);
            if cost < least || forced {
                (least, best) = (cost, Some(found));
            }
        }
        let forced = self.setting.engine == Some(Engine::Plain);
        if forced || HeadSearch::least_cost(&self.plain, query.centroids) < least {
            let (found, cost) = search(&self.plain, Source::Made)?;
            if cost < least || forced {
                best = Some(found);
            }
        }
        Ok(best)
    }
}
