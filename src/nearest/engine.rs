//! Which engine answers a search: each says whether it can, and when it pays.

use crate::kernels::codes::Products;
use crate::kernels::isa::Isa;
use crate::kernels::tile::Kernels;

/// The float32 bounds are proved up to this many dimensions.
pub(super) const MAX_TILE_DIMS: usize = 1 << 16;

/// Dimensions from which 8-bit codes can be made, and centroids from which they can
/// pay.
const MIN_CODED_DIMS: usize = 32;
const MIN_CODED_CENTROIDS: usize = 48;

/// With up to so many centroids, packing rows costs more than it saves.
const MOST_FEW: usize = 48;

/// With up to so many centroids, nothing costs less than all distances.
const MOST_MEASURED: usize = 2;

/// By the rooms here; [`trees`](super::trees) serve sums alone and say so
/// themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// All distances, in float64.
    BruteForce,
    /// Float32 tiles, checked in float64.
    Float32,
    /// Float32 scores of the rows as they lie, checked in float64.
    FewCentroids,
    /// 8-bit codes of the dimensions as they are, checked in float64.
    EightBit,
    /// 8-bit codes of the principal coordinates, checked in float64; float32
    /// tiles where those are faster.
    Principal,
}

/// With the names that the environment variable `KENTRO_ENGINE` gives, those first
/// that are the fastest where they pay.
const ALL: [(Engine, &str); 5] = [
    (Engine::Principal, "principal"),
    (Engine::EightBit, "eight_bit"),
    (Engine::FewCentroids, "few_centroids"),
    (Engine::Float32, "float32"),
    (Engine::BruteForce, "brute_force"),
];

impl Engine {
    fn can_serve(self, isa: Isa, dims: usize) -> bool {
        match self {
            Engine::BruteForce => true,
            Engine::Float32 | Engine::FewCentroids => dims <= MAX_TILE_DIMS,
            Engine::EightBit | Engine::Principal => {
                isa.has_codes() && (MIN_CODED_DIMS..=MAX_TILE_DIMS).contains(&dims)
            }
        }
    }

    /// Whether it is likely the best. Whether principal coordinates are better than
    /// others is found out about later.
    fn pays(self, centroids: usize) -> bool {
        match self {
            Engine::BruteForce => true,
            Engine::Float32 => centroids > MOST_MEASURED,
            Engine::FewCentroids => (MOST_MEASURED + 1..=MOST_FEW).contains(&centroids),
            Engine::EightBit => centroids >= MIN_CODED_CENTROIDS,
            Engine::Principal => false,
        }
    }
}

/// What a search may use. For tests and measurements the environment can force
/// both: `KENTRO_ENGINE` (`brute_force`, `float32`, `few_centroids`, `eight_bit`,
/// `principal`) and `KENTRO_ISA` (`portable`; `avx2`, `avxvnni`, `avx512`, `vnni`, `amx`;
/// `neon`, `neondot`; `amx-emulated`). Other values, and what the CPU lacks, are ignored.
/// Results do not depend on either.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub engine: Option<Engine>,
    pub isa: Isa,
    /// The instruction set of float32 tiles.
    pub tiles: Isa,
    /// How codes are multiplied, if that is said and need not be asked.
    pub products: Option<Products>,
}

impl Setting {
    pub fn from_environment() -> Self {
        let isa = Isa::chosen();
        let name = std::env::var("KENTRO_ENGINE").unwrap_or_default();
        let named = ALL.iter().find(|&&(_, known)| known == name);
        Setting {
            engine: named.map(|&(engine, _)| engine),
            isa,
            tiles: Isa::forced().unwrap_or(isa.for_tiles()),
            products: None,
        }
    }

    /// How codes are multiplied. This may ask the system: only for a search by codes.
    pub fn products(&self) -> Products {
        self.products.unwrap_or_else(Products::chosen)
    }

    pub fn kernels(&self) -> Kernels {
        Kernels::new(self.isa, self.tiles)
    }

    /// The one that is forced, or likely the best.
    pub fn choose(&self, dims: usize, centroids: usize) -> Engine {
        let can_serve = |engine: Engine| engine.can_serve(self.isa, dims);
        match self.engine {
            Some(asked) if can_serve(asked) => asked,
            Some(_) if can_serve(Engine::Float32) => Engine::Float32,
            _ => {
                let mut all = ALL.iter().map(|&(engine, _)| engine);
                let first = all.find(|&one| can_serve(one) && one.pays(centroids));
                first.unwrap_or(Engine::BruteForce)
            }
        }
    }
}
