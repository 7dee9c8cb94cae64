//! How much memory a decoder asks for, against how much it was given.
//!
//! Only where [`Counting`] is the global allocator, which are the tests of this crate and the fuzz targets; elsewhere
//! nothing is counted, and every bound holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The most that may be allocated at any one time while an input is decoded: `times` its length, and `plus`, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Per byte of the input.
    pub times: usize,
    /// Whatever the input, for the text of an error and the like.
    pub plus: usize,
}

thread_local! {
    /// Bytes allocated and not freed by this thread, and the most there were. Freed may be what another one allocated.
    static LIVE: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// The system's allocator, which counts what each thread holds.
#[derive(Debug)]
pub struct Counting;

fn note(change: isize) {
    // A thread at its end may have no counts any more.
    let _ = LIVE.try_with(|live| {
        let (now, most) = live.get();
        let now = now + change;
        live.set((now, most.max(now)));
    });
}

// SAFETY: every call goes to the system's allocator as it came; counting neither allocates nor touches the memory.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // For a moment there may be both.
        note(size as isize);
        note(-(layout.size() as isize));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What `work` comes to, and the most bytes that it held beside those that were held before.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.with(|live| {
        let (now, _) = live.get();
        live.set((now, now));
        now
    });
    let result = work();
    let most = LIVE.with(|live| live.get().1);
    (result, usize::try_from(most - before).unwrap_or_default())
}

/// What `work` comes to on an input of that length.
///
/// # Panics
/// If it held more than the bound at any one time.
pub fn within<T>(bound: Bound, length: usize, work: impl FnOnce() -> T) -> T {
    let (result, held) = measure(work);
    let most = bound.times * length + bound.plus;
    assert!(held <= most, "{held} bytes were held for an input of {length}, of at most {most} ({bound:?})");
    result
}
