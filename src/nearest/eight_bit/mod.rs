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
use crate::kernels::tile::Kernels;
use crate::memory::{Budget, Reserved};
use crate::nearest::eight_bit::codes::{Coder, RowCodes, small};
use crate::nearest::eight_bit::depth::cost;
use crate::nearest::eight_bit::search::setup::{Tried, time_tiles};
use crate::nearest::eight_bit::search::{CodeSearch, Query, Source};
use crate::nearest::engine::{Engine, Setting};
use crate::nearest::scores::AffineMap;
use crate::nearest::vectors::Centroids;
use crate::owned::TryArc;
use crate::points::Points;
use crate::threads::Threads;

pub(in crate::nearest) struct EightBit {
    setting: Setting,
    /// Of the dimensions as they are, once there was a search by codes.
    plain: Option<TryArc<Coder>>,
    all_rows: AllRows,
    /// Of the principal coordinates, once it was made.
    coder: Option<TryArc<Coder>>,
    /// Principal codes are not worth another try.
    hopeless: bool,
    /// What was tried for the search to come, by both kinds of codes.
    tried_plain: Option<Tried>,
    tried_principal: Option<Tried>,
    /// The kind of codes that serves it.
    chosen: Option<Engine>,
    /// For so many centroids of each row: what float32 tiles take over what they were
    /// expected to.
    tiles: Option<(usize, f64)>,
}

/// Codes that cost that many times as much as float32 tiles are not tried
/// again.
const HOPELESS: f64 = 4.0;

