//! ONNX Runtime for a bundle: which wheel of the Python package carries it, and taking it out of that wheel.
//!
//! The library is published as a shared object inside the wheel `onnxruntime`. The wheel is fetched with the ordinary
//! package client (that is `xtask`'s work); here its SHA-256 is compared with the one pinned below, so that what ends up
//! in a bundle is what was tested, wherever it came from.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use continuo_package::hash::sha256_hex_of_file;
use continuo_package::runtime_file::{self, RuntimeNote};
use zip::ZipArchive;

use crate::place::replace;
use crate::platform::System;
use crate::{BundleError, Platform, elf};

/// The version of ONNX Runtime that Continuo is tested with: the newest whose library holds nothing that calls home. From 1.29
/// on it queues events in the user's cache folder and sends them, whatever the program that loads it asks for.
pub const VERSION: &str = "1.28.0";

/// No runtime library is larger; the largest is 33 MB.
const LARGEST_FILE: u64 = 256 << 20;

/// A wheel that carries ONNX Runtime for one platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wheel {
    /// The platform tag, as `pip download --platform` takes it.
    pub tag: &'static str,
    /// The platform tags in the wheel's file name.
    pub file_tags: &'static str,
    /// SHA-256 of the wheel, hex.
    pub sha256: &'static str,
    /// The entry that is the library.
    pub library: &'static str,
}

/// The Python version whose wheels are pinned. The library in them does not depend on it.
pub const PYTHON_VERSION: &str = "3.11";

impl Wheel {
    /// The wheel for `platform`. There is none for macOS on Intel.
    pub fn of(platform: Platform) -> Result<Self, BundleError> {
        Ok(match platform {
            Platform::LinuxX64 => Self {
                tag: "manylinux_2_28_x86_64",
                file_tags: "manylinux_2_27_x86_64.manylinux_2_28_x86_64",
                sha256: "a166b78ee04f3a37fa1ef82034b6a3ce96d9684e582d4d30b296de83e9998bb5",
                library: "onnxruntime/capi/libonnxruntime.so.1.28.0",
            },
            Platform::LinuxArm64 => Self {
                tag: "manylinux_2_28_aarch64",
                file_tags: "manylinux_2_27_aarch64.manylinux_2_28_aarch64",
                sha256: "8d66f9ceb29909c70839e4e4fb3435c7b490050d8f162bd5f3aba4ca01ee517f",
                library: "onnxruntime/capi/libonnxruntime.so.1.28.0",
            },
            Platform::WindowsX64 => Self {
                tag: "win_amd64",
                file_tags: "win_amd64",
                sha256: "0d650aeee29368414367b65529e90afe4bf1bab76254789063b8b2f7ea3013c8",
                library: "onnxruntime/capi/onnxruntime.dll",
            },
            Platform::WindowsArm64 => Self {
                tag: "win_arm64",
                file_tags: "win_arm64",
                sha256: "0faf85fb447a663c9cdadc39bd6b19bdf7bedded6699e45731b9b36c46fd993d",
                library: "onnxruntime/capi/onnxruntime.dll",
            },
            Platform::MacosArm64 => Self {
                tag: "macosx_14_0_arm64",
                file_tags: "macosx_14_0_arm64",
                sha256: "f5c5daabd28aad610f83fdcf32acec8fb57e6adc6c6a39fe2a3c755db957b410",
                library: "onnxruntime/capi/libonnxruntime.1.28.0.dylib",
            },
            Platform::MacosX64 => return Err(BundleError::NoRuntime { version: VERSION, platform: platform.name() }),
        })
    }

    /// The wheel's file name.
    pub fn file_name(&self) -> String {
        let python = PYTHON_VERSION.replace('.', "");
        format!("onnxruntime-{VERSION}-cp{python}-cp{python}-{}.whl", self.file_tags)
    }

    /// Refuses a file whose SHA-256 is not the pinned one.
    pub fn verify(&self, wheel: &Path) -> Result<(), BundleError> {
        let found = sha256_hex_of_file(wheel).map_err(|source| BundleError::io(wheel, "reading", source))?;
        if found == self.sha256 {
            return Ok(());
        }
        Err(BundleError::WrongHash { path: wheel.to_owned(), expected: self.sha256.to_owned(), found })
    }
}

/// ONNX Runtime as it lies in a cache folder, ready for a bundle. A [`RuntimeNote`] lies beside the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeFiles {
    /// The library, under the name that it has in a bundle.
    pub library: PathBuf,
    /// Its licence (MIT).
    pub licence: PathBuf,
    /// The notices of what it contains.
    pub notices: PathBuf,
}

impl RuntimeFiles {
    /// Where the files for `platform` lie in `folder`.
    ///
    /// The library of the system that this program runs on lies at the top, where development builds of the plugin and
    /// the engine's tests look for it; others lie in a folder of their own.
    pub fn in_folder(folder: &Path, platform: Platform) -> Self {
        let own = Platform::current().is_ok_and(|current| current == platform);
        let folder = if own { folder.to_owned() } else { folder.join(platform.name()) };
        Self {
            library: folder.join(platform.runtime_library()),
            licence: folder.join("LICENSE"),
            notices: folder.join("ThirdPartyNotices.txt"),
        }
    }

