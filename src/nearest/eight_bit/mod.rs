//! What the 8-bit engines keep between searches.

pub(in crate::nearest) mod bounds;
pub(in crate::nearest) mod codes;
mod depth;
pub(in crate::nearest) mod kept;
mod principal;
mod rates;
pub(in crate::nearest) mod search;

use crate::allocate::optional;
use crate::error::Result;
use crate::memory::{Budget, Reserved};
use crate::nearest::eight_bit::codes::{Coder, RowCodes, small};
use crate::nearest::eight_bit::depth::cost;
use crate::nearest::eight_bit::search::{CodeSearch, Query, Source};
use crate::nearest::engine::{Engine, Setting};
use crate::owned::TryArc;
use crate::points::Points;
use crate::threads::Threads;
use std::sync::atomic::{AtomicBool, Ordering};

pub(in crate::nearest) struct EightBit {
    setting: Setting,
    /// Of the dimensions as they are, once there was a search by codes.
    plain: Option<TryArc<Coder>>,
    all_rows: AllRows,
    /// Of the principal coordinates, once it was made.
    coder: Option<TryArc<Coder>>,
    /// Principal codes are not worth another try.
    hopeless: AtomicBool,
}

/// Codes that cost that many times as much as float32 tiles are not tried
/// again.
const HOPELESS: f64 = 4.0;

/// The rows in 8 bits, made when they first pay: their principal coordinates, or where whole
/// tiles are multiplied the dimensions as they are.
#[allow(clippy::large_enum_variant)] // there is one of it
enum AllRows {
    Untried,
    /// They would take too much memory.
    Refused,
    Made(TryArc<Coder>, RowCodes, Reserved),
}

impl EightBit {
    pub fn new(setting: Setting) -> Self {
        EightBit {
            setting,
            plain: None,
            all_rows: AllRows::Untried,
            coder: None,
            hopeless: AtomicBool::new(false),
        }
    }

    /// For searches by codes of `dims` dimensions; the first time this may ask the system
    /// for AMX.
    pub fn set_up(&mut self, dims: usize) -> Result<()> {
        if self.plain.is_none() {
            let (kernels, products) = (self.setting.kernels(), self.setting.products());
            let coder = Coder::plain(dims, kernels, products);
            self.plain = Some(TryArc::new(coder, "8-bit codes")?);
        }
        Ok(())
    }

    /// Whether whole tiles are multiplied, so quickly that all dimensions and all
    /// centroids are compared.
    fn in_tiles(&self) -> bool {
        self.plain
            .as_ref()
            .is_some_and(|plain| plain.products.in_tiles())
    }

    /// Whether searches by an engine can tell the next what it need not compare.
    pub fn can_bound(&self, engine: Engine) -> bool {
        match engine {
            Engine::Principal => true,
            Engine::EightBit => !self.in_tiles(),
            _ => false,
        }
    }

    /// The way to principal coordinates that was found.
    pub fn coder(&self) -> Option<TryArc<Coder>> {
        self.coder.clone()
    }

    /// Takes what was found among other rows of the same kind.
    pub fn set_coder(&mut self, coder: Option<TryArc<Coder>>) {
        self.coder = coder;
    }

