//! The program.

fn main() -> std::process::ExitCode {
    cdc::cli::main()
}

/// The allocator of the whole process, librdkafka and OpenSSL included: records are made by one thread and freed by
/// another, which glibc's makes dear.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod allocator {
    use tikv_jemallocator::Jemalloc;

    #[global_allocator]
    static ALLOCATOR: Jemalloc = Jemalloc;

    /// The limits on memory count what the process holds: what is freed goes back to the system within a second (by
    /// itself jemalloc takes ten), and from 8 MiB on at once; and there are as many arenas as with two cores however
    /// many there are. jemalloc reads this text before `main` (jemalloc(3), TUNING).
    #[allow(unsafe_code)]
    #[unsafe(export_name = "malloc_conf")]
    static SETTINGS: Option<&u8> = b"dirty_decay_ms:1000,narenas:8\0".first();
}
