//! Single values on the heap where the memory may be refused: [`boxed`] is
//! `Box::new`, and [`TryArc`] is `Arc`; both of those end the process. [`Unwritten`] is
//! a vector that several threads write first.

#![allow(unsafe_code)]

use crate::allocate::with_capacity;
use crate::error::{KMeansError, Result};
use std::alloc::{Layout, alloc};
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
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

/// A vector in the making, in parts that anybody may write.
pub(crate) struct Unwritten<T> {
    values: Vec<T>,
    len: usize,
    written: AtomicUsize,
}

/// Asks for huge pages where there is room for some.
#[cfg(target_os = "linux")]
fn in_huge_pages<T>(memory: &mut [MaybeUninit<T>]) {
    const HUGE: usize = 1 << 21;
    let bytes = memory.as_mut_ptr_range();
    let start = bytes.start.addr().next_multiple_of(HUGE);
    let end = bytes.end.addr() / HUGE * HUGE;
    if start + 2 * HUGE <= end {
        let start = bytes.start.with_addr(start);
        // SAFETY: these pages are all ours, and keep what is in them. Only the speed depends
        // on the answer.
        unsafe { libc::madvise(start.cast(), end - start.addr(), libc::MADV_HUGEPAGE) };
    }
}

/// A part that nobody has written yet.
pub(crate) struct Part<'u, T> {
    slots: &'u mut [MaybeUninit<T>],
    written: &'u AtomicUsize,
}

impl<T: Copy> Unwritten<T> {
    /// Many values lie in huge pages where there are such: first uses and the return of
    /// small ones take long.
    pub fn new(len: usize, purpose: &'static str) -> Result<Self> {
        let mut values: Vec<T> = with_capacity(len, purpose)?;
        #[cfg(target_os = "linux")]
        in_huge_pages(&mut values.spare_capacity_mut()[..len]);
        Ok(Unwritten {
            values,
            len,
            written: AtomicUsize::new(0),
        })
    }

    /// All of it, so many values a part.
    pub fn parts(&mut self, len: usize) -> impl ExactSizeIterator<Item = Part<'_, T>> {
        *self.written.get_mut() = 0;
        let (slots, written) = (self.values.spare_capacity_mut(), &self.written);
        let parts = slots[..self.len].chunks_mut(len);
        parts.map(move |slots| Part { slots, written })
    }

    /// The vector, if every part was written since they were last asked for.
    pub fn finish(mut self) -> Option<Vec<T>> {
        let whole = *self.written.get_mut() == self.len;
        whole.then(|| {
            // SAFETY: there is room for so many; the parts of one call don't overlap, and
            // each counts once, when all of it is written.
            unsafe { self.values.set_len(self.len) };
            self.values
        })
    }
}

impl<T: Copy> Part<'_, T> {
    pub fn fill(self, value: T) {
        for slot in self.slots.iter_mut() {
            slot.write(value);
        }
        self.written.fetch_add(self.slots.len(), Ordering::Release);
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
    fn a_vector_is_there_once_all_parts_are_written() {
        let mut vec = Unwritten::new(10, "numbers").unwrap();
        for part in vec.parts(4).take(2) {
            part.fill(1);
        }
        assert_eq!(vec.finish(), None);
        let mut vec = Unwritten::new(10, "numbers").unwrap();
        for _ in 0..2 {
            vec.parts(4).for_each(|part| part.fill(7));
        }
        assert_eq!(vec.finish(), Some(vec![7; 10]));
    }

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
