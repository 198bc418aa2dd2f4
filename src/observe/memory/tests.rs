use super::Memory;

#[test]
fn the_fields_of_linux_are_read() {
    let status = "Name:\tcdc\nVmPeak:\t  999 kB\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\nThreads:\t4\n";
    let memory = Memory::parse(status).unwrap();
    assert_eq!((memory.resident_bytes, memory.peak_bytes), (1024 * 1024, 2048 * 1024));
    assert_eq!(memory.to_string(), "1 MiB, at most 2 MiB");
}

#[test]
fn nothing_is_guessed() {
    for status in ["", "VmHWM: 1 kB\n", "VmHWM: x kB\nVmRSS: 1 kB\n", "VmHWM: 1 MB\nVmRSS: 1 MB\n"] {
        assert_eq!(Memory::parse(status), None, "{status}");
    }
    assert_eq!(Memory::parse("VmHWM: 18446744073709551615 kB\nVmRSS: 1 kB\n"), None);
}
