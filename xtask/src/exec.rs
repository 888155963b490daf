//! Running other programs, showing what is run.

use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// Shows and runs `command`; fails with `advice` if it does.
pub fn run(command: &mut Command, advice: &str) -> Result<()> {
    let line = line(command);
    eprintln!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start {line}"))?;
    if !status.success() {
        bail!("`{line}` failed ({status}). {advice}");
    }
    Ok(())
}

/// Shows and runs `command`; shows what it prints only if it fails, else its last line.
pub fn summarised(command: &mut Command, advice: &str) -> Result<()> {
    let line = line(command);
    eprintln!("$ {line}");
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {line}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        eprint!("{text}{}", String::from_utf8_lossy(&output.stderr));
        bail!("`{line}` failed ({}). {advice}", output.status);
    }
    println!("{}", text.lines().last().unwrap_or_default());
    Ok(())
}

/// Runs `command` without showing anything; `None` if it cannot be started or fails.
pub fn quiet(command: &mut Command) -> Option<Output> {
    command.stdin(Stdio::null()).output().ok().filter(|output| output.status.success())
}

/// The command as one would type it, with the program's name alone.
fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    std::iter::once(name)
        .chain(command.get_args().map(|argument| argument.to_string_lossy().into_owned()))
        .collect::<Vec<_>>()
        .join(" ")
}