    /// Whether the files are there, came from `wheel`, and the library is what was taken out of it.
    pub fn are_current(&self, wheel: &Wheel) -> bool {
        let from_wheel = |note: RuntimeNote| {
            note.origin_sha256 == wheel.sha256 && note.version == VERSION && note.check(&self.library).is_ok()
        };
        self.licence.is_file()
            && self.notices.is_file()
            && RuntimeNote::beside(&self.library).is_ok_and(|note| note.is_some_and(from_wheel))
    }
}

/// Takes the library, its licence and its notices out of a verified wheel and puts them into `folder`.
pub fn extract(wheel: &Wheel, file: &Path, folder: &Path, platform: Platform) -> Result<RuntimeFiles, BundleError> {
    wheel.verify(file)?;
    extract_verified(wheel, file, &RuntimeFiles::in_folder(folder, platform), platform)
}

fn extract_verified(
    wheel: &Wheel,
    file: &Path,
    files: &RuntimeFiles,
    platform: Platform,
) -> Result<RuntimeFiles, BundleError> {
    let damaged = |error: zip::result::ZipError| BundleError::Archive {
        path: file.to_owned(),
        reason: error.to_string(),
        advice: "Delete it and fetch it again",
    };
    let opened = File::open(file).map_err(|source| BundleError::io(file, "reading", source))?;
    let mut archive = ZipArchive::new(opened).map_err(damaged)?;
    // The note goes first and comes back last: a run that dies in between leaves files that are not taken as current.
    crate::place::remove(&RuntimeNote::place(&files.library))?;
    for (entry, target) in [
        (wheel.library, &files.library),
        ("onnxruntime/LICENSE", &files.licence),
        ("onnxruntime/ThirdPartyNotices.txt", &files.notices),
    ] {
        let entry = archive.by_name(entry).map_err(damaged)?;
        replace(target, |staging| {
            let mut out = File::create(staging).map_err(|source| BundleError::io(staging, "writing", source))?;
            std::io::copy(&mut entry.take(LARGEST_FILE), &mut out)
                .map_err(|source| BundleError::io(staging, "unpacking", source))?;
            // macOS and Windows tell libraries apart by their files' names, which are our own already.
            if target == &files.library && platform.system() == System::Linux {
                elf::rename(staging, runtime_file::SONAME)?;
            }
            Ok(())
        })?;
    }
    if platform.system() != System::Windows {
        make_executable(&files.library)?;
    }
    RuntimeNote::of(&files.library, VERSION, &wheel.file_name(), wheel.sha256)
        .and_then(|note| note.write(&files.library))
        .map_err(|source| BundleError::Runtime { path: files.library.clone(), source })?;
    Ok(files.clone())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<(), BundleError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(|source| BundleError::io(path, "setting permissions", source))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<(), BundleError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn wheel_with(folder: &Path, wheel: &Wheel, library: &[u8]) -> PathBuf {
        let path = folder.join(wheel.file_name());
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, bytes) in [
            (wheel.library, library),
            ("onnxruntime/LICENSE", b"MIT".as_slice()),
            ("onnxruntime/ThirdPartyNotices.txt", b"notices".as_slice()),
        ] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        path
    }

    #[test]
    fn a_wheel_that_is_not_the_pinned_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = Wheel::of(Platform::LinuxX64).unwrap();
        let path = wheel_with(folder.path(), &wheel, b"not the library");
        let error = extract(&wheel, &path, folder.path(), Platform::LinuxX64).unwrap_err();
        assert!(matches!(error, BundleError::WrongHash { .. }), "{error}");
        assert!(error.to_string().contains("delete it and run again"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_was_taken_out_is_current_until_it_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let library = fs::read(elf::tests::library(folder.path(), "libonnxruntime.so.1")).unwrap();
        for platform in [Platform::LinuxX64, Platform::WindowsArm64, Platform::MacosArm64] {
            let wheel = Wheel::of(platform).unwrap();
            let content = if platform.system() == System::Linux { library.as_slice() } else { b"library" };
            let path = wheel_with(folder.path(), &wheel, content);
            let place = RuntimeFiles::in_folder(folder.path(), platform);
            assert!(!place.are_current(&wheel));
            let files = extract_verified(&wheel, &path, &place, platform).unwrap();
            if platform.system() == System::Linux {
                assert_eq!(elf::soname(&files.library).unwrap(), runtime_file::SONAME);
            } else {
                assert_eq!(fs::read(&files.library).unwrap(), b"library");
            }
            assert_eq!(files.library.file_name().unwrap(), platform.runtime_library());
            assert!(files.are_current(&wheel));
            fs::write(&files.library, b"lib").unwrap();
            assert!(!files.are_current(&wheel));
        }
    }

    #[test]
    fn a_wheel_without_the_library_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = Wheel::of(Platform::LinuxX64).unwrap();
        let other = Wheel { library: "onnxruntime/capi/other", ..wheel };
        let path = wheel_with(folder.path(), &other, b"library");
        let place = RuntimeFiles::in_folder(folder.path(), Platform::LinuxX64);
        let error = extract_verified(&wheel, &path, &place, Platform::LinuxX64).unwrap_err();
        assert!(error.to_string().contains(&wheel.file_name()), "{error}");
        assert!(!place.are_current(&wheel));
    }

    #[test]
    fn intel_macs_have_no_wheel() {
        let error = Wheel::of(Platform::MacosX64).unwrap_err().to_string();
        assert!(error.contains("macos-x86_64"), "{error}");
    }
}
