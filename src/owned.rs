//! Single values on the heap where the memory may be refused: [`boxed`] is
//! `Box::new`, and [`TryArc`] is `Arc`; both of those end the process.

#![allow(unsafe_code)]

use crate::error::{KMeansError, Result};
use std::alloc::{Layout, alloc};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::process::abort;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// `value` in a box.
pub(crate) fn boxed<T>(value: T, purpose: &'static str) -> Result<Box<T>> {
    const { assert!(size_of::<T>() > 0, "there is nothing to allocate") };
    let layout = Layout::new::<T>();
    // SAFETY: the layout has a size.
    let memory = unsafe { alloc(layout) }.cast::<T>();
    if memory.is_null() {
        return Err(KMeansError::out_of_memory(layout.size(), purpose));
    }
    // SAFETY: `memory` is fit for a `T`, nobody else's, and from the allocator
    // and with the layout that `Box` uses.
    unsafe {
        memory.write(value);
        Ok(Box::from_raw(memory))
    }
}

/// A value that lives, in one place, until its last owner is gone.
pub(crate) struct TryArc<T> {
    inner: NonNull<Inner<T>>,
    owns: PhantomData<Inner<T>>,
}

struct Inner<T> {
    owners: AtomicUsize,
    value: T,
}

// SAFETY: all owners only read the value, and any of them may drop it.
unsafe impl<T: Send + Sync> Send for TryArc<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for TryArc<T> {}

impl<T> TryArc<T> {
    pub fn new(value: T, purpose: &'static str) -> Result<Self> {
        let owners = AtomicUsize::new(1);
        let inner = boxed(Inner { owners, value }, purpose)?;
        Ok(TryArc {
            inner: NonNull::from(Box::leak(inner)),
            owns: PhantomData,
        })
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: the value is there as long as it has an owner.
        unsafe { self.inner.as_ref() }
    }
}

impl<T> Deref for TryArc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T> Clone for TryArc<T> {
    fn clone(&self) -> Self {
        // Leaking this many owners is the only way to get there.
        if self.inner().owners.fetch_add(1, Ordering::Relaxed) > usize::MAX / 2 {
            abort();
        }
        TryArc { ..*self }
    }
}

impl<T> Drop for TryArc<T> {
    fn drop(&mut self) {
        if self.inner().owners.fetch_sub(1, Ordering::Release) > 1 {
            return;
        }
        // What the other owners did with the value is over.
        fence(Ordering::Acquire);
        // SAFETY: the memory is `boxed`'s, and this was its last owner.
        drop(unsafe { Box::from_raw(self.inner.as_ptr()) });
    }
}

impl<T: fmt::Debug> fmt::Debug for TryArc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: PartialEq> PartialEq for TryArc<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn the_last_owner_drops_the_value_in_its_place() {
        let value = Arc::new(7);
        let first = TryArc::new(Arc::clone(&value), "a number").unwrap();
        let second = first.clone();
        assert!(std::ptr::eq(&*first, &*second) && first == second);
        drop(first);
        assert_eq!((Arc::strong_count(&value), **second), (2, 7));
        drop(second);
        assert_eq!(Arc::strong_count(&value), 1);
        assert_eq!(*boxed(Arc::clone(&value), "a number").unwrap(), value);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn owners_may_come_and_go_on_any_thread() {
        let value = Arc::new(());
        let shared = TryArc::new(Arc::clone(&value), "nothing").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let mine = shared.clone();
                scope.spawn(move || (0..10_000).for_each(|_| drop(mine.clone())));
            }
        });
        drop(shared);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
