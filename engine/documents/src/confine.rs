//! Limits what a program that reads a stranger's document may use of the machine.

/// Memory it may ask for, in bytes of addresses.
#[cfg(target_os = "linux")]
const ADDRESS_BYTES_MAX: u64 = 1 << 30;
/// Processor time for any document, in seconds …
const CPU_SECONDS_FREE: u64 = 1;
/// … and for each MiB of it: several times what an honest one takes.
const CPU_SECONDS_PER_MIB: u64 = 2;

/// Processor time that a document of so many bytes is worth, in seconds.
pub(super) const fn cpu_seconds(bytes: usize) -> u64 {
    CPU_SECONDS_FREE + (CPU_SECONDS_PER_MIB * bytes as u64).div_ceil(1 << 20)
}

/// Limits this process for the rest of its life: memory, processor time for so many bytes at most, and no
/// files written. It may be called again with fewer, not with more.
/// Where the system does not know a limit, the parent's clock is what is left.
///
/// # Errors
/// When the system refuses one.
pub(super) fn confine(bytes: usize) -> std::io::Result<()> {
    #[cfg(not(unix))]
    let _ = bytes;
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let limit = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
        limit(Resource::Core, 0)?;
        limit(Resource::Fsize, 0)?;
        limit(Resource::Cpu, cpu_seconds(bytes))?;
        // Other systems count mapped files and caches into it.
        #[cfg(target_os = "linux")]
        limit(Resource::As, ADDRESS_BYTES_MAX)?;
    }
    Ok(())
}
