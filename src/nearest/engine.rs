//! Which engine answers a search.

use crate::kernels::isa::Isa;
use crate::kernels::tile::Kernels;

/// The float32 bounds are proved up to this many dimensions.
pub(super) const MAX_TILE_DIMS: usize = 1 << 16;

/// Dimensions from which 8-bit codes can be made, and can pay.
const MIN_CODED_DIMS: usize = 32;

/// Centroids from which 8-bit codes can pay.
const MIN_HEAD: usize = 48;

/// With up to so many centroids, packing rows costs more than it saves.
const MAX_DIRECT: usize = 48;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// Brute force in float64.
    Reference,
    /// Float32 tiles, checked in float64.
    Tile,
    /// Float32 scores of the rows as they lie, checked in float64.
    Direct,
    /// 8-bit codes of the principal coordinates, checked in float64; float32
    /// tiles where those are faster.
    Head,
    /// 8-bit codes of the dimensions as they are, checked in float64.
    Plain,
}

/// What a search may use. For tests and measurements the environment can
/// force both: `KENTRO_ENGINE` (`reference`, `tile`, `direct`, `head`,
/// `plain`) and `KENTRO_ISA` (`portable`; `avx2`, `avxvnni`, `avx512`, `vnni`;
/// `neon`, `neondot`). Other values, and what the CPU lacks, are ignored.
/// Results do not depend on either.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub engine: Option<Engine>,
    pub isa: Isa,
    /// The instruction set of float32 tiles.
    pub tiles: Isa,
}

impl Setting {
    pub fn from_environment() -> Self {
        let isa = Isa::chosen();
        let engine = std::env::var("KENTRO_ENGINE").unwrap_or_default();
        Setting {
            engine: match engine.as_str() {
                "reference" => Some(Engine::Reference),
                "tile" => Some(Engine::Tile),
                "direct" => Some(Engine::Direct),
                "head" => Some(Engine::Head),
                "plain" => Some(Engine::Plain),
                _ => None,
            },
            isa,
            tiles: Isa::forced().unwrap_or(isa.for_tiles()),
        }
    }

    pub fn kernels(&self) -> Kernels {
        Kernels::new(self.isa, self.tiles)
    }

    /// `principal`: whether codes of the principal coordinates are there, or
    /// would pay.
    pub fn choose(&self, dims: usize, centroids: usize, principal: bool) -> Engine {
        let coded = self.isa.has_codes() && dims >= MIN_CODED_DIMS;
        match self.engine {
            Some(engine @ (Engine::Head | Engine::Plain)) if coded && dims <= MAX_TILE_DIMS => {
                engine
            }
            Some(Engine::Reference) => Engine::Reference,
            Some(Engine::Direct) if dims <= MAX_TILE_DIMS => Engine::Direct,
            Some(_) if dims <= MAX_TILE_DIMS => Engine::Tile,
            _ if dims > MAX_TILE_DIMS || centroids <= 2 => Engine::Reference,
            _ if coded && centroids >= MIN_HEAD && principal => Engine::Head,
            _ if coded && centroids >= MIN_HEAD => Engine::Plain,
            _ if centroids <= MAX_DIRECT => Engine::Direct,
            _ => Engine::Tile,
        }
    }
}
