//! The program.

fn main() -> std::process::ExitCode {
    give_back_large_buffers();
    cdc::cli::main()
}

/// The buffers of a large row go back to the system when they are freed.
///
/// By itself glibc raises the size from which on it does that, up to 32 MiB, as soon as one such
/// buffer is freed; those that follow come from its arenas, which keep what they once had. After some
/// rows of 8 MiB a source was seen at 250 MiB instead of 190.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back_large_buffers() {
    const LARGE_BYTES: libc::c_int = 1 << 20;
    // SAFETY: sets a number of the allocator; no other thread runs yet.
    #[allow(unsafe_code)]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back_large_buffers() {}
