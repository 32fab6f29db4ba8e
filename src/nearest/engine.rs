//! Which engine answers a search.

use super::isa::Isa;

/// The float32 bounds are proved up to this many dimensions.
const MAX_TILE_DIMS: usize = 1 << 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// Brute force in float64.
    Reference,
    /// Float32 tiles, checked in float64.
    Tile,
}

/// What a search may use. For tests and measurements the environment can
/// force both: `KENTRO_ENGINE` (`reference`, `tile`) and `KENTRO_ISA`
/// (`portable`, `avx2`, `avx512`, `vnni`; at most what the CPU has). Other
/// values are ignored. Results do not depend on either.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub engine: Option<Engine>,
    pub isa: Isa,
}

impl Setting {
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var(name).unwrap_or_default();
        Setting {
            engine: match variable("KENTRO_ENGINE").as_str() {
                "reference" => Some(Engine::Reference),
                "tile" => Some(Engine::Tile),
                _ => None,
            },
            isa: Isa::from_name(&variable("KENTRO_ISA"))
                .unwrap_or(Isa::detect())
                .min(Isa::detect()),
        }
    }

    pub fn choose(&self, _rows: usize, dims: usize, centroids: usize) -> Engine {
        match self.engine {
            Some(engine) if dims <= MAX_TILE_DIMS => engine,
            None if dims <= MAX_TILE_DIMS && centroids > 2 => Engine::Tile,
            _ => Engine::Reference,
        }
    }
}
