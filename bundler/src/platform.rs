//! The systems that a bundle can be made for, and what things are called there.

use std::fmt;

use continuo_package::runtime_file;

use crate::BundleError;

/// A system and a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// Linux on x86-64.
    LinuxX64,
    /// Linux on ARM64.
    LinuxArm64,
    /// Windows on x86-64.
    WindowsX64,
    /// Windows on ARM64.
    WindowsArm64,
    /// macOS on Apple silicon.
    MacosArm64,
    /// macOS on Intel.
    MacosX64,
}

/// An operating system, for what does not depend on the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum System {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
    /// macOS.
    Macos,
}

impl Platform {
    /// All of them, in the order in which they are listed to a person.
    pub const ALL: [Self; 6] =
        [Self::LinuxX64, Self::LinuxArm64, Self::WindowsX64, Self::WindowsArm64, Self::MacosArm64, Self::MacosX64];

    /// The one this program was built for.
    pub fn current() -> Result<Self, BundleError> {
        Self::of(std::env::consts::OS, std::env::consts::ARCH)
    }

    /// The one that `std::env::consts::{OS, ARCH}` name.
    pub fn of(os: &str, arch: &str) -> Result<Self, BundleError> {
        Ok(match (os, arch) {
            ("linux", "x86_64") => Self::LinuxX64,
            ("linux", "aarch64") => Self::LinuxArm64,
            ("windows", "x86_64") => Self::WindowsX64,
            ("windows", "aarch64") => Self::WindowsArm64,
            ("macos", "aarch64") => Self::MacosArm64,
            ("macos", "x86_64") => Self::MacosX64,
            _ => {
                let known = Self::names();
                return Err(BundleError::UnknownPlatform { os: os.to_owned(), arch: arch.to_owned(), known });
            }
        })
    }

    /// The platform that `name` (see [`Self::name`]) means.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.name() == name)
    }

    /// The names of all platforms, for messages.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The name used in archive names and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinuxX64 => "linux-x86_64",
            Self::LinuxArm64 => "linux-aarch64",
            Self::WindowsX64 => "windows-x86_64",
            Self::WindowsArm64 => "windows-aarch64",
            Self::MacosArm64 => "macos-aarch64",
            Self::MacosX64 => "macos-x86_64",
        }
    }

    /// The operating system.
    pub const fn system(self) -> System {
        match self {
            Self::LinuxX64 | Self::LinuxArm64 => System::Linux,
            Self::WindowsX64 | Self::WindowsArm64 => System::Windows,
            Self::MacosArm64 | Self::MacosX64 => System::Macos,
        }
    }

    /// The folder under `Contents/` that holds a VST3's binary ("VST 3 Locations / Format" in Steinberg's developer
    /// portal; Windows on ARM64 is `arm64-win`).
    pub const fn vst3_binary_folder(self) -> &'static str {
        match self {
            Self::LinuxX64 => "x86_64-linux",
            Self::LinuxArm64 => "aarch64-linux",
            Self::WindowsX64 => "x86_64-win",
            Self::WindowsArm64 => "arm64-win",
            Self::MacosArm64 | Self::MacosX64 => "MacOS",
        }
    }

    /// The name of a VST3's binary. On macOS a bundle's executable has no extension.
    pub const fn vst3_binary(self) -> &'static str {
        match self.system() {
            System::Linux => "Continuo.so",
            System::Windows => "Continuo.vst3",
            System::Macos => "Continuo",
        }
    }

    /// The file that Cargo makes of a library crate called `continuo`.
    pub const fn cdylib(self) -> &'static str {
        match self.system() {
            System::Linux => "libcontinuo.so",
            System::Windows => "continuo.dll",
            System::Macos => "libcontinuo.dylib",
        }
    }

    /// The name under which ONNX Runtime lies in a bundle.
    pub const fn runtime_library(self) -> &'static str {
        match self.system() {
            System::Linux => runtime_file::LINUX,
            System::Windows => runtime_file::WINDOWS,
            System::Macos => runtime_file::MACOS,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_parse_back() {
        for platform in Platform::ALL {
            assert_eq!(Platform::named(platform.name()), Some(platform));
        }
        assert_eq!(Platform::named("amiga-m68k"), None);
    }

    #[test]
    fn an_unknown_system_is_named_with_the_known_ones() {
        let error = Platform::of("haiku", "x86_64").unwrap_err().to_string();
        assert!(error.contains("haiku/x86_64") && error.contains("linux-x86_64"), "{error}");
    }
}
