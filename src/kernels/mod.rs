//! The ground floor: loops over numbers, written once and compiled for each
//! instruction set. Nothing here knows of rows of the caller, of centroids with
//! prices, or of threads.

#![allow(unsafe_code)]

pub(crate) mod accumulate;
pub(crate) mod aligned;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // nothing to ask for elsewhere
pub(crate) mod amx_permission;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod cache;
#[cfg_attr( // nothing to dispatch to elsewhere
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    allow(dead_code, unused_unsafe, unused_variables)
)]
pub(crate) mod codes;
pub(crate) mod dispatch;
pub(crate) mod exact;
pub(crate) mod exact_sparse;
pub(crate) mod few_centroids;
pub(crate) mod few_rows;
pub(crate) mod isa;
pub(crate) mod lanes;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod orthonormal;
pub(crate) mod pairwise;
pub(crate) mod pick;
pub(crate) mod portable;
pub(crate) mod scan;
pub(crate) mod simd;
pub(crate) mod sparse_columns;
pub(crate) mod sparse_dense;
pub(crate) mod sparse_panel;
pub(crate) mod sparse_scores;
pub(crate) mod tile;
pub(crate) mod weighted;