    /// Whether the principal coordinates of all rows are there, or likely worth their
    /// making for searches among so many centroids. `calls`: searches so far; `expected`:
    /// in all, though there may be fewer.
    pub fn pays(
        &self,
        points: &Points<'_>,
        centroids: usize,
        calls: usize,
        expected: usize,
    ) -> bool {
        if self.in_tiles() {
            return false;
        }
        if matches!(self.all_rows, AllRows::Made(..)) {
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

    /// Makes the codes of all rows if the budget has room for them, unless that
    /// was tried before. If the query is the `only` one, a sample must promise that
    /// they pay.
    pub fn ready(
        &mut self,
        query: Query<'_, '_>,
        (engine, only): (Engine, bool),
        budget: &Budget,
        threads: &Threads<'_>,
    ) -> Result<()> {
        let plain = self.in_tiles() && engine == Engine::EightBit;
        let pays = engine == Engine::Principal || plain && !only;
        if !pays || !matches!(self.all_rows, AllRows::Untried) {
            return Ok(());
        }
        self.all_rows = AllRows::Refused;
        // Where memory is refused, there are other engines.
        let made = match plain {
            true => self.make_plain(query, budget, threads),
            false => self.make_principal(query, only, budget, threads),
        };
        optional(made).map(drop)
    }

    /// The dimensions as they are, unless a sample says that float32 is faster.
    fn make_plain(
        &mut self,
        query: Query<'_, '_>,
        budget: &Budget,
        threads: &Threads<'_>,
    ) -> Result<()> {
        let Some(coder) = self.plain.clone() else {
            return Ok(());
        };
        let (points, affine) = (query.points, query.affine);
        let bytes = RowCodes::bytes_for_plain(points, affine.metric, &coder);
        if let Some(reserved) = bytes.and_then(|bytes| budget.try_reserve(bytes)) {
            let (_, cost) = CodeSearch::new(query, (&coder, Source::Made), threads)?;
            let forced = self.setting.engine.is_some();
            if forced || cost < CodeSearch::tile_cost(query.centroids, query.kernels) {
                let codes = RowCodes::of_points(points, affine, &coder, threads)?;
                self.all_rows = AllRows::Made(coder, codes, reserved);
            }
        }
        Ok(())
    }

    fn make_principal(
        &mut self,
        query: Query<'_, '_>,
        only: bool,
        budget: &Budget,
        threads: &Threads<'_>,
    ) -> Result<()> {
        let (points, affine) = (query.points, query.affine);
        let Some(_making) = budget.try_reserve(Coder::bytes_to_make(points)) else {
            return Ok(());
        };
        let coder = match self.coder.take() {
            Some(coder) => coder,
            None => match Coder::principal(points, affine, query.kernels, threads)? {
                Some(coder) => TryArc::new(coder, "8-bit codes")?,
                None => return Ok(()),
            },
        };
        self.coder = Some(coder.clone());
        let forced = self.setting.engine == Some(Engine::Principal);
        if only && !forced && !self.promises(&coder, query, threads)? {
            return Ok(());
        }
        let bytes = RowCodes::bytes_for(points, affine.metric, &coder);
        if let Some(reserved) = bytes.and_then(|bytes| budget.try_reserve(bytes)) {
            let codes = RowCodes::of_points(points, affine, &coder, threads)?;
            self.all_rows = AllRows::Made(coder, codes, reserved);
        }
        Ok(())
    }

    /// Whether these codes save more in a search than it takes to make them.
    fn promises(&self, coder: &Coder, query: Query<'_, '_>, threads: &Threads<'_>) -> Result<bool> {
        let mut others = CodeSearch::tile_cost(query.centroids, query.kernels);
        if let Some(plain) = &self.plain
            && CodeSearch::least_cost(plain, query.centroids) < others
        {
            let (_, cost) = CodeSearch::new(query, (plain, Source::Made), threads)?;
            others = others.min(cost);
        }
        let (_, cost) = CodeSearch::new(query, (coder, Source::Made), threads)?;
        let dims = query.centroids.dims;
        Ok(others - cost > cost::coding(self.setting.isa, dims, coder.leading))
    }

    /// Bytes that [`Bounds`](super::bounds::Bounds) may take: with the codes,
    /// a byte for each value of the data, or [`small`].
    pub fn room_for_bounds(&self, points: &Points<'_>) -> u64 {
        let codes = match &self.all_rows {
            AllRows::Made(_, _, reserved) => reserved.bytes(),
            AllRows::Untried | AllRows::Refused => 0,
        };
        let most = small(points).max(points.rows() as u64 * points.cols() as u64);
        most.saturating_sub(codes)
    }

    /// A search by the kind of codes that makes it fastest; `None` if float32
    /// tiles are likely faster than both.
    pub fn search<'c>(
        &'c self,
        engine: Engine,
        query: Query<'_, 'c>,
        threads: &Threads<'_>,
    ) -> Result<Option<CodeSearch<'c>>> {
        let search = |coder, source| CodeSearch::new(query, (coder, source), threads);
        let forced = |engine| self.setting.engine == Some(engine);
        let mut least = CodeSearch::tile_cost(query.centroids, query.kernels);
        let mut best = None;
        if let (Engine::Principal, AllRows::Made(coder, codes, _)) = (engine, &self.all_rows)
            && (forced(Engine::Principal) || !self.hopeless.load(Ordering::Relaxed))
        {
            let (found, cost) = search(coder, Source::Kept(codes))?;
            let hopeless = cost > HOPELESS * least;
            self.hopeless.store(hopeless, Ordering::Relaxed);
            if forced(Engine::Principal) {
                return Ok(Some(found));
            }
            if cost < least {
                (least, best) = (cost, Some(found));
            }
        }
        let forced = forced(Engine::EightBit);
        if let Some(plain) = &self.plain
            && (forced || CodeSearch::least_cost(plain, query.centroids) < least)
        {
            let source = match &self.all_rows {
                AllRows::Made(_, codes, _) if plain.products.in_tiles() => Source::Kept(codes),
                _ => Source::Made,
            };
            let (found, cost) = search(plain, source)?;
            if cost < least || forced {
                best = Some(found);
            }
        }
        Ok(best)
    }
}
