//! On what was measured: enough to judge the figures, nothing that names the machine.

use std::fs;

/// Processor, cores, memory, kernel and compiler, as far as the system tells.
pub(super) fn description() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory = line_of("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
        .map_or_else(
            || "unknown".to_owned(),
            |kibibytes| format!("{} GiB", kibibytes.div_ceil(1024 * 1024)),
        );
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(
        |_| std::env::consts::OS.to_owned(),
        |release| format!("Linux {}", release.trim()),
    );
    format!(
        "{cores} cores ({processor}, {architecture}), {memory} of memory, {kernel}, {compiler}",
        architecture = std::env::consts::ARCH,
        compiler = compiler().unwrap_or_else(|| "Rust".to_owned()),
    )
}

/// The value behind the first `key` of a file with lines of `key : value`.
fn line_of(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn compiler() -> Option<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(rustc).arg("--version").output();
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    Some(text.split(" (").next()?.trim().to_owned())
}
