//! The memory of this process, as the kernel counts it.

use std::fs;

/// Forgets the highest memory so far, so that the next is that of what follows:
/// <https://docs.kernel.org/filesystems/proc.html>.
pub(crate) fn reset_peak() -> Result<(), String> {
    fs::write("/proc/self/clear_refs", "5").map_err(|error| format!("the memory's peak stays: {error}"))
}

/// The highest memory since then, in MiB.
pub(crate) fn peak() -> Result<u64, String> {
    of_status("VmHWM:")
}

/// The memory now, in MiB.
pub(crate) fn now() -> Result<u64, String> {
    of_status("VmRSS:")
}

fn of_status(name: &str) -> Result<u64, String> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
    let kibibytes: u64 = kibibytes.and_then(|digits| digits.parse().ok()).ok_or("the memory is not known")?;
    Ok(kibibytes / 1024)
}
