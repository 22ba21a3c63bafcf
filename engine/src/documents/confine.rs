//! What a program that reads a stranger's document may use of the machine.

/// Memory it may ask for, in bytes of addresses.
#[cfg(target_os = "linux")]
const ADDRESS_BYTES_MAX: u64 = 1 << 30;
/// Processor time, in seconds.
#[cfg(unix)]
const CPU_SECONDS_MAX: u64 = 20;

/// Limits this process for the rest of its life: memory, processor time, and no files written.
/// Where the system does not know a limit, the parent's clock is what is left.
///
/// # Errors
/// When the system refuses one.
pub fn confine() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let limit = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
        limit(Resource::Core, 0)?;
        limit(Resource::Fsize, 0)?;
        limit(Resource::Cpu, CPU_SECONDS_MAX)?;
        // Other systems count mapped files and caches into it.
        #[cfg(target_os = "linux")]
        limit(Resource::As, ADDRESS_BYTES_MAX)?;
    }
    Ok(())
}
