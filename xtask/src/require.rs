//! What the machine must have, said in one line each before anything long begins.
//!
//! As root on Debian and its kin the missing packages are installed; elsewhere the command to do so is named.

use std::process::Command;

use anyhow::{Result, bail};

use crate::exec::{quiet, run};

/// Something outside Cargo that a task needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A C compiler and linker: Rust links with it, and two crates compile C.
    Compiler,
    /// A C++ compiler, for Steinberg's VST3 tests.
    CppCompiler,
    /// Python 3.10 or newer.
    Python,
    /// Python's package client.
    Pip,
    /// Python's virtual environments.
    Venv,
    /// The libraries that the Python hosts load.
    HostLibraries,
    /// ALSA and JACK, which the standalone program links.
    AudioLibraries,
    /// An X server without a screen, for editors in windows.
    Display,
    /// Vulkan with some driver, for the trainer's GPU tests: one in software will do.
    Vulkan,
}

impl Need {
    fn is_met(self) -> bool {
        match self {
            Self::Compiler if cfg!(windows) => true,
            Self::Compiler => quiet(Command::new("cc").arg("--version")).is_some(),
            Self::CppCompiler => quiet(Command::new("c++").arg("--version")).is_some(),
            Self::Python => python("import sys; sys.exit(sys.version_info < (3, 10))"),
            Self::Pip => quiet(Command::new(python_name()).args(["-m", "pip", "--version"])).is_some(),
            Self::Venv => python("import venv, ensurepip"),
            Self::HostLibraries | Self::AudioLibraries | Self::Display | Self::Vulkan
                if cfg!(not(target_os = "linux")) =>
            {
                true
            }
            Self::HostLibraries => python(
                "import ctypes\n\
                 for name in ('libGL.so.1', 'libX11.so.6', 'libglib-2.0.so.0', 'libatomic.so.1'): ctypes.CDLL(name)",
            ),
            Self::AudioLibraries => quiet(Command::new("pkg-config").args(["--exists", "alsa", "jack"])).is_some(),
            // It knows no --version: it prints what it is and ends with an error.
            Self::Display => Command::new("Xvfb").arg("-version").output().is_ok(),
            Self::Vulkan => python("import ctypes; ctypes.CDLL('libvulkan.so.1')") && has_vulkan_driver(),
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Compiler => "a C compiler (cc)",
            Self::CppCompiler => "a C++ compiler (c++)",
            Self::Python => "Python 3.10 or newer (python3)",
            Self::Pip => "Python's package client (python3 -m pip)",
            Self::Venv => "Python's virtual environments (python3 -m venv)",
            Self::HostLibraries => "libraries of the Python hosts (libGL, libX11, libglib-2.0, libatomic)",
            Self::AudioLibraries => "the development files of ALSA and JACK (pkg-config alsa jack)",
            Self::Display => "an X server without a screen (Xvfb)",
            Self::Vulkan => "Vulkan with a driver (libvulkan and an icd.d)",
        }
    }

    fn debian_packages(self) -> &'static [&'static str] {
        match self {
            Self::Compiler => &["gcc", "libc6-dev"],
            Self::CppCompiler => &["g++"],
            Self::Python => &["python3"],
            Self::Pip => &["python3-pip"],
            Self::Venv => &["python3-venv"],
            Self::HostLibraries => &["libgl1", "libx11-6", "libglib2.0-0", "libatomic1"],
            Self::AudioLibraries => &["pkg-config", "libasound2-dev", "libjack-jackd2-dev"],
            Self::Display => &["xvfb", "libgl1-mesa-dri"],
            Self::Vulkan => &["libvulkan1", "mesa-vulkan-drivers"],
        }
    }

    fn advice(self) -> String {
        if has("apt-get") {
            return format!("install it with: sudo apt-get install {}", self.debian_packages().join(" "));
        }
        match (self, std::env::consts::OS) {
            (Self::Compiler | Self::CppCompiler, "macos") => "install it with: xcode-select --install".to_owned(),
            (Self::Pip, _) => "install it with: python3 -m ensurepip --upgrade".to_owned(),
            (Self::Python | Self::Venv, "macos" | "windows") => "install Python from python.org".to_owned(),
            _ => format!("install what Debian calls {}", self.debian_packages().join(" ")),
        }
    }
}

/// Checks `needs`, installing what is missing where that can be done without asking; names the rest.
pub fn check(needs: &[Need]) -> Result<()> {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if is_root() && has("apt-get") {
        let packages: Vec<&str> = missing.iter().flat_map(|need| need.debian_packages()).copied().collect();
        eprintln!("missing: {}; installing {}", list(&missing), packages.join(" "));
        let apt = || {
            let mut command = Command::new("apt-get");
            command.env("DEBIAN_FRONTEND", "noninteractive");
            command
        };
        // An installation that was killed half-way leaves dpkg refusing every later one until this has run.
        run(Command::new("dpkg").args(["--configure", "-a"]), "Mend what dpkg names")?;
        run(apt().args(["update", "-qq"]), "Check the network and the package sources")?;
        let install = ["install", "-y", "-qq", "--no-install-recommends"];
        run(apt().args(install).args(packages), "Check the network and the package sources")?;
    }
    let missing: Vec<Need> = missing.into_iter().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        eprintln!("missing: {}; {}", need.what(), need.advice());
    }
    bail!("this machine lacks {}", list(&missing));
}

/// The Python program's name.
pub fn python_name() -> &'static str {
    if cfg!(windows) { "python" } else { "python3" }
}

fn list(needs: &[Need]) -> String {
    needs.iter().map(|need| need.what()).collect::<Vec<_>>().join(", ")
}

fn python(code: &str) -> bool {
    quiet(Command::new(python_name()).args(["-c", code])).is_some()
}

/// Whether a Vulkan driver is registered where the loader looks.
fn has_vulkan_driver() -> bool {
    let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].iter().any(|name| std::env::var_os(name).is_some());
    let registered = |folder: &str| std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
    named
        || ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"].into_iter().any(registered)
}

fn has(program: &str) -> bool {
    quiet(Command::new(program).arg("--version")).is_some()
}

fn is_root() -> bool {
    quiet(Command::new("id").arg("-u")).is_some_and(|output| output.stdout.trim_ascii() == b"0")
}
