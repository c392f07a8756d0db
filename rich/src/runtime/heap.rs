//! A heap that only grows.
//!
//! The program either execs within moments or, as PID 1, allocates nothing once it waits for
//! signals, so what is freed is not worth keeping a list of. Vectors that grow at the end of the
//! heap grow in place.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    ptr,
};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

/// Bytes asked of the kernel at once, at least.
const CHUNK: usize = 64 * 1024;

struct Heap {
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: the program has one thread.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap { next: Cell::new(0), end: Cell::new(0) };

// SAFETY: every block is handed out once, aligned, and stays mapped for ever.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.next.get().next_multiple_of(layout.align());
        if let Some(after) = start.checked_add(layout.size())
            && after <= self.end.get()
        {
            self.next.set(after);
            return ptr::with_exposed_provenance_mut(start);
        }
        let Some(size) = layout.size().max(CHUNK).checked_next_multiple_of(CHUNK) else {
            return ptr::null_mut();
        };
        // SAFETY: a new anonymous mapping touches no memory that is in use. Its alignment is
        // the page size, and no type of ours asks for more.
        let chunk = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                size,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        };
        let Ok(chunk) = chunk else { return ptr::null_mut() };
        let start = chunk.expose_provenance();
        self.next.set(start + layout.size());
        self.end.set(start + size);
        chunk.cast()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let start = block.expose_provenance();
        if start + layout.size() == self.next.get() && self.end.get() - start >= size {
            self.next.set(start + size);
            return block;
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the caller gives a valid size, and a new block overlaps no old one.
        unsafe {
            let larger = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !larger.is_null() {
                ptr::copy_nonoverlapping(block, larger, layout.size());
            }
            larger
        }
    }
}
