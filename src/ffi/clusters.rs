//! Which points belong to which cluster, in compressed rows.

use super::error::ErrorHandle;
use super::guard::{free, guard};
use super::status::{Failure, KENTRO_STATUS_INVALID_PARAMETER, Outcome, StatusCode};
use super::{borrow, lend, put};
use crate::allocate::try_vec;
use crate::clusters::Clusters;
use crate::owned::boxed;

/// A list of point indices for each cluster, ascending. Never changes, so that
/// it may be shared between threads; independent of the model it came from.
pub struct ClustersHandle {
    offsets: Vec<usize>,
    members: Vec<usize>,
}

const _: () = super::shareable::<ClustersHandle>();

impl ClustersHandle {
    /// A handle for C to keep.
    pub(super) fn new(clusters: Clusters) -> Outcome<*mut Self> {
        let mut members = try_vec(0usize, clusters.members.len(), "cluster members")?;
        for (to, &from) in members.iter_mut().zip(&clusters.members) {
            *to = from as usize;
        }
        let offsets = clusters.offsets;
        let handle = ClustersHandle { offsets, members };
        Ok(Box::into_raw(boxed(handle, "clusters")?))
    }

    fn n_clusters(&self) -> usize {
        self.offsets.len() - 1
    }
}

/// Lends a slice of what is behind `clusters`.
///
/// # Safety
/// `clusters` and `error` are NULL or live; the outputs are NULL or can be written.
unsafe fn lend_of(
    clusters: *const ClustersHandle,
    out: *mut *const usize,
    out_len: *mut usize,
    error: *mut ErrorHandle,
    read: impl FnOnce(&ClustersHandle) -> Outcome<&[usize]>,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let slice = read(borrow(clusters, "clusters")?);
            lend(out, out_len, slice.map(Some))
        })
    }
}

/// The number of clusters. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_clusters_n_clusters(
    clusters: *const ClustersHandle,
    out: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let n_clusters = borrow(clusters, "clusters")?.n_clusters();
            put(out, "out", || Ok(n_clusters))
        })
    }
}

/// Lends the points of one cluster until the handle is freed.
///
/// `KENTRO_STATUS_INVALID_PARAMETER` if there is no such cluster. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_clusters_members(
    clusters: *const ClustersHandle,
    cluster: usize,
    out: *mut *const usize,
    out_len: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        lend_of(clusters, out, out_len, error, |clusters| {
            if cluster >= clusters.n_clusters() {
                let text = format_args!("there is no cluster {cluster}");
                return Err(Failure::new(KENTRO_STATUS_INVALID_PARAMETER, text));
            }
            Ok(&clusters.members[clusters.offsets[cluster]..clusters.offsets[cluster + 1]])
        })
    }
}

/// Lends n_clusters + 1 offsets: the points of cluster j are those from
/// `offsets[j]` to before `offsets[j + 1]` of `kentro_clusters_all_members`.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_clusters_offsets(
    clusters: *const ClustersHandle,
    out: *mut *const usize,
    out_len: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        lend_of(clusters, out, out_len, error, |clusters| {
            Ok(&clusters.offsets)
        })
    }
}

/// Lends the points of all clusters, one cluster after the other. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_clusters_all_members(
    clusters: *const ClustersHandle,
    out: *mut *const usize,
    out_len: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        lend_of(clusters, out, out_len, error, |clusters| {
            Ok(&clusters.members)
        })
    }
}

/// Frees the lists; NULL is fine. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_clusters_free(clusters: *mut ClustersHandle) {
    // SAFETY: as the caller promises.
    unsafe { free(clusters) }
}