/// Float32 tiles are tried where codes take longer than these are expected to, at best, but
/// no more than so many times as long.
const CLOSE: f64 = 2.0;

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
            hopeless: false,
            tried_plain: None,
            tried_principal: None,
            chosen: None,
            tiles: None,
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
    /// making for so many `searches` among these centroids.
    pub fn pays(&self, points: &Points<'_>, centroids: Centroids<'_>, searches: f64) -> bool {
        match &self.all_rows {
            AllRows::Made(coder, ..) => !coder.products.in_tiles(),
            AllRows::Refused => false,
            AllRows::Untried if self.in_tiles() => false,
            AllRows::Untried => {
                let tiles = CodeSearch::tile_cost(centroids, self.setting.kernels());
                self.may_save(points, centroids, tiles, searches)
            }
        }
    }

    /// Makes the codes of all rows if the budget has room for them, unless that
    /// was tried before. `searches` will surely come; if there is but one, or codes that are
    /// multiplied in tiles are the others, a sample must promise that principal ones pay.
    pub fn ready(
        &mut self,
        query: Query<'_, '_>,
        (engine, only, searches): (Engine, bool, f64),
        budget: &Budget,
        threads: &Threads<'_>,
    ) -> Result<()> {
        for tried in [&mut self.tried_plain, &mut self.tried_principal] {
            tried.iter_mut().for_each(|tried| tried.is_over = true);
        }
        let plain = self.in_tiles() && engine == Engine::EightBit;
        let pays = engine == Engine::Principal || plain && !only;
        if !pays || !matches!(self.all_rows, AllRows::Untried) {
            return Ok(());
        }
        self.all_rows = AllRows::Refused;
        let free = self.setting.engine.is_none();
        // Where memory is refused, there are other engines.
        let made = if plain {
            self.make_plain(query, searches, budget, threads)
        } else if only && free {
            let others = self.without_principal(query, threads)?;
            self.make_principal(query, (others, 1.0), budget, threads)
        } else {
            self.make_principal(query, (f64::INFINITY, searches), budget, threads)
        };
        optional(made).map(drop)
    }

    /// The dimensions as they are, unless a sample says that principal codes or float32
    /// are faster.
    fn make_plain(
        &mut self,
        query: Query<'_, '_>,
        searches: f64,
        budget: &Budget,
        threads: &Threads<'_>,
    ) -> Result<()> {
        let Some(coder) = self.plain.clone() else {
            return Ok(());
        };
        let (points, affine) = (query.points, query.affine);
        let bytes = RowCodes::bytes_for_plain(points, affine.metric, &coder);
        if let Some(reserved) = bytes.and_then(|bytes| budget.try_reserve(bytes)) {
            let tried = try_out(&mut self.tried_plain, query, &coder, f64::INFINITY, threads)?;
            let cost = tried.cost_kept(&coder);
            let free = self.setting.engine.is_none();
            if free && self.may_save(points, query.centroids, cost, searches) {
                self.make_principal(query, (cost, searches), budget, threads)?;
                if matches!(self.all_rows, AllRows::Made(..)) {
                    return Ok(());
                }
            }
            if !free || cost < self.tile_cost(query, cost, threads)? {
                let codes = RowCodes::of_points(points, affine, &coder, threads)?;
                self.all_rows = AllRows::Made(coder, codes, reserved);
            }
        }
        Ok(())
    }

    /// `others`: what a row takes in each of so many searches without them; where that is known
    /// a sample must promise that they pay.
    fn make_principal(
        &mut self,
        query: Query<'_, '_>,
        (others, searches): (f64, f64),
        budget: &Budget,
        threads: &Threads<'_>,
    ) -> Result<()> {
        let (points, affine) = (query.points, query.affine);
        let (isa, dims) = (self.setting.isa, points.cols());
        let Some(_making) = budget.try_reserve(Coder::bytes_to_make(points)) else {
            return Ok(());
        };
        let coder = match self.coder.take() {
            Some(coder) => coder,
            None if !self.may_save(points, query.centroids, others, searches) => return Ok(()),
            None => match Coder::principal(points, affine, query.kernels, threads)? {
                Some(coder) => TryArc::new(coder, "8-bit codes")?,
                None => return Ok(()),
            },
        };
        self.coder = Some(coder.clone());
        if others.is_finite() {
            let limit = others - cost::coding(isa, dims, coder.leading) / searches;
            let tried = try_out(&mut self.tried_principal, query, &coder, limit, threads)?;
            if tried.cost_kept(&coder) > limit {
                return Ok(());
            }
        }
        let bytes = RowCodes::bytes_for(points, affine.metric, &coder);
        if let Some(reserved) = bytes.and_then(|bytes| budget.try_reserve(bytes)) {
            let codes = RowCodes::of_points(points, affine, &coder, threads)?;
            self.all_rows = AllRows::Made(coder, codes, reserved);
        }
        Ok(())
    }

    /// What a row takes without principal coordinates.
    fn without_principal(&mut self, query: Query<'_, '_>, threads: &Threads<'_>) -> Result<f64> {
        let tiles = CodeSearch::tile_cost(query.centroids, query.kernels);
        match &self.plain {
            Some(plain) if CodeSearch::least_cost(plain, query.centroids) < tiles => {
                let tried = try_out(&mut self.tried_plain, query, plain, f64::INFINITY, threads)?;
                let cost = tried.cost_made(plain);
                Ok(self.tile_cost(query, cost, threads)?.min(cost))
            }
            _ => Ok(tiles),
        }
    }

    /// Whether principal coordinates may save what their making takes in so many searches, in
    /// each of which a row takes so much without.
    fn may_save(
        &self,
        points: &Points<'_>,
        centroids: Centroids<'_>,
        others: f64,
        searches: f64,
    ) -> bool {
        let (isa, dims) = (self.setting.isa, points.cols());
        let least = cost::least_by_principal(isa, dims, centroids.len());
        (others - least) * searches >= cost::making_codes(isa, dims, points.rows())
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

    /// Tries a search by both kinds of codes on a sample, and chooses what makes it
    /// fastest, be it float32 tiles.
    pub fn choose(
        &mut self,
        engine: Engine,
        query: Query<'_, '_>,
        threads: &Threads<'_>,
    ) -> Result<()> {
        self.chosen = self.setting.engine;
        if self.chosen.is_some() {
            return self.try_forced(query, threads);
        }
        let tiles = CodeSearch::tile_cost(query.centroids, query.kernels);
        let (mut least, mut chosen) = (f64::INFINITY, None);
        if let (Engine::Principal, AllRows::Made(coder, ..)) = (engine, &self.all_rows)
            && !self.hopeless
        {
            let tried = try_out(&mut self.tried_principal, query, coder, tiles, threads)?;
            (least, chosen) = (tried.cost_kept(coder), Some(Engine::Principal));
            self.hopeless = least > HOPELESS * tiles;
        }
        if let Some(plain) = &self.plain
            && CodeSearch::least_cost(plain, query.centroids) < least.min(tiles)
        {
            let kept = matches!(self.plain_source(), Source::Kept(_));
            let tried = try_out(&mut self.tried_plain, query, plain, f64::INFINITY, threads)?;
            let cost = match kept {
                true => tried.cost_kept(plain),
                false => tried.cost_made(plain),
            };
            if cost < least {
                (least, chosen) = (cost, Some(Engine::EightBit));
            }
        }
        if least < self.tile_cost(query, least, threads)? {
            self.chosen = chosen;
        }
        Ok(())
    }

    /// The kind of codes that is forced.
    fn try_forced(&mut self, query: Query<'_, '_>, threads: &Threads<'_>) -> Result<()> {
        let limit = f64::INFINITY;
        match (self.chosen, &self.all_rows) {
            (Some(Engine::Principal), AllRows::Made(coder, ..)) => {
                try_out(&mut self.tried_principal, query, coder, limit, threads)?;
            }
            (Some(Engine::EightBit), _) => {
                if let Some(plain) = &self.plain {
                    try_out(&mut self.tried_plain, query, plain, limit, threads)?;
                }
            }
            _ => (),
        }
        Ok(())
    }

    /// What a row takes with float32 tiles, which are tried where they may be better than
    /// codes that take so long.
    fn tile_cost(
        &mut self,
        query: Query<'_, '_>,
        codes: f64,
        threads: &Threads<'_>,
    ) -> Result<f64> {
        let expected = CodeSearch::tile_cost(query.centroids, query.kernels);
        let known = self.tiles.filter(|&(count, _)| count == query.count);
        let factor = match (known, &self.plain) {
            (Some((_, factor)), _) => factor,
            (None, Some(plain)) if expected < codes && codes < CLOSE * expected => {
                time_tiles(query, plain, threads)? / expected
            }
            _ => return Ok(expected),
        };
        self.tiles = Some((query.count, factor));
        Ok(factor * expected)
    }

    /// Where codes of the dimensions as they are come from.
    fn plain_source(&self) -> Source<'_> {
        match &self.all_rows {
            AllRows::Made(coder, codes, _) if coder.products.in_tiles() => Source::Kept(codes),
            _ => Source::Made,
        }
    }

    /// The search that was chosen; `None` for float32 tiles.
    pub fn search<'c>(
        &'c self,
        (affine, kernels): (&'c AffineMap, Kernels),
        centroids: Centroids<'c>,
        count: usize,
    ) -> Option<CodeSearch<'c>> {
        let (tried, coder, source) = match (self.chosen?, &self.all_rows) {
            (Engine::Principal, AllRows::Made(coder, codes, _)) => {
                (&self.tried_principal, coder, Source::Kept(codes))
            }
            (Engine::EightBit, _) => (&self.tried_plain, self.plain.as_ref()?, self.plain_source()),
            _ => return None,
        };
        let (tried, of_rows) = (tried.as_ref()?, (affine, &**coder, kernels));
        Some(CodeSearch::new(tried, of_rows, source, centroids, count))
    }
}

/// What was tried for this search, or is now, unless it is clear that a row takes more than
/// `limit`.
fn try_out<'t>(
    tried: &'t mut Option<Tried>,
    query: Query<'_, '_>,
    coder: &Coder,
    limit: f64,
    threads: &Threads<'_>,
) -> Result<&'t Tried> {
    let now = match tried.take() {
        Some(tried) if tried.is_of(query.order) => tried,
        before => Tried::new(query, coder, (before, limit), threads)?,
    };
    Ok(tried.get_or_insert(now))
}
