//! Allocator that counts the allocations of each thread and the bytes in use.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering};

pub struct Counting;

static BYTES: AtomicIsize = AtomicIsize::new(0);
static ALL_ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Returns the number of allocations and reallocations of the calling thread so far.
pub fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// Returns the number of allocations and reallocations of all threads so far.
pub fn all_allocations() -> u64 {
    ALL_ALLOCATIONS.load(Ordering::Relaxed)
}

/// Returns the bytes that the process has allocated and not freed.
pub fn bytes_in_use() -> isize {
    BYTES.load(Ordering::Relaxed)
}

fn count(allocated: usize, freed: usize) {
    if allocated > 0 {
        // Allocations during the destruction of the thread-local are not counted.
        ALL_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
    }
    BYTES.fetch_add(allocated as isize - freed as isize, Ordering::Relaxed);
}

// SAFETY: all calls are forwarded unchanged to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller upholds the contract of the method.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller upholds the contract of the method.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller upholds the contract of the method.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
